/** What goes wrong in Sygnal, hedwig, mattermost-push-proxy and gorush (docs/facts/peers.md#defects), and what Hushgate does instead, on both stores. */
import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { isJsonObject } from '../../src/core/json.ts'
import { createAuthority } from '../../src/simulators/certificate.ts'
import { startWebPushSimulator, type Subscription, type WebPushSimulator } from '../../src/simulators/webpush.ts'
import { freePort } from '../helpers/free-port.ts'
import { metricValue, startGateway, type TestGateway } from '../helpers/gateway.ts'
import { startProxy } from '../helpers/proxy.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'
import { until } from '../helpers/received.ts'
import { startStores, STORES, type TestStores } from '../helpers/stores.ts'

const IOS = 'com.example.ios'
const ANDROID = 'com.example.android'
const WEB = 'com.example.web'
/** synapse/http/client.py */
const SYNAPSE_GIVES_UP_SECONDS = 60

let services: PushServices
let stores: TestStores
let browsers: WebPushSimulator
let folder: string
let appsYaml: string

beforeAll(async () => {
  ;[services, stores] = await Promise.all([startPushServices(), startStores()])
  folder = await mkdtemp(join(tmpdir(), 'hushgate-defects-'))
  const authority = createAuthority()
  browsers = await startWebPushSimulator({ authority, hosts: ['push.fake.test'] })
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  await writeFile(join(folder, 'ca.pem'), authority.certificate)
  await writeFile(join(folder, 'vapid.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const [ios = '', android = ''] = services.appsYaml.split(`  ${IOS}:\n`)[1]?.split(`  ${ANDROID}:\n`) ?? []
  appsYaml = `apps:
  ${IOS}:
${ios}    privacy: event_id_only
  ${ANDROID}:
${android}    privacy: full
    badge_pushes: send
  ${WEB}:
    type: webpush
    vapid_private_key_file: ${JSON.stringify(join(folder, 'vapid.pem'))}
    vapid_subject: mailto:ops@example.org
    allowed_endpoints: [push.fake.test]
    endpoint: ${browsers.url}
    ca_file: ${JSON.stringify(join(folder, 'ca.pem'))}
`
})
afterAll(async () => {
  await Promise.all([services[Symbol.asyncDispose](), stores.stop(), browsers.close()])
  await rm(folder, { recursive: true })
})

let eventNumber = 0
const event = (more: object = {}) => ({
  event_id: `$event-${(eventNumber += 1)}`,
  room_id: '!room:example.org',
  prio: 'high',
  ...more,
})
const deviceOf = (appId: string, pushkey: string, data: object = {}) => ({ app_id: appId, pushkey, data })
const ios = (pushkey: string) => ({ devices: [deviceOf(IOS, pushkey)] })
const android = (pushkey: string) => ({ devices: [deviceOf(ANDROID, pushkey)] })
const webDevice = ({ p256dh, endpoint, auth }: Subscription, data: object = {}) =>
  deviceOf(WEB, p256dh, { endpoint, auth, ...data })
const browser = (name: string) => browsers.subscribe(name, { origin: 'https://push.fake.test' })
const ofBrowser = (name: string) => browsers.received.filter((push) => push.name === name)
const dataOf = (body: unknown): unknown => (isJsonObject(body) ? body['data'] : undefined)
const OK = { status: 200, json: { rejected: [] } }

/** The lines of Prometheus' text for one metric, as `[labels, value]`. */
function series(text: string, name: string): (readonly [string, number])[] {
  return [...text.matchAll(new RegExp(`^${name}(?:\\{(.*)\\})? (\\S+)$`, 'gm'))].map(
    ([, labels = '', value]) => [labels, Number(value)] as const,
  )
}

function sum(text: string, name: string): number {
  return series(text, name).reduce((total, [, value]) => total + value, 0)
}

describe.each(STORES)('on %s', (store) => {
  let gateway: TestGateway
  beforeEach(async () => {
    gateway = await startGateway({ store: stores.section(store), appsYaml })
  })
  afterEach(() => gateway.close())

  const metrics = () => gateway.metrics()
  const settled = (app: string, outcome: string, count: number) =>
    until(`${count} deliveries of ${app} are ${outcome}`, async () => {
      const value = metricValue(await metrics(), 'hushgate_outcomes_total', { app, outcome })
      return (value ?? 0) >= count
    })
  const refused = (count: number) =>
    until(
      `${count} attempts were refused`,
      async () => sum(await metrics(), 'hushgate_push_service_refusals_total') >= count,
    )

  describe('Sygnal', () => {
    it('2: says 200 after three failures of FCM and forgets the push, badges too; Hushgate goes on until it is delivered', async () => {
      const keys = ['s503.a1.n3', 's429.a1.n3'].map((script) => newPushkey(script))
      const badge = newPushkey('s503.a1.n3')
      for (const { fcm } of keys) expect(await gateway.notify({ ...event(), ...android(fcm) })).toEqual(OK)
      expect(await gateway.notify({ counts: { unread: 2 }, ...android(badge.fcm) })).toEqual(OK)
      await Promise.all([...keys, badge].map(({ token }) => services.waitFor(token, 1, 200)))
      for (const { token } of [...keys, badge]) expect(services.of(token)).toHaveLength(4)
    })

    it('3: retries within the request, longer than Synapse waits, so that an event comes twice; Hushgate answers at once and sends it once', async () => {
      const { token, fcm } = newPushkey('s429.a2.n2')
      const same = { ...event(), ...android(fcm) }
      expect(await gateway.notify(same)).toEqual(OK)
      // The push service has not taken it yet: that will be four seconds later.
      expect(services.of(token).filter(({ status }) => status === 200)).toEqual([])
      await services.waitFor(token, 1, 429)
      expect(await gateway.notify(same)).toEqual(OK)
      await services.waitFor(token, 1, 200)
      expect(await gateway.notify(same)).toEqual(OK)
      const after = newPushkey()
      await gateway.notify({ ...event(), ...android(after.fcm) })
      await services.waitFor(after.token, 1)
      expect(services.of(token).map(({ status }) => status)).toEqual([429, 429, 200])
    })

    it('4: answers 500 when APNs is away, and never retries; Hushgate keeps the push until APNs is back', async () => {
      const away = appsYaml.replace(/endpoint: \S+/, `endpoint: https://127.0.0.1:${await freePort()}`)
      await gateway.reload({ appsYaml: away })
      const { token, apns } = newPushkey()
      expect(await gateway.notify({ ...event(), ...ios(apns) })).toEqual(OK)
      await refused(2)
      await gateway.reload({ appsYaml })
      await services.waitFor(token, 1, 200)
    })

    it('5: never tells an FCM device that nothing is unread; Hushgate does', async () => {
      const { token, fcm } = newPushkey()
      await gateway.notify({ id: '', type: null, sender: '', counts: { unread: 0 }, ...android(fcm) })
      const [push] = await services.waitFor(token, 1, 200)
      expect(dataOf(push?.body)).toEqual({ prio: 'high', unread: '0' })
    })

    it('6: does not reject a pushkey that APNs calls expired; Hushgate does', async () => {
      const { token, apns } = newPushkey('s410.rExpiredToken')
      await gateway.notify({ ...event(), ...ios(apns) })
      await settled(IOS, 'rejected', 1)
      expect((await gateway.notify({ ...event(), ...ios(apns) })).json).toEqual({ rejected: [apns] })
      expect(services.of(token)).toHaveLength(1)
    })

    it('7: loses what it learned of other devices when one fails; Hushgate tells of the dead, sends to the living, and retries the rest', async () => {
      const dead = newPushkey('rUnregistered')
      await gateway.notify({ ...event(), ...ios(dead.apns) })
      await settled(IOS, 'rejected', 1)
      const [failing, living] = [newPushkey('s503.a1.n1'), newPushkey()]
      const devices = [failing.apns, dead.apns, 'no base64!', living.apns].map((pushkey) => deviceOf(IOS, pushkey))
      const rejected = [dead.apns, 'no base64!']
      expect(await gateway.notify({ ...event(), devices })).toEqual({ status: 200, json: { rejected } })
      await services.waitFor(living.token, 1, 200)
      await services.waitFor(failing.token, 1, 200)
    })

    it('8a: takes each error of Web Push for a success; Hushgate retries what may pass, and counts what will not', async () => {
      const passing = ['xs429.a1.n1', 'xs500.a1.n1', 'xs503.a1.n1'].map((script) => `${script}-${store}`)
      const final = ['xs400', 'xs413'].map((script) => `${script}-${store}`)
      for (const name of [...passing, ...final])
        expect(await gateway.notify({ ...event(), devices: [webDevice(browser(name))] })).toEqual(OK)
      await settled(WEB, 'delivered', passing.length)
      await settled(WEB, 'failed', final.length)
      for (const name of passing) expect(ofBrowser(name).at(-1)?.status).toBe(201)
    })

    it('8b: posts to whatever address a stranger names; Hushgate does not open a connection into its own network', async () => {
      const name = `inside-${store}`
      const device = webDevice(browsers.subscribe(name, { origin: browsers.url }))
      await gateway.notify({ ...event(), devices: [device] })
      await settled(WEB, 'rejected', 1)
      expect(ofBrowser(name)).toEqual([])
    })

    it('10: says text/html of its JSON, and 500 to "counts": null; Hushgate answers JSON, and takes null for absent', async () => {
      const path = `${gateway.url}/_matrix/push/v1/notify`
      const { token, fcm } = newPushkey()
      const body = JSON.stringify({ notification: { ...event({ counts: null, content: null }), ...android(fcm) } })
      const answers = await Promise.all([
        fetch(path, { method: 'POST', body }),
        fetch(path, { method: 'POST', body: 'null' }),
        fetch(path, { method: 'POST', body: 'x'.repeat(600_000) }),
        fetch(path, { method: 'PUT', body }),
        fetch(`${gateway.url}/nowhere`),
      ])
      expect(answers.map(({ status }) => status)).toEqual([200, 400, 413, 405, 404])
      for (const answer of answers) {
        expect(answer.headers.get('content-type')).toMatch(/^application\/json/)
        expect(isJsonObject(await answer.json())).toBe(true)
      }
      await services.waitFor(token, 1, 200)
    })

    it('11: logs pushkeys, rooms and events; Hushgate logs none of them at any level, whatever happens to the push', async () => {
      const keys = ['', 's503.a1.n1', 's400.rBadMessageId', 'rUnregistered'].map((script) => newPushkey(script))
      const about = { event_id: '$CANARY', room_id: '!CANARY:example.org', sender: '@CANARY:example.org' }
      for (const { apns } of keys) await gateway.notify({ ...about, type: 'CANARY', ...ios(apns) })
      await settled(IOS, 'delivered', 2)
      await settled(IOS, 'failed', 1)
      await settled(IOS, 'rejected', 1)
      const seen = gateway.log() + (await metrics())
      expect(seen).toContain('BadMessageId')
      for (const secret of ['CANARY', ...keys.flatMap(({ token, apns }) => [token, apns])])
        expect(seen).not.toContain(secret)
    })

    it('12: sends FCM more than 4096 bytes, which blocks the pusher for a day; Hushgate makes it fit', async () => {
      const { token, fcm } = newPushkey()
      const content = { body: 'b'.repeat(3000), formatted_body: 'f'.repeat(3000), extra: 'x'.repeat(3000) }
      const names = { room_name: 'n'.repeat(1000), sender_display_name: 's'.repeat(1000) }
      await gateway.notify({ ...event({ type: 'm.room.message', content, ...names }), ...android(fcm) })
      const [push] = await services.waitFor(token, 1)
      expect(push?.status).toBe(200)
      expect(dataOf(push?.body)).toMatchObject({ room_id: '!room:example.org', room_name: 'n'.repeat(1000) })
      expect(metricValue(await metrics(), 'hushgate_payloads_truncated_total', { app: ANDROID })).toBe(1)
    })
  })

  describe('hedwig', () => {
    it.each([
      's503.a1',
      's500',
      's429',
      's400.rINVALID_ARGUMENT',
      's401.rTHIRD_PARTY_AUTH_ERROR',
      's401.rUNAUTHENTICATED',
      's403.rPERMISSION_DENIED',
      's403.rSENDER_ID_MISMATCH',
      's404.rNOT_FOUND',
      's302',
      's500.badjson',
      'rst',
    ])(
      '13: rejects the pushkey on any failure; Hushgate does not on one that says nothing of the pushkey: %s',
      async (script) => {
        const { fcm } = newPushkey(script)
        expect(await gateway.notify({ ...event(), ...android(fcm) })).toEqual(OK)
        await refused(1)
        expect(await gateway.notify({ ...event(), ...android(fcm) })).toEqual(OK)
      },
    )

    it('14a: sends to FCM one message at a time, and waits for ever for an answer; with Hushgate a silent one holds up nobody, and is given up', async () => {
      const [silent, slow] = [newPushkey('hang'), Array.from({ length: 12 }, () => newPushkey('d2000'))]
      await gateway.notify({ ...event(), ...android(silent.fcm) })
      await services.waitFor(silent.token, 1)
      await Promise.all(slow.map(({ fcm }) => gateway.notify({ ...event(), ...android(fcm) })))
      const arrivals = (await Promise.all(slow.map(({ token }) => services.waitFor(token, 1)))).flat()
      const [first = 0, ...rest] = arrivals.map(({ atMs }) => atMs).toSorted((a, b) => a - b)
      // Each is answered two seconds after it came: those that came before were on their way at once.
      expect(rest.filter((atMs) => atMs < first + 2000)).not.toEqual([])
      await settled(ANDROID, 'delivered', slow.length)
      expect(sum(await metrics(), 'hushgate_push_service_refusals_total')).toBe(0)
      await refused(1)
    })

    it('14b: opens a connection for each message; Hushgate uses one again', async () => {
      const fcmHost = new URL(/endpoint: (\S+)/.exec(appsYaml.split(`  ${ANDROID}:`)[1] ?? '')?.[1] ?? '').host
      await using proxy = await startProxy()
      await gateway.close()
      const settings = `proxy: http://127.0.0.1:${proxy.port}`
      gateway = await startGateway({ store: stores.section(store), appsYaml, settings })
      for (let count = 1; count <= 10; count += 1) {
        await gateway.notify({ ...event(), ...android(newPushkey().fcm) })
        await settled(ANDROID, 'delivered', count)
      }
      // The simulator gives out access tokens, too, over a connection of their own.
      expect(proxy.asked().filter((asked) => asked === fcmHost)).toHaveLength(2)
    })

    it('15: has no way from Synapse to APNs, no IDs for the app, and shows a badge update; Hushgate needs no word of the homeserver', async () => {
      const { token, apns } = newPushkey()
      await gateway.notify({ ...event({ counts: { unread: 1 } }), ...ios(apns) })
      await gateway.notify({ id: '', type: null, sender: '', counts: { unread: 0 }, ...ios(apns) })
      const pushes = await services.waitFor(token, 2, 200)
      expect(pushes.map(({ body }) => body)).toContainEqual(
        expect.objectContaining({ event_id: `$event-${eventNumber}`, room_id: '!room:example.org' }),
      )
      expect(pushes.map(({ body }) => body)).toContainEqual({ aps: { badge: 0 } })
    })

    it('16a: takes any app_id that begins like its own; to Hushgate it is unknown', async () => {
      const { token, fcm } = newPushkey()
      expect(await gateway.notify({ ...event(), devices: [deviceOf(`${ANDROID}.other`, fcm)] })).toEqual(OK)
      const received = { app: '_unknown', intake: 'unknown_app' }
      expect(metricValue(await metrics(), 'hushgate_devices_received_total', received)).toBe(1)
      expect(services.of(token)).toEqual([])
    })

    it('16b: has a metric for each event type that a stranger makes up; labels of Hushgate come from its configuration', async () => {
      const send = async (name: string) => {
        const { token, fcm } = newPushkey()
        await gateway.notify({ ...event({ type: name, sender: `@${name}:x`, room_name: name }), ...android(fcm) })
        await gateway.notify({ ...event(), devices: [deviceOf(name, fcm)] })
        await services.waitFor(token, 1)
      }
      const labels = async () =>
        (await metrics()).split('\n').flatMap((line) => /^(hushgate_[^ ]+) /.exec(line)?.[1] ?? [])
      await send('madeup')
      await settled(ANDROID, 'delivered', 1)
      const before = await labels()
      for (let index = 0; index < 20; index += 1) await send(`madeup-${index}`)
      await settled(ANDROID, 'delivered', 21)
      expect(await labels()).toEqual(before)
      expect(before.join('\n')).not.toContain('madeup')
    })

    it('16c: has histograms in which everything is in one bucket; those of Hushgate tell a quick push from a slow one', async () => {
      const { fcm } = newPushkey('d300')
      await gateway.notify({ ...event(), ...android(fcm) })
      await settled(ANDROID, 'delivered', 1)
      const text = await metrics()
      for (const name of ['hushgate_send_duration_seconds', 'hushgate_delivery_delay_seconds']) {
        const buckets = series(text, `${name}_bucket`).filter(([labels]) => labels.includes(`app="${ANDROID}"`))
        const at = (bound: string) => buckets.find(([labels]) => labels.includes(`le="${bound}"`))?.[1]
        expect([at('0.25'), at('5')]).toEqual([0, 1])
      }
      const bounds = series(text, 'hushgate_notify_request_duration_seconds_bucket').map(([labels]) =>
        Number(/le="([\d.]+)"/.exec(labels)?.[1]),
      )
      expect(bounds.filter((bound) => bound < 1).length).toBeGreaterThanOrEqual(5)
      expect(bounds.filter((bound) => bound > SYNAPSE_GIVES_UP_SECONDS)).toEqual([])
    })
  })

  describe('mattermost-push-proxy', () => {
    it('17: counts deliveries where nobody can see it; every counter of Hushgate is exposed, with its type, before and after the first push', async () => {
      const names = async () => [...(await metrics()).matchAll(/^# TYPE (hushgate_\S+)/gm)].map(([, name]) => name)
      const before = await names()
      expect(before).toContain('hushgate_outcomes_total')
      expect(metricValue(await metrics(), 'hushgate_outcomes_total', { app: IOS, outcome: 'delivered' })).toBe(0)
      await gateway.notify({ ...event(), ...ios(newPushkey().apns) })
      await settled(IOS, 'delivered', 1)
      expect(metricValue(await metrics(), 'hushgate_outcomes_total', { app: IOS, outcome: 'delivered' })).toBe(1)
      expect(await names()).toEqual(before)
    })
  })

  describe('gorush', () => {
    it('18a: sends to a dead token again; Hushgate once', async () => {
      const { token, fcm } = newPushkey('rUNREGISTERED')
      await gateway.notify({ ...event(), ...android(fcm) })
      await settled(ANDROID, 'rejected', 1)
      expect((await gateway.notify({ ...event(), ...android(fcm) })).json).toEqual({ rejected: [fcm] })
      expect(services.of(token)).toHaveLength(1)
    })

    it('18b: retries without a pause; Hushgate leaves at least a second', async () => {
      const { token, apns } = newPushkey('s503.n2')
      await gateway.notify({ ...event(), ...ios(apns) })
      const [first = 0, second = 0, third = 0] = (await services.waitFor(token, 3)).map(({ atMs }) => atMs)
      // Clocks are read to the millisecond.
      expect(second - first).toBeGreaterThanOrEqual(999)
      expect(third - second).toBeGreaterThanOrEqual(999)
    })

    it('18c: loses results of attempts that end together; Hushgate counts each', async () => {
      const keys = Array.from({ length: 60 }, (_, index) =>
        newPushkey(index % 2 === 0 ? 'd50' : 's400.rINVALID_ARGUMENT'),
      )
      await gateway.notify({ ...event(), devices: keys.map(({ fcm }) => deviceOf(ANDROID, fcm)) })
      await settled(ANDROID, 'delivered', 30)
      await settled(ANDROID, 'failed', 30)
      const text = await metrics()
      expect(metricValue(text, 'hushgate_attempts_total', { app: ANDROID })).toBe(60)
      expect(sum(text, 'hushgate_push_service_refusals_total')).toBe(30)
    })
  })

  describe('what users filed (docs/facts/peers.md#what-users-filed)', () => {
    it('3: a backlog recovers by itself when the push service does', async () => {
      const away = appsYaml.replace(/endpoint: \S+/, `endpoint: https://127.0.0.1:${await freePort()}`)
      await gateway.reload({ appsYaml: away })
      const keys = Array.from({ length: 200 }, () => newPushkey())
      await Promise.all(keys.map(({ apns }) => gateway.notify({ ...event(), ...ios(apns) })))
      await refused(1)
      await gateway.reload({ appsYaml })
      await Promise.all(keys.map(({ token }) => services.waitFor(token, 1, 200)))
      await until('nothing waits', async () =>
        series(await metrics(), 'hushgate_queue_deliveries').every(
          ([labels, value]) => !labels.includes(IOS) || labels.includes('dead') || value === 0,
        ),
      )
    })

    it('5, 13: an app whose credential is refused is named with the reason in log and metrics, and no other app notices', async () => {
      await gateway.reload({ appsYaml: appsYaml.replace('team_id: SIMULATED2', 'team_id: WRONGTEAM1') })
      await gateway.notify({ ...event(), ...ios(newPushkey().apns) })
      await until('the app is blocked', async () => {
        const text = await metrics()
        return metricValue(text, 'hushgate_app_blocked', { app: IOS }) === 1
      })
      const reasons = { app: IOS, outcome: 'blocked', reason: 'InvalidProviderToken' }
      expect(metricValue(await metrics(), 'hushgate_push_service_refusals_total', reasons)).toBeGreaterThanOrEqual(1)
      expect(gateway.log()).toMatch(/refuses our credential.*InvalidProviderToken|InvalidProviderToken.*refuses our/)
      const [phone, name] = [newPushkey(), `beside-${store}`]
      await gateway.notify({ ...event(), devices: [deviceOf(ANDROID, phone.fcm), webDevice(browser(name))] })
      await services.waitFor(phone.token, 1, 200)
      await settled(WEB, 'delivered', 1)
      expect(metricValue(await metrics(), 'hushgate_app_blocked', { app: ANDROID })).toBe(0)
    })

    it('13: the reason of a passing failure is visible, too', async () => {
      const { token, apns } = newPushkey('s503.rServiceUnavailable.a1.n1')
      await gateway.notify({ ...event(), ...ios(apns) })
      await services.waitFor(token, 1, 200)
      const reasons = { app: IOS, outcome: 'retry', reason: 'ServiceUnavailable' }
      expect(metricValue(await metrics(), 'hushgate_push_service_refusals_total', reasons)).toBe(1)
    })

    it('16: "unread": 0 reaches the phone, and clears its badge', async () => {
      const { token, apns } = newPushkey()
      await gateway.notify({ counts: { unread: 5 }, ...ios(apns) })
      await services.waitFor(token, 1, 200)
      await gateway.notify({ counts: { unread: 0 }, ...ios(apns) })
      const [, cleared] = await services.waitFor(token, 2, 200)
      expect(cleared?.body).toEqual({ aps: { badge: 0 } })
    })
  })
})

describe("Sygnal's image", () => {
  it('9: asks for its health with a curl that is not there, as root; that of Hushgate uses what it runs on, and is nobody', async () => {
    const dockerfile = await readFile(new URL('../../Dockerfile', import.meta.url), 'utf8')
    const image = (dockerfile.split(/^FROM /m).at(-1) ?? '').replaceAll(/\\\n\s*/g, ' ')
    const entry: unknown = JSON.parse(/^ENTRYPOINT (\[.*\])$/m.exec(image)?.[1] ?? 'null')
    const health: unknown = JSON.parse(/^HEALTHCHECK .*?CMD (\[.*\])$/m.exec(image)?.[1] ?? 'null')
    expect(entry).toEqual(['hushgate'])
    expect(health).toEqual(['hushgate', 'health'])
    expect(/^USER (\S+)$/m.exec(image)?.[1]).toMatch(/^[1-9]\d*(:[1-9]\d*)?$/)
  })
})
