/** Web Push through the whole gateway, on SQLite: from the notification of a homeserver to what the browser reads. */
import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuthority } from '../../../src/simulators/certificate.ts'
import { startWebPushSimulator, type Subscription, type WebPushSimulator } from '../../../src/simulators/webpush.ts'
import { startGateway, type TestGateway } from '../../helpers/gateway.ts'
import { until } from '../../helpers/received.ts'

const WEB = 'com.example.web'
/** Of any push service that is known, as it is by default. */
const ANYWHERE = 'com.example.anywhere'
let folder: string
let simulator: WebPushSimulator
let gateway: TestGateway

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hushgate-webpush-'))
  const authority = createAuthority()
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  await writeFile(join(folder, 'ca.pem'), authority.certificate)
  await writeFile(join(folder, 'vapid.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  simulator = await startWebPushSimulator({
    authority,
    hosts: ['push.fake.test', 'fcm.googleapis.com', 'web.push.apple.com'],
  })
  const section = `type: webpush
    vapid_private_key_file: vapid.pem
    vapid_subject: mailto:ops@example.org
    allowed_endpoints: [push.fake.test]
    endpoint: ${simulator.url}
    ca_file: ca.pem`
  const appsYaml = `apps:
  ${WEB}:
    ${section}
  ${WEB}.full:
    ${section}
    privacy: full
  ${ANYWHERE}:
    ${section.replace('    allowed_endpoints: [push.fake.test]\n', '')}
    declarative: { title: New message, navigate: "https://chat.example.com/" }
`
  gateway = await startGateway({ appsYaml, folder })
})
afterAll(async () => {
  await gateway.close()
  await simulator.close()
  await rm(folder, { recursive: true })
})

const subscribe = (name: string) => simulator.subscribe(name, { origin: 'https://push.fake.test' })
const deviceOf = ({ p256dh, endpoint, auth }: Subscription, data: object = {}, appId = WEB) => ({
  devices: [{ app_id: appId, pushkey: p256dh, data: { endpoint, auth, ...data } }],
})
const of = (name: string) => simulator.received.filter((push) => push.name === name)
const arrived = (name: string, count = 1) => until(`${count} came for ${name}`, () => of(name).length >= count)
const event = { room_id: '!room:example.org', prio: 'high', sender: '@alice:example.org', counts: { unread: 2 } }

describe('a notification for a browser', () => {
  it('is a padded wake-up by default', async () => {
    const data = { default_payload: { session_id: 'abc', secret: 'x' } }
    await gateway.notify({ ...event, event_id: '$one', ...deviceOf(subscribe('minimal'), data) })
    await arrived('minimal')
    const [push] = of('minimal')
    expect(JSON.parse(push?.payload ?? '')).toEqual({ session_id: 'abc', sync: '1' })
    expect(push).toMatchObject({ status: 201, headers: { ttl: '86400', urgency: 'normal' } })
    expect(push?.headers).not.toHaveProperty('topic')
    expect(push?.body.length).toBe(1024 + 103)
  })

  it('has the topic of its room where only the last push of a room matters', async () => {
    const phone = subscribe('last')
    for (const [index, roomId] of ['!a:x', '!a:x', '!b:x'].entries()) {
      const about = { ...event, room_id: roomId, event_id: `$last-${index}` }
      await gateway.notify({ ...about, ...deviceOf(phone, { only_last_per_room: true }, `${WEB}.full`) })
      await arrived('last', index + 1)
    }
    const [first, second, third] = of('last').map(({ headers }) => headers['topic'])
    expect(second).toBe(first)
    expect(third).not.toBe(first)
  })

  it('says the count, unless the app wants events only', async () => {
    const [phone, other] = [subscribe('counting'), subscribe('not-counting')]
    await gateway.notify({ counts: { unread: 0 }, ...deviceOf(other, { events_only: true }, `${WEB}.full`) })
    await gateway.notify({ counts: { unread: 0 }, ...deviceOf(phone, {}, `${WEB}.full`) })
    await arrived('counting')
    expect(JSON.parse(of('counting')[0]?.payload ?? '')).toEqual({ unread: 0 })
    expect(of('not-counting')).toEqual([])
  })

  it.each([
    ['xs410-gone', {}],
    ['at-home', { endpoint: 'https://127.0.0.1/wp/at-home' }],
  ])('has its pushkey rejected when there is no way to it: %s', async (name, data) => {
    const phone = subscribe(name)
    const first = await gateway.notify({ ...event, event_id: `$${name}-1`, ...deviceOf(phone, data) })
    expect(first.json).toEqual({ rejected: [] })
    await until('the pushkey is known to be dead', async () => {
      const { json } = await gateway.notify({ counts: { unread: 1 }, ...deviceOf(phone, data) })
      return JSON.stringify(json) === JSON.stringify({ rejected: [phone.p256dh] })
    })
  })

  it('has its pushkey rejected at once when nobody could encrypt for it', async () => {
    const phone = subscribe('bad-auth')
    const { json } = await gateway.notify({ ...event, event_id: '$bad-auth', ...deviceOf(phone, { auth: '%%%' }) })
    expect(json).toEqual({ rejected: [phone.p256dh] })
  })

  it('is tried again after an outage of the push service', async () => {
    await gateway.notify({ ...event, event_id: '$again', ...deviceOf(subscribe('xs503.a1.n1-phone')) })
    await arrived('xs503.a1.n1-phone', 2)
    const [first, second] = of('xs503.a1.n1-phone')
    expect([first?.status, second?.status]).toEqual([503, 201])
    expect(second?.headers['topic']).toBe(first?.headers['topic'])
    expect(second?.payload).toBe(first?.payload)
  })
})

