/** Web Push that is relayed to APNs, by a whole gateway: from the app's trade to the text that its extension shows, on both stores. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { metricValue, startGateway, type TestGateway } from '../helpers/gateway.ts'
import { createHushgateFolder, startHushgate } from '../helpers/hushgate-process.ts'
import { newPushkey, startPushServices, type PushServices, type ReceivedPush } from '../helpers/push-services.ts'
import { until } from '../helpers/received.ts'
import { RelayedApp, RELAY_ORIGIN, WebPushHomeserver } from '../helpers/relayed-device.ts'
import { startStores, STORES, type TestStores } from '../helpers/stores.ts'

const APP = 'com.example.ios'

let services: PushServices
let stores: TestStores
beforeAll(async () => {
  ;[services, stores] = await Promise.all([startPushServices(), startStores()])
})
afterAll(async () => {
  await services[Symbol.asyncDispose]()
  await stores.stop()
})

/** Its app relays. */
const relaying = (more = ''): string =>
  services.appsYaml.replace('    type: apns\n', `    type: apns\n    webpush_relay: ${RELAY_ORIGIN}\n${more}`)

const homeserver = new WebPushHomeserver()

/** An app on a phone of its own, with the endpoint that it got. */
async function register(url: string, script = '') {
  const { token, apns: pushkey } = newPushkey(script)
  const app = new RelayedApp()
  return { token, pushkey, app, endpoint: await app.trade(url, APP, pushkey, homeserver.vapid) }
}

const textOf = (app: RelayedApp, { body }: ReceivedPush): string => app.open(body) ?? 'not for this app'

