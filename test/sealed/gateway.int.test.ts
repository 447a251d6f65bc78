/** A device with its own key behind a whole gateway: what APNs and FCM get, and what is counted. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { isJsonObject, type JsonObject } from '../../src/core/json.ts'
import { decrypt } from '../../src/simulators/webpush-encryption.ts'
import { canaryNotification } from '../canary/notification.ts'
import { findCanaries } from '../canary/canary.ts'
import { metricValue, startGateway, type TestGateway } from '../helpers/gateway.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'
import { HUSHGATE_KEY, KID, secrets } from './random-pushes.ts'

const SERVICES = ['apns', 'fcm'] as const
type Service = (typeof SERVICES)[number]

let services: PushServices
let gateway: TestGateway
beforeAll(async () => {
  services = await startPushServices()
  const { apps } = parse(services.appsYaml)
  const sections = Object.entries({ apns: apps['com.example.ios'], fcm: apps['com.example.android'] }).flatMap(
    ([service, section]) => [
      [service, { ...section, privacy: 'full' }],
      [`${service}.required`, { ...section, privacy: 'full', sealed: 'required' }],
    ],
  )
  gateway = await startGateway({ appsYaml: `apps: ${JSON.stringify(Object.fromEntries(sections))}` })
})
afterAll(async () => {
  await gateway.close()
  await services[Symbol.asyncDispose]()
})

/** What the push service got of this notification. */
async function bodyOf(service: Service, app: string, about: object, key?: unknown): Promise<JsonObject> {
  const pushkey = newPushkey()
  const data = key === undefined ? {} : { hushgate_key: key }
  const devices = [{ app_id: app, pushkey: pushkey[service], data }]
  expect(await gateway.notify({ ...about, devices })).toEqual({ status: 200, json: { rejected: [] } })
  const [push] = await services.waitFor(pushkey.token, 1)
  const body = service === 'fcm' && isJsonObject(push?.body) ? push.body['data'] : push?.body
  if (!isJsonObject(body)) throw new Error('no body')
  return body
}

function opened(body: JsonObject): unknown {
  const { hushgate_sealed: record } = body
  if (typeof record !== 'string') throw new Error('nothing is sealed')
  return JSON.parse(decrypt(Buffer.from(record, 'base64url'), secrets)?.toString() ?? 'null')
}

describe.each(SERVICES)('for %s', (service) => {
  const { devices: _, ...about } = Object(canaryNotification({ appId: '', pushkey: 'sealed' }))

  it('nothing of the event stands in clear, and all the app needs is in the block', async () => {
    const body = await bodyOf(service, service, { ...about, event_id: '$sealed', room_id: '!room' }, HUSHGATE_KEY)
    expect(findCanaries(Buffer.from(JSON.stringify(body)))).toEqual([])
    expect(body['hushgate_kid']).toBe(KID)
    const unread = about.counts.unread
    expect(opened(body)).toEqual({
      v: 1,
      event_id: '$sealed',
      room_id: '!room',
      unread,
      prio: 'high',
      ts: expect.any(Number),
    })
    expect(body).not.toHaveProperty('aps.badge')
  })

  it("the apps' test push is sealed, too", async () => {
    const ids = { event_id: '$THIS_IS_A_FAKE_EVENT_ID', room_id: '!room:domain' }
    const body = await bodyOf(service, service, ids, HUSHGATE_KEY)
    expect(body).not.toHaveProperty('event_id')
    expect(opened(body)).toMatchObject(ids)
  })

  it.each([
    ['an invalid key', '', { ...HUSHGATE_KEY, v: 2 }],
    ['a key that is no point', '', { ...HUSHGATE_KEY, p256dh: `B${'H'.repeat(85)}A` }],
    ['no key where one is required', '.required', undefined],
  ])('a device with %s gets a bare wake-up', async (_what, suffix, key) => {
    const body = await bodyOf(service, `${service}${suffix}`, { ...about, event_id: `$${suffix}` }, key)
    expect(body).not.toHaveProperty('hushgate_sealed')
    const { aps, ...rest } = body
    expect(rest).toEqual(service === 'fcm' ? { sync: '1' } : {})
    expect(Object.keys(Object(aps)).sort()).toEqual(
      service === 'fcm' ? [] : ['alert', 'badge', 'mutable-content', 'sound'],
    )
  })

  it('each is counted by its key', async () => {
    const metrics = await gateway.metrics()
    const of = (app: string, key: string) => metricValue(metrics, 'hushgate_device_keys_total', { app, key })
    expect([of(service, 'valid'), of(service, 'invalid'), of(service, 'missing')]).toEqual([2, 2, 0])
    expect(of(`${service}.required`, 'missing')).toBe(1)
  })
})

it('a badge update is the badge alone', async () => {
  expect(await bodyOf('apns', 'apns', { counts: { unread: 7 } }, HUSHGATE_KEY)).toEqual({ aps: { badge: 7 } })
})