const vapidKey = async (): Promise<string> =>
  JSON.parse(await (await fetch(`${gateway.url}/_hushgate/vapid/${ANYWHERE}`)).text()).vapid

/** As an app with UnifiedPush's embedded distributor registers: the endpoint is the pushkey, and its keys are in the data. */
const deviceOfDistributor = ({ p256dh, endpoint, auth }: Subscription) => ({
  devices: [{ app_id: ANYWHERE, pushkey: endpoint, data: { p256dh, auth } }],
})

describe("an app on Android without a Firebase project, at FCM's own endpoints", () => {
  const origin = 'https://fcm.googleapis.com'

  it.each(['fcm/send', 'wp'] as const)(
    'gets its pushes at /%s/, encrypted and signed with the VAPID key of the app',
    async (path) => {
      const name = `${path.replace('/', '-')}:APA91bEmbedded`
      const phone = simulator.subscribe(name, { origin, folder: path, applicationServerKey: await vapidKey() })
      await gateway.notify({ ...event, event_id: `$${path}`, ...deviceOfDistributor(phone) })
      await arrived(name)
      expect(of(name)[0]).toMatchObject({ status: 201, origin, payload: expect.stringContaining('"sync":"1"') })
      expect(of(name)[0]?.headers['authorization']).toMatch(/^vapid /)
      // It is no browser of Apple's.
      expect(of(name)[0]?.shown).toBeUndefined()
    },
  )

  it('is not reached with another VAPID key than it registered with, and keeps its pushkey', async () => {
    const phone = simulator.subscribe('other-key', { origin, folder: 'fcm/send', applicationServerKey: 'another' })
    await gateway.notify({ ...event, event_id: '$other-key', ...deviceOfDistributor(phone) })
    await arrived('other-key')
    expect(of('other-key')[0]).toMatchObject({ status: 403 })
    const { json } = await gateway.notify({ counts: { unread: 1 }, ...deviceOfDistributor(phone) })
    expect(json).toEqual({ rejected: [] })
  })

  it('has its pushkey rejected when FCM says that it is gone', async () => {
    const phone = simulator.subscribe('xs410-uninstalled', { origin, folder: 'fcm/send' })
    await gateway.notify({ ...event, event_id: '$uninstalled', ...deviceOfDistributor(phone) })
    await until('the pushkey is known to be dead', async () => {
      const { json } = await gateway.notify({ counts: { unread: 1 }, ...deviceOfDistributor(phone) })
      return JSON.stringify(json) === JSON.stringify({ rejected: [phone.endpoint] })
    })
  })
})

it('Safari is told what to show by itself', async () => {
  const phone = simulator.subscribe('safari', { origin: 'https://web.push.apple.com' })
  const badge = { counts: { unread: 5 }, ...deviceOf(phone, {}, ANYWHERE) }
  await gateway.notify(badge)
  await gateway.notify({ ...event, event_id: '$safari', ...deviceOf(phone, {}, ANYWHERE) })
  await arrived('safari')
  // The badge update before it went nowhere.
  expect(of('safari').map(({ shown }) => shown)).toEqual([
    { title: 'New message', navigate: 'https://chat.example.com/', silent: false, appBadge: 2, mutable: false },
  ])
})