describe.each(STORES)('on %s', (store) => {
  let gateway: TestGateway
  beforeAll(async () => {
    gateway = await startGateway({ store: stores.section(store), appsYaml: relaying() })
  })
  afterAll(() => gateway.close())

  it('a message is opened by the device as the homeserver wrote it, and Apple gets nothing else', async () => {
    const { token, app, endpoint } = await register(gateway.url)
    const text = JSON.stringify({ notification: { event_id: `$${randomUUID()}`, room_id: '!room:example.org' } })
    const response = await homeserver.post(endpoint, app.encrypt(text))
    expect(response.status).toBe(201)
    expect(response.headers.get('ttl')).toBe('86400')
    const [push, ...others] = await services.waitFor(token, 1, 200)
    expect(others).toEqual([])
    expect(push && textOf(app, push)).toBe(text)
    expect(push?.body).toEqual({
      aps: { alert: { 'loc-key': 'Notification' }, 'mutable-content': 1, sound: 'default' },
      hushgate_kid: app.kid,
      hushgate_webpush: expect.any(String),
    })
    const { 'apns-id': id, ...headers } = push?.headers ?? {}
    expect(response.headers.get('location')).toMatch(/^https:\/\/push\.example\.com\/_hushgate\/relayed\/[\w-]{43}$/)
    // Else homeserver and Apple could compare what they have.
    expect(response.headers.get('location')).not.toContain(id)
    expect(headers).toEqual({
      'apns-topic': 'com.example.app',
      'apns-push-type': 'alert',
      'apns-priority': '10',
      'apns-expiration': expect.stringMatching(/^\d{10}$/),
    })
  })

  it('the same bytes again are answered as the first time, and sent once', async () => {
    const { token, app, endpoint } = await register(gateway.url)
    const body = app.encrypt('once')
    const [first, again] = [await homeserver.post(endpoint, body), await homeserver.post(endpoint, body)]
    expect([first.status, again.status]).toEqual([201, 201])
    expect(again.headers.get('location')).toBe(first.headers.get('location'))
    await homeserver.post(endpoint, app.encrypt('twice'))
    const pushes = await services.waitFor(token, 2, 200)
    expect(pushes.map((push) => textOf(app, push)).toSorted()).toEqual(['once', 'twice'])
  })

  it('a message is tried again until Apple takes it, under one apns-id', async () => {
    const { token, app, endpoint } = await register(gateway.url, 's503.n1')
    await homeserver.post(endpoint, app.encrypt('again'))
    const pushes = await services.waitFor(token, 2)
    expect(pushes.map(({ status }) => status)).toEqual([503, 200])
    expect(new Set(pushes.map(({ headers }) => headers['apns-id'])).size).toBe(1)
  })

  it('of messages that wait with one topic the last is sent', async () => {
    const { token, app, endpoint } = await register(gateway.url)
    await gateway.admin('/api/v1/pause', { app: APP })
    for (const text of ['first', 'second', 'third'])
      await homeserver.post(endpoint, app.encrypt(text), { topic: 'room' })
    await homeserver.post(endpoint, app.encrypt('other'), { topic: 'another' })
    await gateway.admin('/api/v1/resume', { app: APP })
    await homeserver.post(endpoint, app.encrypt('end'))
    const pushes = await services.waitFor(token, 3, 200)
    expect(pushes.map((push) => textOf(app, push)).toSorted()).toEqual(['end', 'other', 'third'])
    const collapseIds = pushes.map(({ headers }) => headers['apns-collapse-id'])
    expect(new Set(collapseIds).size).toBe(3)
    expect(collapseIds).toContain(undefined)
    expect(collapseIds.join()).not.toContain('room')
  })

  it('a device that Apple calls gone is told by 410, until its app has traded again', async () => {
    const { token, pushkey, app, endpoint } = await register(gateway.url, 'rUnregistered')
    expect((await homeserver.post(endpoint, app.encrypt('lost'))).status).toBe(201)
    await services.waitFor(token, 1, 410)
    // Registered within a minute of its death, it is believed once to be back (docs/decisions.md#dead-pushkeys).
    await until(
      'the homeserver is told',
      async () => (await homeserver.post(endpoint, app.encrypt('x'))).status === 410,
    )
    const triedBefore = services.of(token).length
    // Another registration, as soon as it is of another second.
    await until('the device is believed to be back', async () => {
      const renewed = await app.trade(gateway.url, APP, pushkey, homeserver.vapid)
      return (await homeserver.post(renewed, app.encrypt('back'))).status === 201
    })
    const pushes = await services.waitFor(token, triedBefore + 1)
    expect(pushes.map((push) => textOf(app, push)).at(-1)).toBe('back')
  })

  it('an endpoint that was revoked is gone, and that of another homeserver of the same device is not', async () => {
    const { token, pushkey, app, endpoint } = await register(gateway.url)
    const another = new WebPushHomeserver()
    const other = await app.trade(gateway.url, APP, pushkey, another.vapid)
    await homeserver.post(endpoint, app.encrypt('before'))
    await services.waitFor(token, 1, 200)
    await until('it is remembered', async () => (await app.revoke(endpoint, pushkey)).status === 204)
    expect((await homeserver.post(endpoint, app.encrypt('after'))).status).toBe(410)
    expect((await another.post(other, app.encrypt('other'))).status).toBe(201)
    const pushes = await services.waitFor(token, 2, 200)
    expect(pushes.map((push) => textOf(app, push))).toEqual(['before', 'other'])
  })

  it('the device is the one that HTTP pushers name, and metrics count its messages with theirs', async () => {
    const { token, pushkey, app, endpoint } = await register(gateway.url)
    await homeserver.post(endpoint, app.encrypt('by Web Push'))
    const device = { app_id: APP, pushkey }
    await gateway.notify({ event_id: `$${randomUUID()}`, room_id: '!room:example.org', devices: [device] })
    await services.waitFor(token, 2, 200)
    const metrics = await gateway.metrics()
    expect(
      metricValue(metrics, 'hushgate_webpush_relay_requests_total', { request: 'message', code: '201' }),
    ).toBeGreaterThan(0)
    expect(metricValue(metrics, 'hushgate_devices_received_total', { app: APP, intake: 'queued' })).toBeGreaterThan(1)
  })
})

describe('whatever happens to the process', () => {
  it.each(STORES)('a message that was answered 201 reaches the device after a kill, on %s', async (store) => {
    await using folder = await createHushgateFolder()
    const { token, apns: pushkey } = newPushkey()
    const app = new RelayedApp()
    const config = { appsYaml: relaying(), store: stores.section(store) }
    const unreachable = {
      ...config,
      appsYaml: config.appsYaml.replaceAll(/endpoint: .*/g, 'endpoint: https://127.0.0.1:9'),
    }
    await folder.configure(unreachable)
    let endpoint
    {
      await using killed = startHushgate(['serve'], { folder: folder.path })
      const { notify } = await killed.running()
      endpoint = (await app.trade(notify, APP, pushkey, homeserver.vapid)).replace(notify, '')
      expect((await homeserver.post(notify + endpoint, app.encrypt('kept'))).status).toBe(201)
      killed.signal('SIGKILL')
      await killed.ended
    }
    await folder.configure(config)
    await using restarted = startHushgate(['serve'], { folder: folder.path })
    const { notify } = await restarted.running()
    const [push] = await services.waitFor(token, 1, 200)
    expect(push && textOf(app, push)).toBe('kept')
    expect((await homeserver.post(notify + endpoint, app.encrypt('later'))).status).toBe(201)
    const [, later] = await services.waitFor(token, 2, 200)
    expect(later && textOf(app, later)).toBe('later')
  })
})
