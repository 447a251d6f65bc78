/** Senders and workers of the routes when the configuration changes: nothing is lost, sent twice, or left running. */
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { Activity } from '../../src/activity/activity.ts'
import type { Outcome } from '../../src/core/outcome.ts'
import { Secret } from '../../src/core/secret.ts'
import { DeadLetterShare } from '../../src/delivery/dead-letter-share.ts'
import { DeliveringRoutes } from '../../src/delivery/delivering-routes.ts'
import { Senders } from '../../src/sending/senders.ts'
import { Metrics } from '../../src/metrics/metrics.ts'
import { configFolder, type ConfigFolder } from '../helpers/config-folder.ts'
import { Clock } from '../helpers/clock.ts'
import { createDelivery } from '../helpers/delivery.ts'
import { createSteeredProvider, type SteeredProvider } from '../helpers/steered-provider.ts'
import { createGate, until } from '../helpers/received.ts'
import { RecordedLog } from '../helpers/recorded-log.ts'
import { openTestStore, type TestStore } from '../helpers/sqlite-store.ts'

const clock = new Clock()
let store: TestStore
beforeAll(async () => {
  store = await openTestStore(clock.nowMs)
})
afterAll(() => store[Symbol.asyncDispose]())

let provider: SteeredProvider
let folder: ConfigFolder
let running: DeliveringRoutes
/** Names of two routes, other ones for each test. */
let one: string
let two: string
beforeEach(async () => {
  provider = createSteeredProvider()
  folder = await configFolder(provider.kinds)
  ;[one, two] = [`one-${randomUUID()}`, `two-${randomUUID()}`]
  const log = new RecordedLog()
  const senders = new Senders({ ...provider, nowMs: clock.nowMs, warn: (_app, message) => log.warn(message) })
  running = new DeliveringRoutes({
    concurrency: 10,
    queue: store.queue,
    deadPushkeys: store.deadPushkeys,
    deduplication: store.deduplication,
    identities: store.identities,
    deadLetterShare: new DeadLetterShare({ ...store, nowMs: clock.nowMs }),
    metrics: new Metrics('0.0.0-test').delivery,
    activity: new Activity(clock.nowMs),
    log,
    nowMs: clock.nowMs,
    random: () => 0,
    openSender: (route, proxy) => senders.open({ ...route, concurrency: 10 }, proxy),
  })
})
afterEach(async () => {
  await running.close()
  await folder[Symbol.asyncDispose]()
})

/** Runs these apps from now on, each with the label of its sender; `changed` are opened anew. */
async function apply(labels: Record<string, string>, changed: readonly string[] = []): Promise<void> {
  const apps = Object.entries(labels).map(([name, label]) => [name, { type: 'steered', label }] as const)
  const config = await folder.load(`apps: ${JSON.stringify(Object.fromEntries(apps))}`)
  return running.apply(config, new Set(changed))
}

async function add(route: string, pushkey: string): Promise<void> {
  await store.queue.add([createDelivery({ route, target: new Secret(pushkey), acceptedAtMs: clock.ms })])
}

const happened = (event: string) => until(`"${event}" happens`, () => provider.events.includes(event))
const isOver = (route: string) =>
  until('all of it is over', async () => {
    const { waiting, active, delayed } = await store.queue.depth(route)
    return waiting + active + delayed === 0
  })

it('what is stored for a route is sent by its own sender', async () => {
  await apply({ [one]: 'a', [two]: 'b' })
  await add(one, 'key-1')
  await add(two, 'key-2')
  for (const event of ['send key-1 by a', 'send key-2 by b']) await happened(event)
  await isOver(one)
})

it('a route that did not change keeps its sender', async () => {
  await apply({ [one]: 'a' })
  await apply({ [one]: 'a', [two]: 'b' })
  expect(provider.events).toEqual(['open a', 'open b'])
})

it('a sender that does not open changes nothing: the old ones go on, and what was opened for the new is closed', async () => {
  await apply({ [one]: 'a' })
  provider.opening = async (label) => {
    if (label === 'bad') throw new Error('its key cannot be read')
  }
  await expect(apply({ [one]: 'b', [two]: 'bad' }, [one])).rejects.toThrow('its key cannot be read')
  expect(provider.events).toEqual(['open a', 'open b', 'close b'])
  await add(one, 'key')
  await add(two, 'other')
  await happened('send key by a')
  expect(await store.queue.depth(two)).toMatchObject({ waiting: 1 })
})

it('the new sender takes over while the old one finishes what it has, and only then is the old one closed', async () => {
  const answer = createGate<Outcome>()
  provider.answer = (label) => (label === 'old' ? answer.passed : Promise.resolve({ kind: 'delivered' }))
  await apply({ [one]: 'old' })
  await add(one, 'first')
  await happened('send first by old')
  const applied = apply({ [one]: 'new' }, [one])
  await happened('open new')
  await add(one, 'second')
  await happened('send second by new')
  expect(provider.events).not.toContain('close old')
  answer.open({ kind: 'delivered' })
  await applied
  expect(provider.events.at(-1)).toBe('close old')
  await isOver(one)
})

it('a route that is removed finishes what it has on its way, then its sender is closed; what waits for it stays', async () => {
  const answer = createGate<Outcome>()
  provider.answer = () => answer.passed
  await apply({ [one]: 'a', [two]: 'b' })
  await add(one, 'first')
  await happened('send first by a')
  const applied = apply({ [two]: 'b' })
  answer.open({ kind: 'delivered' })
  await applied
  expect(provider.events).toEqual(['open a', 'open b', 'send first by a', 'close a'])
  await isOver(one)
  await add(one, 'second')
  await add(two, 'other')
  await happened('send other by b')
  expect(await store.queue.depth(one)).toMatchObject({ waiting: 1 })
  await apply({ [one]: 'again', [two]: 'b' })
  await happened('send second by again')
})

it('a route whose credential was refused tries at once with the new one', async () => {
  provider.answer = async (label) =>
    label === 'old' ? { kind: 'blocked', reason: 'ExpiredProviderToken' } : { kind: 'delivered' }
  await apply({ [one]: 'old' })
  await add(one, 'key')
  await until('the route is blocked', () => running.isBlocked(one))
  await apply({ [one]: 'new' }, [one])
  await happened('send key by new')
  await until('the route works', () => !running.isBlocked(one))
})

it('when everything is closed, what is on its way is finished first, and each sender is closed once', async () => {
  const answer = createGate<Outcome>()
  provider.answer = () => answer.passed
  await apply({ [one]: 'a', [two]: 'b' })
  await add(one, 'key')
  await happened('send key by a')
  const closed = running.close()
  answer.open({ kind: 'delivered' })
  await closed
  expect(provider.events.slice(3).toSorted()).toEqual(['close a', 'close b'])
  await isOver(one)
})

it('tells when the credential of a route runs out, of those that do', async () => {
  await apply({ [one]: '1790000000000', [two]: 'b' })
  expect([running.credentialExpiresAtMs(one), running.credentialExpiresAtMs(two)]).toEqual([
    1_790_000_000_000,
    undefined,
  ])
})
