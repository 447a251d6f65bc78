/** When canary pushes are sent, by which of several processes, and what is said of those that cannot be. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { CanaryConfig } from '../../src/config/config.ts'
import { Routes, type OpenRoute } from '../../src/config/routes.ts'
import { StoreUnavailableError } from '../../src/core/errors.ts'
import type { Notification } from '../../src/core/notification.ts'
import { TEST_PUSH } from '../../src/core/push.ts'
import { Secret } from '../../src/core/secret.ts'
import { Canaries, type CanariesParts } from '../../src/intake/canaries.ts'
import type { Marks } from '../../src/intake/prepared.ts'
import { Metrics } from '../../src/metrics/metrics.ts'
import { Clock } from '../helpers/clock.ts'
import { metricValue } from '../helpers/gateway.ts'
import { RecordedLog } from '../helpers/recorded-log.ts'
import { createRoute } from '../helpers/route.ts'
import { openTestStore, type TestStore } from '../helpers/sqlite-store.ts'

const EVERY_MS = 300_000

const clock = new Clock()
let store: TestStore
beforeAll(async () => {
  store = await openTestStore(clock.nowMs)
})
afterAll(() => store[Symbol.asyncDispose]())

interface Accepted extends Marks {
  readonly notification: Notification
}

let metrics: Metrics
let log: RecordedLog
let accepted: Accepted[]
beforeEach(() => {
  metrics = new Metrics('0.0.0-test')
  log = new RecordedLog()
  accepted = []
})

interface Process {
  readonly canaries: Canaries
  /** Its route and the queue's settings stay. */
  readonly configure: (canaries: readonly CanaryConfig[]) => void
}

function start(route: OpenRoute, accept: CanariesParts['intake']['accept'] = async () => []): Process {
  const intake: CanariesParts['intake'] = {
    accept: (notification, isGone, marks = {}) => {
      accepted.push({ notification, ...marks })
      return accept(notification, isGone, marks)
    },
  }
  const { memory } = store
  const canaries = new Canaries({ memory, intake, metrics: metrics.canaries, log, nowMs: clock.nowMs })
  const queue = { maxAgeMs: 3600_000, callMaxAgeMs: 60_000 }
  return {
    canaries,
    configure: (configured) => canaries.configure({ canaries: configured, routes: new Routes([route]), queue }),
  }
}

function canaryOf(route: OpenRoute): CanaryConfig {
  return {
    appId: route.app,
    route: route.name,
    pushkey: new Secret('the-pushkey'),
    data: new Secret('{"format":"event_id_only"}'),
    everyMs: EVERY_MS,
  }
}

async function pushesTold(): Promise<string> {
  return (await metrics.expose()).text
}

describe('a canary push', () => {
  it('is sent at once, and then once in each interval', async () => {
    const route = createRoute()
    const { canaries, configure } = start(route)
    configure([canaryOf(route)])
    await canaries.sendDue()
    await canaries.sendDue()
    expect(accepted).toHaveLength(1)
    clock.pass(EVERY_MS)
    await canaries.sendDue()
    await canaries.sendDue()
    expect(accepted).toHaveLength(2)
    canaries.stop()
    clock.pass(EVERY_MS)
    await canaries.sendDue()
    expect(accepted).toHaveLength(2)
  })

  it('is sent soon after the store could not take it', async () => {
    const route = createRoute()
    let isAway = true
    const { canaries, configure } = start(route, async () => {
      if (isAway) throw new StoreUnavailableError('not now')
      return []
    })
    configure([canaryOf(route)])
    await canaries.sendDue()
    isAway = false
    // A reload meanwhile does not put it off.
    configure([canaryOf(route)])
    await canaries.sendDue()
    expect(accepted).toHaveLength(1)
    clock.pass(60_000)
    await canaries.sendDue()
    await canaries.sendDue()
    canaries.stop()
    expect(accepted).toHaveLength(2)
  })

  it('is sent by one of several processes, also after a restart', async () => {
    const route = createRoute()
    for (let processes = 0; processes < 3; processes += 1) {
      const { canaries, configure } = start(route)
      configure([canaryOf(route)])
      await canaries.sendDue()
      canaries.stop()
    }
    expect(accepted).toHaveLength(1)
  })

  it('is a badge of 0 for the device, and worth delivering until the next one is due', async () => {
    const route = createRoute({ timing: { releaseEveryMs: 1000, coalesceMs: 2000 } })
    const { canaries, configure } = start(route)
    configure([canaryOf(route)])
    await canaries.sendDue()
    canaries.stop()
    const [push] = accepted
    expect(push?.notification).toMatchObject({ kind: 'counts', counts: { unread: 0 } })
    expect(push?.notification.devices).toMatchObject([{ appId: route.app, data: { format: 'event_id_only' } }])
    expect(push?.notification.devices[0]?.pushkey.reveal()).toBe('the-pushkey')
    expect(push?.canary).toEqual({ maxAgeMs: EVERY_MS + 3000 })
  })

  it("is the apps' own test push where the app sends no badges", async () => {
    const { render } = createRoute()
    const route = createRoute({
      render: (push, identity) =>
        push.kind === 'counts' ? { kind: 'nothing', reason: 'no badges' } : render(push, identity),
    })
    const { canaries, configure } = start(route)
    configure([canaryOf(route)])
    await canaries.sendDue()
    canaries.stop()
    expect(accepted[0]?.notification).toMatchObject({ kind: 'event', eventId: TEST_PUSH.eventId, prio: 'low' })
  })

  it.each<[string, () => Promise<readonly string[]>, string, readonly string[]]>([
    [
      'is counted as rejected where its pushkey is dead',
      async () => ['the-pushkey'],
      'rejected',
      ['A canary push is not sent: its pushkey is dead. Has the app on that device got another?'],
    ],
    [
      'is counted where the store does not take it',
      () => Promise.reject(new StoreUnavailableError('not now')),
      'not_stored',
      [],
    ],
  ])('%s', async (_what, accept, outcome, warnings) => {
    const route = createRoute()
    const { canaries, configure } = start(route, accept)
    metrics.configured({ routes: [route], hash: '', highWater: 1, canaries: [{ route, everyMs: EVERY_MS }] }, clock.ms)
    configure([canaryOf(route)])
    await canaries.sendDue()
    canaries.stop()
    expect(metricValue(await pushesTold(), 'hushgate_canary_pushes_total', { outcome })).toBe(1)
    expect(log.messages('warn')).toEqual(warnings)
  })

  it('is not sent where it would say nothing', async () => {
    const route = createRoute({ render: () => ({ kind: 'nothing', reason: 'nothing' }) })
    const { canaries, configure } = start(route)
    configure([canaryOf(route)])
    await canaries.sendDue()
    canaries.stop()
    expect(accepted).toEqual([])
    expect(log.messages('warn')).toHaveLength(1)
  })
})
