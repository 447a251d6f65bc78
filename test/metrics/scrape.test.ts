/** What is asked for when somebody scrapes. */
import { setImmediate } from 'node:timers/promises'
import { beforeEach, expect, it } from 'vitest'
import { Metrics } from '../../src/metrics/metrics.ts'
import { Scrape, type ScrapeParts } from '../../src/metrics/scrape.ts'
import type { WireCounts } from '../../src/core/wire.ts'
import type { QueueDepth } from '../../src/store/contract.ts'
import { metricValue } from '../helpers/gateway.ts'
import { instead } from '../helpers/instead.ts'
import { openTestStore } from '../helpers/sqlite-store.ts'

const route = (app: string) => ({ name: app, app, provider: 'made-up' })
const depthOf = (overdueMs: number): QueueDepth => ({
  waiting: 1,
  delayed: 0,
  active: 0,
  dead: 0,
  oldestAgeMs: overdueMs,
  overdueMs,
})

let depths: Map<string, QueueDepth | Promise<QueueDepth>>
let gates: Map<string, ReturnType<ScrapeParts['gateOf']>>
let asked: string[]
let wire: readonly WireCounts[]
let routes: readonly ReturnType<typeof route>[]
beforeEach(() => {
  depths = new Map()
  gates = new Map()
  asked = []
  wire = []
  routes = []
})

/** A real store, but for how deep its queues are. */
async function scrapeOf(
  ...apps: readonly string[]
): Promise<AsyncDisposable & { metrics: Metrics; text(): Promise<string> }> {
  const store = await openTestStore(Date.now)
  const metrics = new Metrics('0.0.0')
  routes = apps.map(route)
  metrics.configured({ routes, hash: '', highWater: 0 }, 0)
  const depth = async (name: string): Promise<QueueDepth> => {
    asked.push(name)
    const known = depths.get(name)
    if (known === undefined) throw new Error('the store does not answer')
    return known
  }
  const scrape = new Scrape({
    metrics,
    store: {
      health: () => ({ writable: true, dangers: [], fit: true, fill: 0.25 }),
      queue: instead(store.queue, { depth }),
    },
    routes: () => routes,
    gateOf: (name) => gates.get(name),
    clockSkewMs: () => 0,
    nowMs: Date.now,
    isPaused: (name) => name === 'paused',
    wire: () => wire,
    isSuspected: async () => false,
  })
  return {
    metrics,
    text: async () => (await scrape.expose()).text,
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

it('a blocked app, one whose push service is away, and one that is paused ask for no more processes', async () => {
  await using scrape = await scrapeOf('works', 'blocked', 'held', 'paused')
  depths = new Map([
    ['works', depthOf(2000)],
    ['blocked', depthOf(80_000_000)],
    ['held', depthOf(900_000)],
    ['paused', depthOf(800_000)],
  ])
  gates = new Map([
    ['works', 'open'],
    ['blocked', 'blocked'],
    ['held', 'held'],
    ['paused', 'open'],
  ])
  const text = await scrape.text()
  expect(text).toContain('\nhushgate_scaling_lag_seconds 2\n')
  expect(metricValue(text, 'hushgate_queue_overdue_seconds', { app: 'blocked' })).toBe(80_000)
  expect(metricValue(text, 'hushgate_circuit_open', { app: 'held' })).toBe(1)
  expect(metricValue(text, 'hushgate_app_paused', { app: 'paused' })).toBe(1)
  expect(metricValue(text, 'hushgate_app_paused', { app: 'held' })).toBe(0)
  expect(metricValue(text, 'hushgate_circuit_open', { app: 'works' })).toBe(0)
})

it('a process that sends nothing asks for no more processes', async () => {
  await using scrape = await scrapeOf('works')
  depths = new Map([['works', depthOf(2000)]])
  expect(await scrape.text()).toContain('\nhushgate_scaling_lag_seconds 0\n')
})

it('a queue that cannot be read keeps no value from before, and the others are told', async () => {
  await using scrape = await scrapeOf('works', 'away')
  depths = new Map([
    ['works', depthOf(2000)],
    ['away', depthOf(3000)],
  ])
  expect(metricValue(await scrape.text(), 'hushgate_queue_overdue_seconds', { app: 'away' })).toBe(3)
  depths.delete('away')
  const text = await scrape.text()
  expect(metricValue(text, 'hushgate_queue_overdue_seconds', { app: 'works' })).toBe(2)
  expect(text).not.toMatch(/^hushgate_queue_.*app="away"/m)
})

it('what a process counts itself is written while the store counts', async () => {
  await using scrape = await scrapeOf('works')
  const counted = Promise.withResolvers<QueueDepth>()
  depths = new Map([['works', counted.promise]])
  const text = scrape.text()
  for (let turn = 0; turn < 10; turn += 1) await setImmediate()
  scrape.metrics.intake.unknownApp()
  counted.resolve(depthOf(2000))
  expect(metricValue(await text, 'hushgate_devices_received_total', { intake: 'unknown_app' })).toBe(0)
  expect(metricValue(await text, 'hushgate_queue_overdue_seconds', { app: 'works' })).toBe(2)
  expect(metricValue(await scrape.text(), 'hushgate_devices_received_total', { intake: 'unknown_app' })).toBe(1)
})

it('however many scrape at once, each queue is read once', async () => {
  await using scrape = await scrapeOf('one', 'two')
  depths = new Map([
    ['one', depthOf(1)],
    ['two', depthOf(1)],
  ])
  await Promise.all(Array.from({ length: 20 }, () => scrape.text()))
  expect(asked.toSorted()).toEqual(['one', 'two'])
})

it('an app that is removed while its queue is read does not come back', async () => {
  await using scrape = await scrapeOf('removed')
  depths = new Map([['removed', depthOf(1)]])
  const text = scrape.text()
  routes = []
  expect(await text).not.toMatch(/^hushgate_queue_.*app="removed"/m)
})

it('answers of push services are counted by their status, and statuses that somebody makes up together', async () => {
  await using scrape = await scrapeOf('web')
  const made = Array.from({ length: 100 }, (_, index) => [450 + index, 1] as const)
  wire = [
    { app: 'web', provider: 'made-up', connections: 0, answers: [[201, 5]] },
    { app: 'web', provider: 'made-up', connections: 2, answers: [[201, 1], ...made] },
    { app: 'removed', provider: 'made-up', connections: 1, answers: [[201, 1]] },
  ]
  const text = await scrape.text()
  const answers = [...text.matchAll(/^hushgate_push_service_answers_total\{app="web".*code="(\w+)"\} (\d+)$/gm)]
  expect(Object.fromEntries(answers.map(([, code, count]) => [code, Number(count)]))).toEqual({
    201: 6,
    500: 1,
    502: 1,
    503: 1,
    504: 1,
    other: 96,
  })
  expect(metricValue(text, 'hushgate_connections', { app: 'web' })).toBe(2)
  expect(text).not.toContain('app="removed"')
})
