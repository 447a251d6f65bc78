/** `coalesce` and `release_every`: when pushes leave, on both stores, seen from outside. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { metricValue, startGateway, type TestGateway } from '../helpers/gateway.ts'
import { createHushgateFolder, startHushgate } from '../helpers/hushgate-process.ts'
import { newPushkey, startPushServices, type PushServices, type ReceivedPush } from '../helpers/push-services.ts'
import { until } from '../helpers/received.ts'
import { startStores, STORES, type TestStores } from '../helpers/stores.ts'
import { HUSHGATE_KEY } from '../sealed/random-pushes.ts'
import { pushTo } from '../helpers/homeserver.ts'

const APPS = { apns: 'com.example.ios', fcm: 'com.example.android' } as const
const SERVICES = ['apns', 'fcm'] as const
type Service = (typeof SERVICES)[number]
const DAY_MS = 24 * 3600_000

let services: PushServices
let stores: TestStores
beforeAll(async () => {
  ;[services, stores] = await Promise.all([startPushServices(), startStores()])
})
afterAll(async () => {
  await Promise.all([services[Symbol.asyncDispose](), stores.stop()])
})

let eventNumber = 0
const event = (more: object = {}) => ({
  event_id: `$timing-${(eventNumber += 1)}`,
  room_id: '!room:example.org',
  prio: 'high',
  ...more,
})

/** Both apps with these settings. */
function appsWith(settings: string): string {
  return services.appsYaml.replaceAll(/( +)(type: (?:apns|fcm))/g, `$1$2\n$1${settings}`)
}

it.each(STORES)('on %s the last push of a window survives that the gateway is killed', async (store) => {
  await using folder = await createHushgateFolder()
  await folder.configure({ store: stores.section(store), appsYaml: appsWith('coalesce: 5s') })
  const { token, apns } = newPushkey()
  const startMs = Date.now()
  {
    await using gateway = startHushgate(['serve'], { folder: folder.path })
    const { notify } = await gateway.running()
    for (let unread = 1; unread <= 3; unread += 1) {
      const notification = event({ counts: { unread }, devices: [{ app_id: APPS.apns, pushkey: apns }] })
      expect((await pushTo(notify, notification)).status).toBe(200)
    }
    await services.waitFor(token, 1)
    gateway.signal('SIGKILL')
    await gateway.ended
  }
  await using _gateway = startHushgate(['serve'], { folder: folder.path })
  // The first may come again: it was killed before it knew that it had been taken.
  const badgeOf = ({ body }: ReceivedPush) => /"badge":(\d)/.exec(JSON.stringify(body))?.[1]
  await until('the last one has come', () => services.of(token).some((push) => badgeOf(push) === '3'))
  const last = services.of(token).at(-1)
  expect((last?.atMs ?? 0) - startMs).toBeGreaterThanOrEqual(5000)
  expect(new Set(services.of(token).map(badgeOf))).toEqual(new Set(['1', '3']))
})

