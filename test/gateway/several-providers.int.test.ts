/** An app that has several push services under one app_id, as Commet registers on Android: each is a route of its own. */
import { generateKeyPairSync } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuthority } from '../../src/simulators/certificate.ts'
import { startWebPushSimulator, type Subscription, type WebPushSimulator } from '../../src/simulators/webpush.ts'
import { metricValue, startGateway, type TestGateway } from '../helpers/gateway.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'
import { until } from '../helpers/received.ts'

const APP = 'chat.example.android'
let services: PushServices
let browsers: WebPushSimulator
let gateway: TestGateway

beforeAll(async () => {
  services = await startPushServices()
  const { folder } = services
  const authority = createAuthority()
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  await writeFile(join(folder, 'web-ca.pem'), authority.certificate)
  await writeFile(join(folder, 'vapid.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  browsers = await startWebPushSimulator({ authority, hosts: ['push.fake.test'] })
  gateway = await startGateway({ appsYaml: appsYaml('service-account.json') })
})
afterAll(async () => {
  await gateway.close()
  await browsers.close()
  await services[Symbol.asyncDispose]()
})

/** Google's entry is that of the simulators' own app. */
function appsYaml(account: string): string {
  const { folder } = services
  const endpoint = /type: fcm\n(?:.*\n)*? +endpoint: (\S+)/.exec(services.appsYaml)?.[1]
  return `apps:
  ${APP}:
    privacy: event_id_only
    providers:
      - type: fcm
        service_account_file: ${join(folder, account)}
        endpoint: ${endpoint}
        ca_file: ${join(folder, 'ca.pem')}
        when: { data: { type: fcm } }
      - type: webpush
        vapid_private_key_file: ${join(folder, 'vapid.pem')}
        vapid_subject: mailto:ops@example.org
        allowed_endpoints: [push.fake.test]
        allow_unencrypted: true
        endpoint: ${browsers.url}
        ca_file: ${join(folder, 'web-ca.pem')}
`
}

const subscribe = (name: string, more: object = {}) =>
  browsers.subscribe(name, { origin: 'https://push.fake.test', ...more })
const google = (pushkey: string) => ({ app_id: APP, pushkey, data: { type: 'fcm', format: 'event_id_only' } })
const json = ({ endpoint, p256dh, auth }: Subscription) => ({
  app_id: APP,
  pushkey: JSON.stringify({ endpoint, keys: { p256dh, auth } }),
})
const push = (eventId: string, ...devices: object[]) =>
  gateway.notify({ event_id: eventId, room_id: '!room:example.org', prio: 'high', counts: { unread: 1 }, devices })
const of = (name: string) => browsers.received.filter((each) => each.name === name)
const arrived = (name: string) => until(`a push for ${name}`, () => of(name).length > 0)

describe('an app with several push services under one app_id', () => {
  it('sends to each pusher by the one that it is for', async () => {
    const { token } = newPushkey()
    const plain = subscribe('plain', { isPlain: true })
    const { json: answer } = await push(
      '$three',
      google(token),
      { app_id: APP, pushkey: plain.endpoint, data: { format: 'event_id_only' } },
      json(subscribe('browser')),
    )
    expect(answer).toEqual({ rejected: [] })
    const [message] = await services.waitFor(token, 1)
    expect(message).toMatchObject({ service: 'fcm', body: { data: { event_id: '$three' } } })
    await arrived('plain')
    expect(JSON.parse(of('plain')[0]?.payload ?? '')).toMatchObject({ notification: { event_id: '$three' } })
    await arrived('browser')
    expect(JSON.parse(of('browser')[0]?.payload ?? '')).toMatchObject({ event_id: '$three' })
  })

  it('treats a pusher that is for none of them as one of an unknown app', async () => {
    const { json: answer } = await push('$none', { app_id: APP, pushkey: 'token-without-type' })
    expect(answer).toEqual({ rejected: [] })
    expect(metricValue(await gateway.metrics(), 'hushgate_devices_received_total', { app: '_unknown' })).toBe(1)
    expect(gateway.log()).toContain('with a pushkey that no push service of its app is for')
  })

  it('blocks one route alone when its credential is refused', async () => {
    const account: object = JSON.parse(await readFile(join(services.folder, 'service-account.json'), 'utf8'))
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const stolen = { ...account, private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }) }
    await writeFile(join(services.folder, 'other-account.json'), JSON.stringify(stolen))
    await gateway.reload({ appsYaml: appsYaml('other-account.json') })
    const { token } = newPushkey()
    await push('$blocked', google(token))
    await until('the route to Google is blocked', async () => (await blocked('fcm')) === 1)
    await push('$free', json(subscribe('free')))
    await arrived('free')
    expect(await blocked('webpush')).toBe(0)
    expect(services.of(token)).toEqual([])

    await gateway.reload({ appsYaml: appsYaml('service-account.json') })
    await services.waitFor(token, 1)
  })

  it('says of each push service what it learns', async () => {
    const statement: { apps: { app: string; push_service: string }[] } = JSON.parse(
      await (await fetch(`${gateway.url}/_hushgate/privacy`)).text(),
    )
    expect(statement.apps.map(({ app, push_service: service }) => [app, service])).toEqual([
      [APP, 'fcm'],
      [APP, 'webpush'],
    ])
    const page = await (await fetch(gateway.url)).text()
    expect(page.match(new RegExp(`<h3>${APP}</h3>`, 'g'))).toHaveLength(2)
    const { vapid } = JSON.parse(await (await fetch(`${gateway.url}/_hushgate/vapid/${APP}`)).text())
    expect(vapid).toMatch(/^[\w-]{87}$/)
  })
})

async function blocked(provider: string): Promise<number | undefined> {
  return metricValue(await gateway.metrics(), 'hushgate_app_blocked', { app: APP, provider })
}
