/** What happens to a notification: what docs/decisions.md says, on both stores, seen from outside. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { metricValue, startGateway, type TestGateway, type TestGatewayOptions } from '../helpers/gateway.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'
import { until } from '../helpers/received.ts'
import { startStores, STORES, type TestStores } from '../helpers/stores.ts'

const IOS = 'com.example.ios'
const ANDROID = 'com.example.android'
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
  event_id: `$event-${(eventNumber += 1)}`,
  room_id: '!room:example.org',
  prio: 'high',
  ...more,
})
const seconds = (ms: number) => Math.floor(ms / 1000)

describe.each(STORES)('on %s', (store) => {
  let gateway: TestGateway
  let folder: string
  let section: string
  let clockMs: number | undefined
  const nowMs = () => clockMs ?? Date.now()
  const start = async (more: Partial<TestGatewayOptions> = {}) => {
    gateway = await startGateway({ store: section, appsYaml: services.appsYaml, folder, nowMs, ...more })
  }

  beforeEach(async () => {
    clockMs = undefined
    section = stores.section(store)
    folder = await mkdtemp(join(tmpdir(), 'hushgate-semantics-'))
    await start()
  })
  afterEach(async () => {
    await gateway.close()
    await rm(folder, { recursive: true })
  })

  const ios = (apns: string, more: object = {}) => ({ devices: [{ app_id: IOS, pushkey: apns, ...more }] })
  const android = (fcm: string, more: object = {}) => ({ devices: [{ app_id: ANDROID, pushkey: fcm, ...more }] })
  const outcomes = async (app: string, outcome: string) =>
    metricValue(await gateway.metrics(), 'hushgate_outcomes_total', { app, outcome }) ?? 0
  const settled = (app: string, outcome: string, count: number) =>
    until(`${count} deliveries of ${app} are ${outcome}`, async () => (await outcomes(app, outcome)) >= count)

  const givenUp = (count: number) =>
    until(`${count} are kept for the operator`, async () => {
      const labels = { app: IOS, state: 'dead' }
      return metricValue(await gateway.metrics(), 'hushgate_queue_deliveries', labels) === count
    })

  describe('a push that is stored', () => {
    it('is answered 200 with nothing rejected, and delivered', async () => {
      const { token, apns } = newPushkey()
      expect(await gateway.notify({ ...event(), ...ios(apns) })).toEqual({ status: 200, json: { rejected: [] } })
      const [push] = await services.waitFor(token, 1)
      expect(push).toMatchObject({
        status: 200,
        headers: { 'apns-topic': 'com.example.app', 'apns-priority': '10' },
        body: { aps: { alert: { 'loc-key': 'Notification' }, 'mutable-content': 1, sound: 'default' } },
      })
    })

    it('goes to each device of the request', async () => {
      const [phone, tablet] = [newPushkey(), newPushkey()]
      await gateway.notify({ ...event(), devices: [...ios(phone.apns).devices, ...android(tablet.fcm).devices] })
      await services.waitFor(phone.token, 1)
      const [push] = await services.waitFor(tablet.token, 1)
      expect(push?.body).toMatchObject({ data: { sync: '1' }, android: { priority: 'high' } })
    })

    it('is retried by us when the push service asks for it, under the same apns-id, no sooner than Retry-After', async () => {
      const { token, apns } = newPushkey('s503.a1.n1')
      const startedMs = Date.now()
      expect((await gateway.notify({ ...event(), ...ios(apns) })).status).toBe(200)
      const [first, second] = await services.waitFor(token, 2)
      expect(Date.now() - startedMs).toBeGreaterThanOrEqual(1000)
      expect([first?.status, second?.status]).toEqual([503, 200])
      expect(second?.headers['apns-id']).toBe(first?.headers['apns-id'])
      expect(second?.headers['apns-collapse-id']).toBe(first?.headers['apns-collapse-id'])
    })

    it('that waits when the gateway is stopped is delivered after it was started again', async () => {
      const { token, apns } = newPushkey('s503.a2.n1')
      await gateway.notify({ ...event(), ...ios(apns) })
      await services.waitFor(token, 1)
      await gateway.close()
      await start()
      expect(await services.waitFor(token, 2)).toMatchObject([{ status: 503 }, { status: 200 }])
    })

    it('that expired meanwhile is not sent, and kept for the operator', async () => {
      const { token, apns } = newPushkey('s503.a1')
      await gateway.notify({ ...event(), ...ios(apns) })
      await services.waitFor(token, 1)
      clockMs = Date.now() + DAY_MS
      await givenUp(1)
      expect((await gateway.admin('/api/v1/dead')).json).toMatchObject({
        dead: [{ app: IOS, reason: expect.stringMatching(/^expired/) }],
      })
    })
  })

  describe('a pushkey known dead', () => {
    const kill = async (more: object = {}) => {
      const key = newPushkey('rUnregistered')
      expect(await gateway.notify({ ...event(), ...ios(key.apns, more) })).toEqual({
        status: 200,
        json: { rejected: [] },
      })
      await settled(IOS, 'rejected', 1)
      return key
    }

    it('is told at the next request, counts-only requests too, and nothing is sent', async () => {
      const { token, apns } = await kill()
      for (const about of [event(), { counts: { unread: 1 } }, event()])
        expect(await gateway.notify({ ...about, ...ios(apns) })).toEqual({ status: 200, json: { rejected: [apns] } })
      expect(services.of(token)).toHaveLength(1)
    })

    it('is still known after a restart', async () => {
      const { apns } = await kill()
      await gateway.close()
      await start()
      expect((await gateway.notify({ ...event(), ...ios(apns) })).json).toEqual({ rejected: [apns] })
    })

    it('is only rejected for its own app, and leaves other devices of the request alone', async () => {
      const { apns } = await kill()
      const other = newPushkey()
      const answer = await gateway.notify({
        ...event(),
        devices: [...ios(apns).devices, ...ios(other.apns).devices, ...android(apns).devices],
      })
      expect(answer.json).toEqual({ rejected: [apns] })
      await services.waitFor(other.token, 1)
    })

    it('is revived by a pushkey_ts that is newer than its death, once per pushkey_ts', async () => {
      const registered = { pushkey_ts: seconds(Date.now()) - 3600 }
      const { token, apns } = await kill(registered)
      expect((await gateway.notify({ ...event(), ...ios(apns, registered) })).json).toEqual({ rejected: [apns] })
      const again = { pushkey_ts: seconds(Date.now()) + 5 }
      expect((await gateway.notify({ ...event(), ...ios(apns, again) })).json).toEqual({ rejected: [] })
      await services.waitFor(token, 2)
      await settled(IOS, 'rejected', 2)
      expect((await gateway.notify({ ...event(), ...ios(apns, again) })).json).toEqual({ rejected: [apns] })
    })

    it('is not revived by counts', async () => {
      const { apns } = await kill()
      const later = { pushkey_ts: seconds(Date.now()) + 3600 }
      expect((await gateway.notify({ counts: { unread: 1 }, ...ios(apns, later) })).json).toEqual({ rejected: [apns] })
    })

    it('without pushkey_ts is rejected for a day; then one push goes as a probe, and a delivered one forgets that it was dead', async () => {
      const { token, apns } = newPushkey('rUnregistered.n1')
      await gateway.notify({ ...event(), ...ios(apns) })
      await settled(IOS, 'rejected', 1)
      expect((await gateway.notify({ ...event(), ...ios(apns) })).json).toEqual({ rejected: [apns] })
      clockMs = Date.now() + DAY_MS + 1000
      expect((await gateway.notify({ ...event(), ...ios(apns) })).json).toEqual({ rejected: [] })
      await services.waitFor(token, 1, 200)
      await settled(IOS, 'delivered', 1)
      expect((await gateway.notify({ ...event(), ...ios(apns) })).json).toEqual({ rejected: [] })
    })
  })

  describe('the breaker', () => {
    const push = (key: { apns: string }) => gateway.notify({ ...event(), ...ios(key.apns) })
    // It takes 20 of them; Redis counts to about one in a hundred (HyperLogLog), so some more.
    const trip = async () => {
      const keys = Array.from({ length: 25 }, () => newPushkey('rDeviceTokenNotForTopic.n1'))
      await Promise.all(keys.map(push))
      await settled(IOS, 'rejected', 25)
      return keys
    }
    const suspected = async () => metricValue(await gateway.metrics(), 'hushgate_rejections_suspected', { app: IOS })

    it('reports no pushkey when most of an app are called dead at once; they are still tried, and the operator is alarmed', async () => {
      const keys = await trip()
      expect(await suspected()).toBe(1)
      expect(gateway.log()).toContain('Most pushkeys of this app were called dead')
      for (const key of keys) expect((await push(key)).json).toEqual({ rejected: [] })
      for (const key of keys) await services.waitFor(key.token, 1, 200)
    })

    it('goes on alarming after a reload and after a restart, as it goes on holding them back', async () => {
      await trip()
      await gateway.reload({})
      expect(await suspected()).toBe(1)
      await gateway.close()
      await start()
      expect(await suspected()).toBe(1)
    })

    it('lets a delivery to one of them prove that it lives', async () => {
      const [key] = await trip()
      if (key === undefined) throw new Error('no key')
      await push(key)
      await settled(IOS, 'delivered', 1)
      await gateway.admin('/api/v1/rejections', { app: IOS, verdict: 'confirm' })
      expect((await push(key)).json).toEqual({ rejected: [] })
    })

    it('reports them once the operator confirms', async () => {
      const [key] = await trip()
      expect((await gateway.admin('/api/v1/rejections', { app: IOS, verdict: 'confirm' })).json).toEqual({
        released: 1,
      })
      expect(key && (await push(key)).json).toEqual({ rejected: [key?.apns] })
      expect(await suspected()).toBe(0)
    })

    it('forgets them when the operator discards them', async () => {
      const [key] = await trip()
      await gateway.admin('/api/v1/rejections', { app: IOS, verdict: 'discard' })
      expect(key && (await push(key)).json).toEqual({ rejected: [] })
      expect((await gateway.admin('/api/v1/rejections')).json).toEqual({ suspected: [] })
    })

    it('stays quiet when more pushkeys live', async () => {
      const alive = Array.from({ length: 30 }, () => newPushkey())
      await Promise.all(alive.map(push))
      await settled(IOS, 'delivered', 30)
      const [key] = await trip()
      expect(key && (await push(key)).json).toEqual({ rejected: [key?.apns] })
    })
  })

  describe('an app_id that is not configured', () => {
    it('is dropped, counted and logged', async () => {
      expect(
        await gateway.notify({ ...event(), devices: [{ app_id: 'com.example.unknown-CANARY', pushkey: 'x' }] }),
      ).toEqual({ status: 200, json: { rejected: [] } })
      expect(metricValue(await gateway.metrics(), 'hushgate_devices_received_total', { app: '_unknown' })).toBe(1)
      expect(gateway.log()).toContain('app_id that is not configured')
      expect(gateway.log()).not.toContain('CANARY')
    })

    it('is rejected with unknown_app: reject, as Sygnal does', async () => {
      await gateway.close()
      await start({ settings: 'unknown_app: reject' })
      expect((await gateway.notify({ ...event(), devices: [{ app_id: 'other', pushkey: 'x' }] })).json).toEqual({
        rejected: ['x'],
      })
    })
  })

  describe('the same event for the same device again', () => {
    it('is answered 200 and sent once, also after a restart', async () => {
      const { token, apns } = newPushkey()
      const same = { ...event(), ...ios(apns) }
      await gateway.notify(same)
      await services.waitFor(token, 1)
      expect((await gateway.notify(same)).json).toEqual({ rejected: [] })
      await gateway.close()
      await start()
      await gateway.notify(same)
      expect(
        metricValue(await gateway.metrics(), 'hushgate_devices_received_total', { app: IOS, intake: 'duplicate' }),
      ).toBe(1)
      expect(services.of(token)).toHaveLength(1)
    })

    it('posted ten times at once is sent once', async () => {
      const { token, apns } = newPushkey()
      const same = { ...event(), ...ios(apns) }
      await Promise.all(Array.from({ length: 10 }, () => gateway.notify(same)))
      const handled = async () =>
        (await outcomes(IOS, 'delivered')) +
        (await outcomes(IOS, 'duplicate')) +
        (metricValue(await gateway.metrics(), 'hushgate_devices_received_total', { app: IOS, intake: 'duplicate' }) ??
          0)
      await until('all ten are accounted for', async () => (await handled()) === 10)
      expect(services.of(token)).toHaveLength(1)
    })

    it('goes to each of two accounts on one phone, which differ in their pusher data', async () => {
      const { token, apns } = newPushkey()
      const about = event()
      for (const cs of ['one', 'two', 'one'])
        await gateway.notify({ ...about, ...ios(apns, { data: { default_payload: { cs } } }) })
      const pushes = await services.waitFor(token, 2)
      expect(pushes.map(({ body }) => body)).toMatchObject([{ cs: 'one' }, { cs: 'two' }])
      expect(
        metricValue(await gateway.metrics(), 'hushgate_devices_received_total', { app: IOS, intake: 'duplicate' }),
      ).toBe(1)
    })

    it('goes to another device, and under another pushkey, all the same', async () => {
      const [one, two] = [newPushkey(), newPushkey()]
      const about = event()
      await gateway.notify({ ...about, ...ios(one.apns) })
      await gateway.notify({ ...about, ...ios(two.apns) })
      await services.waitFor(one.token, 1)
      await services.waitFor(two.token, 1)
    })
  })

  describe("the apps' test push", () => {
    it('is never deduplicated, keeps its public IDs in minimal mode, and has a fresh apns-id each time', async () => {
      const { token, apns } = newPushkey()
      const test = {
        event_id: '$THIS_IS_A_FAKE_EVENT_ID',
        room_id: '!room:domain',
        ...ios(apns, { data: { default_payload: { cs: 'A_FAKE_SECRET' } } }),
      }
      await gateway.notify(test)
      await gateway.notify(test)
      const [first, second] = await services.waitFor(token, 2)
      expect(first?.body).toMatchObject({
        event_id: '$THIS_IS_A_FAKE_EVENT_ID',
        room_id: '!room:domain',
        cs: 'A_FAKE_SECRET',
      })
      expect(second?.body).toEqual(first?.body)
      expect(second?.headers['apns-id']).not.toBe(first?.headers['apns-id'])
      expect(second?.headers['apns-collapse-id']).not.toBe(first?.headers['apns-collapse-id'])
    })
  })

  describe('a counts-only notification', () => {
    it.each([0, 3])('of %i becomes a badge on iOS and never an alert', async (unread) => {
      const { token, apns } = newPushkey()
      await gateway.notify({ id: '', type: null, sender: '', counts: { unread }, ...ios(apns) })
      const [push] = await services.waitFor(token, 1)
      expect(push?.body).toEqual({ aps: { badge: unread } })
    })

    it('is dropped for FCM, and counted', async () => {
      const { token, fcm } = newPushkey()
      expect((await gateway.notify({ counts: { unread: 1 }, ...android(fcm) })).status).toBe(200)
      expect(
        metricValue(await gateway.metrics(), 'hushgate_devices_received_total', {
          app: ANDROID,
          intake: 'nothing_to_send',
        }),
      ).toBe(1)
      expect(services.of(token)).toEqual([])
    })

    it('that a later one has overtaken is not sent', async () => {
      const { token, apns } = newPushkey('s503.a1.n1')
      await gateway.notify({ counts: { unread: 5 }, ...ios(apns) })
      await services.waitFor(token, 1)
      await gateway.notify({ counts: { unread: 0 }, ...ios(apns) })
      await settled(IOS, 'superseded', 1)
      expect(services.of(token).map(({ body, status }) => [body, status])).toEqual([
        [{ aps: { badge: 5 } }, 503],
        [{ aps: { badge: 0 } }, 200],
      ])
    })

    it('that may not be tried again before its time is over is not kept: a newer one will tell', async () => {
      await gateway.notify({ counts: { unread: 5 }, ...ios(newPushkey('s503.a100000').apns) })
      await settled(IOS, 'expired', 1)
      expect((await gateway.admin('/api/v1/dead')).json).toEqual({ dead: [] })
    })

    it('that a homeserver repeats has the same name at the push service', async () => {
      const { token, apns } = newPushkey()
      for (const [index, unread] of [4, 4, 5].entries()) {
        await gateway.notify({ counts: { unread }, ...ios(apns) })
        await services.waitFor(token, index + 1)
      }
      const [first, repeated, other] = services.of(token).map(({ headers }) => headers['apns-id'])
      expect([repeated === first, other === first]).toEqual([true, false])
    })

    // On Redis each configured name has a queue, and so an order, of its own.
    it('is sent after the operator gave its app another name', async () => {
      const { token, apns } = newPushkey()
      for (const unread of [1, 2, 3]) {
        await gateway.notify({ counts: { unread }, ...ios(apns) })
        await services.waitFor(token, unread)
      }
      await gateway.reload({ appsYaml: services.appsYaml.replace(`${IOS}:`, `${IOS.slice(0, -1)}?:`) })
      await gateway.notify({ counts: { unread: 0 }, ...ios(apns) })
      expect((await services.waitFor(token, 4)).at(-1)?.body).toEqual({ aps: { badge: 0 } })
    })
  })

  it('a notification with neither an event nor counts is answered 200, dropped and counted', async () => {
    const { token, apns } = newPushkey()
    expect(await gateway.notify(ios(apns))).toEqual({ status: 200, json: { rejected: [] } })
    expect(
      metricValue(await gateway.metrics(), 'hushgate_devices_received_total', { app: IOS, intake: 'nothing_to_send' }),
    ).toBe(1)
    expect(services.of(token)).toEqual([])
  })

  describe('what cannot be stored', () => {
    it('because the app has queue.high_water waiting is answered 503, and the other app is not touched', async () => {
      await gateway.close()
      await start({ settings: 'queue: { encryption_key_file: keys, high_water: 1 }' })
      const stuck = newPushkey('s503.a60')
      const once = () => gateway.post(JSON.stringify({ notification: { ...event(), ...ios(stuck.apns) } }))
      await gateway.notify({ ...event(), ...ios(stuck.apns) })
      await until('the app is full', async () => (await once()).status === 503)
      expect((await once()).json).toMatchObject({ errcode: 'M_UNKNOWN' })
      const { token, fcm } = newPushkey()
      expect((await gateway.notify({ ...event(), ...android(fcm) })).status).toBe(200)
      await services.waitFor(token, 1)
    })
  })

  describe('an app whose credential is refused', () => {
    const wrongKey = () => services.appsYaml.replace('team_id: SIMULATED2', 'team_id: WRONGTEAM1')

    it('stops, keeps what comes, delays nobody else, and resumes by itself when the credential works again', async () => {
      await gateway.reload({ appsYaml: wrongKey() })
      const keys = Array.from({ length: 5 }, () => newPushkey())
      for (const { apns } of keys) expect((await gateway.notify({ ...event(), ...ios(apns) })).status).toBe(200)
      await until(
        'the app is blocked',
        async () => metricValue(await gateway.metrics(), 'hushgate_app_blocked', { app: IOS }) === 1,
      )
      const other = newPushkey()
      await gateway.notify({ ...event(), ...android(other.fcm) })
      await services.waitFor(other.token, 1)
      await gateway.reload({ appsYaml: services.appsYaml })
      for (const { token } of keys) await services.waitFor(token, 1, 200)
      expect(metricValue(await gateway.metrics(), 'hushgate_app_blocked', { app: IOS })).toBe(0)
      expect(gateway.log()).toMatch(/refuses our credential[\s\S]*takes our credential again/)
    })
  })

  describe('a message that a push service will never take', () => {
    it('is neither resent nor rejected, but kept, listed, retried and dropped by the operator', async () => {
      const { token, apns } = newPushkey('s400.rBadMessageId.n1')
      await gateway.notify({ ...event(), ...ios(apns) })
      await givenUp(1)
      expect((await gateway.notify({ ...event(), ...ios(newPushkey().apns) })).json).toEqual({ rejected: [] })
      const list = await gateway.admin('/api/v1/dead')
      expect(list.json).toMatchObject({ dead: [{ app: IOS, reason: 'BadMessageId', attempts: 1 }] })
      expect((await gateway.admin('/api/v1/dead/retry', { app: IOS })).json).toEqual({ retried: 1 })
      await services.waitFor(token, 1, 200)
      expect((await gateway.admin('/api/v1/dead')).json).toEqual({ dead: [] })
      expect((await gateway.admin('/api/v1/dead/drop', { all: true })).json).toEqual({ dropped: 0 })
    })
  })
})