describe.each(STORES)('on %s', (store) => {
  let gateway: TestGateway
  let folder: string
  let section: string
  let aheadMs: number
  let standsAtMs: number | undefined
  const nowMs = () => standsAtMs ?? Date.now() + aheadMs
  const start = async (settings: string) => {
    gateway = await startGateway({ store: section, appsYaml: appsWith(settings), folder, nowMs })
  }
  /** No time passes for the gateway meanwhile: what is to come within a window, or before a tick, does so on a busy machine, too. */
  const atOnce = async (work: () => Promise<unknown>, atMs = nowMs()): Promise<void> => {
    standsAtMs = atMs
    await work()
    aheadMs = atMs - Date.now()
    standsAtMs = undefined
  }
  /** The same just after a tick, so that all of it waits for the next one; resolves with that. */
  const afterTick = async (everyMs: number, work: () => Promise<unknown>): Promise<number> => {
    const tickMs = Math.ceil(nowMs() / everyMs) * everyMs
    await atOnce(work, tickMs + 1)
    return tickMs + everyMs
  }

  beforeEach(async () => {
    aheadMs = 0
    standsAtMs = undefined
    section = stores.section(store)
    folder = await mkdtemp(join(tmpdir(), 'hushgate-timing-'))
  })
  afterEach(async () => {
    await gateway.close()
    await rm(folder, { recursive: true })
  })

  const post = async (service: Service, pushkey: string, about: object, data: object = {}) => {
    const answer = await gateway.notify({ ...about, devices: [{ app_id: APPS[service], pushkey, data }] })
    expect(answer).toEqual({ status: 200, json: { rejected: [] } })
  }
  const outcomes = async (service: Service, outcome: string) =>
    metricValue(await gateway.metrics(), 'hushgate_outcomes_total', { app: APPS[service], outcome }) ?? 0
  const inStore = async (service: Service, state: string) =>
    metricValue(await gateway.metrics(), 'hushgate_queue_deliveries', { app: APPS[service], state })
  const allSettled = (service: Service) =>
    until('everything has left', async () => {
      const states = ['waiting', 'delayed', 'active'].map((state) => inStore(service, state))
      return (await Promise.all(states)).every((count) => count === 0)
    })

  describe('coalesce', () => {
    it.each(SERVICES)(
      'sends the first at once, and of the rest the last at the end of the window (%s)',
      async (service) => {
        await start('coalesce: 3s')
        const key = newPushkey()
        const startMs = Date.now()
        await atOnce(async () => {
          for (let unread = 1; unread <= 5; unread += 1)
            await post(service, key[service], event({ counts: { unread } }))
        })
        await services.waitFor(key.token, 1)
        expect(services.of(key.token)).toHaveLength(1)
        const [first, last] = await services.waitFor(key.token, 2)
        expect((last?.atMs ?? 0) - startMs).toBeGreaterThanOrEqual(3000)
        await allSettled(service)
        expect(services.of(key.token)).toHaveLength(2)
        expect(await outcomes(service, 'delivered')).toBe(2)
        expect(await outcomes(service, 'coalesced')).toBe(3)
        if (service === 'fcm') return
        expect([first?.body, last?.body]).toMatchObject([{ aps: { badge: 1 } }, { aps: { badge: 5 } }])
        const [shown, shownLast] = [first, last].map((push) => Number(push?.headers['apns-expiration']))
        expect((shownLast ?? 0) - (shown ?? 0)).toBe(3)
      },
    )

    it('sends two of five that come at once', async () => {
      await start('coalesce: 2s')
      const { token, apns } = newPushkey()
      await atOnce(() => Promise.all(Array.from({ length: 5 }, () => post('apns', apns, event()))))
      await services.waitFor(token, 2)
      await allSettled('apns')
      expect(services.of(token)).toHaveLength(2)
    })

    it('begins anew after a window in which nothing came', async () => {
      await start('coalesce: 1s')
      const { token, apns } = newPushkey()
      await post('apns', apns, event())
      const [first] = await services.waitFor(token, 1)
      await until('the window is over', () => Date.now() > (first?.atMs ?? 0) + 1000)
      await post('apns', apns, event())
      await services.waitFor(token, 2)
      expect(await outcomes('apns', 'coalesced')).toBe(0)
    })

    it('sends an event once that is posted twice at once within a window', async () => {
      await start('coalesce: 2s')
      const { token, apns } = newPushkey()
      const again = event()
      await atOnce(async () => {
        await post('apns', apns, event())
        await Promise.all(Array.from({ length: 6 }, () => post('apns', apns, again)))
      })
      await services.waitFor(token, 2)
      await allSettled('apns')
      expect(services.of(token)).toHaveLength(2)
    })

    it('reaches a device that registered again while its last push waited and its pushkey was called dead', async () => {
      await start('coalesce: 3s')
      const { token, apns } = newPushkey('d1000.rUnregistered.n1')
      for (const pushkey_ts of [1000, Math.floor(Date.now() / 1000) + 3600])
        await gateway.notify({ ...event(), devices: [{ app_id: APPS.apns, pushkey: apns, pushkey_ts }] })
      expect(await services.waitFor(token, 2)).toMatchObject([{ status: 410 }, { status: 200 }])
    })

    it('does not let the last push of a registration that is dead stand for one of a registration that is not', async () => {
      await start('coalesce: 3s')
      const { token, apns } = newPushkey('d1000.rUnregistered.n1')
      for (const pushkey_ts of [1000, Math.floor(Date.now() / 1000) + 3600, 1000])
        await gateway.notify({ ...event(), devices: [{ app_id: APPS.apns, pushkey: apns, pushkey_ts }] })
      expect(await services.waitFor(token, 2)).toMatchObject([{ status: 410 }, { status: 200 }])
    })

    it('loses nothing that waits with an app that has been given another name', async () => {
      await start('coalesce: 3s')
      const { token, apns } = newPushkey()
      for (let unread = 1; unread <= 3; unread += 1) await post('apns', apns, event({ counts: { unread } }))
      await gateway.reload({ appsYaml: appsWith('coalesce: 3s').replace(`${APPS.apns}:`, 'com.example.io*:') })
      for (let unread = 4; unread <= 5; unread += 1) await post('apns', apns, event({ counts: { unread } }))
      await until('the last one has come', () =>
        services.of(token).some(({ body }) => JSON.stringify(body).includes('"badge":5')),
      )
    })

    it('lets nothing wait longer than the window when the clock is set back, or the window is made shorter', async () => {
      await start('coalesce: 10m')
      const early = [event(), event({ prio: 'low' }), { counts: { unread: 0 } }].map((next) => ({
        ...newPushkey(),
        next,
      }))
      const long = { ...newPushkey(), next: event() }
      aheadMs = 3600_000
      for (const { apns } of early) await post('apns', apns, event())
      aheadMs = 0
      for (let count = 1; count <= 2; count += 1) await post('apns', long.apns, event())
      const all = [...early, long]
      await Promise.all(all.map(({ token }) => services.waitFor(token, 1)))
      await gateway.reload({ appsYaml: appsWith('coalesce: 1s') })
      await Promise.all(all.map(({ apns, next }) => post('apns', apns, next)))
      await Promise.all(all.map(({ token }) => services.waitFor(token, 2)))
    })

    it('does not take a silent push for one that rings, nor one account of a phone for the other', async () => {
      await start('coalesce: 10m')
      const { token, apns } = newPushkey()
      const data = { default_payload: { session_id: 'other' } }
      await post('apns', apns, event({ prio: 'low' }))
      await post('apns', apns, event())
      await post('apns', apns, event(), data)
      await post('apns', apns, event({ prio: 'low' }), data)
      await services.waitFor(token, 4)
    })

    it('leaves the latest badge on the phone when a push rings while a silent one waits, and the other way round', async () => {
      await start('coalesce: 3s')
      const [rings, silent] = [newPushkey(), newPushkey()]
      await atOnce(async () => {
        for (const [index, prio] of (['low', 'low', 'high'] as const).entries())
          await post('apns', rings.apns, event({ prio, counts: { unread: index } }))
        for (const [index, prio] of (['high', 'high', 'low'] as const).entries())
          await post('apns', silent.apns, event({ prio, counts: { unread: index } }))
      })
      await Promise.all([services.waitFor(rings.token, 2), services.waitFor(silent.token, 3)])
      await allSettled('apns')
      const badges = (token: string) => services.of(token).map(({ body }) => body)
      expect(badges(rings.token)).toMatchObject([0, 2].map((badge) => ({ aps: { badge } })))
      expect(badges(silent.token)).toMatchObject([0, 1, 2].map((badge) => ({ aps: { badge } })))
    })

    it('leaves the latest badge on the phone, whether an event or a read receipt told it last', async () => {
      await start('coalesce: 2s')
      const [read, unread] = [newPushkey(), newPushkey()]
      await atOnce(async () => {
        for (const count of [1, 2]) await post('apns', read.apns, event({ counts: { unread: count } }))
        await post('apns', read.apns, { counts: { unread: 0 } })
        await post('apns', unread.apns, event({ counts: { unread: 1 } }))
        await post('apns', unread.apns, event({ counts: { unread: 2 } }))
        await post('apns', unread.apns, { counts: { unread: 0 } })
        await post('apns', unread.apns, event({ counts: { unread: 7 } }))
      })
      await Promise.all([services.waitFor(read.token, 3), services.waitFor(unread.token, 2)])
      await allSettled('apns')
      const badges = (token: string) => services.of(token).map(({ body }) => body)
      expect(badges(read.token)).toMatchObject([1, 2, 0].map((badge) => ({ aps: { badge } })))
      expect(badges(unread.token)).toMatchObject([1, 7].map((badge) => ({ aps: { badge } })))
    })
  })

  describe('release_every', () => {
    it('lets pushes leave on the tick, in another order than they came, and shows nothing of when that was', async () => {
      await start('release_every: 5s')
      const startMs = Date.now()
      const keys = Array.from({ length: 16 }, () => newPushkey())
      const tickMs = await afterTick(5000, async () => {
        for (const [index, key] of keys.entries())
          await post(index % 2 === 0 ? 'apns' : 'fcm', key[index % 2 === 0 ? 'apns' : 'fcm'], event())
      })
      const pushes = (await Promise.all(keys.map(({ token }) => services.waitFor(token, 1)))).flat()
      for (const { atMs } of pushes) expect(atMs - startMs).toBeGreaterThanOrEqual(4999)
      const came = keys.map(({ token }) => token)
      const left = services.received.map(({ token }) => token).filter((token) => came.includes(token))
      expect(left).not.toEqual(came)
      const shown = pushes.flatMap(({ service, headers }) => (service === 'apns' ? headers['apns-expiration'] : []))
      expect(new Set(shown)).toEqual(new Set([String(Math.floor((tickMs + DAY_MS) / 1000))]))
    })

    it('keeps the order of what one device gets, so that the latest badge is shown', async () => {
      await start('release_every: 2s')
      const { token, apns } = newPushkey()
      await afterTick(2000, async () => {
        for (let unread = 1; unread <= 5; unread += 1) await post('apns', apns, event({ counts: { unread } }))
        await post('apns', apns, { counts: { unread: 0 } })
      })
      const pushes = await services.waitFor(token, 6)
      expect(pushes.map(({ body }) => body)).toMatchObject([1, 2, 3, 4, 5, 0].map((badge) => ({ aps: { badge } })))
      await afterTick(2000, async () => {
        await post('apns', apns, { counts: { unread: 3 } })
        await post('apns', apns, event({ counts: { unread: 4 } }))
      })
      await services.waitFor(token, 7)
      await allSettled('apns')
      expect(services.of(token).slice(6)).toMatchObject([{ body: { aps: { badge: 4 } } }])
    })

    it.each([
      ['privacy: event_id_only', {}],
      ['privacy: full', {}],
      ['sealed: required', { hushgate_key: HUSHGATE_KEY }],
    ])('sends no older badge after an event that tells a newer number (%s)', async (setting, data) => {
      await start(`release_every: 2s\n    ${setting}`)
      const { token, apns } = newPushkey()
      await afterTick(2000, async () => {
        await post('apns', apns, { counts: { unread: 0 } }, data)
        await post('apns', apns, event({ type: 'm.room.message', counts: { unread: 4 } }), data)
      })
      await services.waitFor(token, 1)
      await allSettled('apns')
      expect(await outcomes('apns', 'superseded')).toBe(1)
      expect(services.of(token)).toHaveLength(1)
    })
  })

  it('lets calls and the test push of apps leave at once, whatever the settings', async () => {
    await start('coalesce: 10m\n    release_every: 10m')
    const { token, apns } = newPushkey()
    await afterTick(600_000, async () => {
      for (const about of [event(), event({ type: 'm.call.invite' }), event({ event_id: '$THIS_IS_A_FAKE_EVENT_ID' })])
        await post('apns', apns, about)
    })
    const pushes = await services.waitFor(token, 2)
    expect(pushes.filter(({ body }) => JSON.stringify(body).includes('FAKE_EVENT_ID'))).toHaveLength(1)
    await until('the other one waits', async () => (await inStore('apns', 'delayed')) === 1)
  })
})
