/** Attacks 2, 5 and 11 on a whole gateway, on both stores: what strangers name costs the others nothing. */
import { randomUUID } from 'node:crypto'
import { mkdtemp } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { metricValue, startGateway, type TestGateway, type TestGatewayOptions } from '../helpers/gateway.ts'
import { until } from '../helpers/received.ts'
import { startStores, STORES, type TestStores } from '../helpers/stores.ts'
import { startFakeProxy } from '../network/fake-proxy.ts'
import { GOOD, startWebPushRig, type WebPushRig } from './web-push-rig.ts'

const APP = 'com.example.web'
const DEVICES = 1000
const DEVICES_OF_A_REQUEST = 100

let rig: WebPushRig
let stores: TestStores
beforeAll(async () => {
  ;[rig, stores] = await Promise.all([startWebPushRig(['evil.test', 'localhost']), startStores()])
  // Nearly the real one: the push service looks at when a signature runs out.
  rig.clock.ms = Date.now()
})
afterAll(() => Promise.all([rig[Symbol.asyncDispose](), stores.stop()]))

function deviceAt(name: string, origin: string): object {
  const { p256dh, auth, endpoint } = rig.simulator.subscribe(name, { origin })
  return { app_id: APP, pushkey: p256dh, data: { endpoint, auth } }
}

async function gatewayWith(
  store: (typeof STORES)[number],
  options: string,
  more: Partial<TestGatewayOptions> = {},
): Promise<TestGateway> {
  return startGateway({
    folder: await mkdtemp(join(rig.folder, `${store}-`)),
    store: stores.section(store),
    appsYaml: `apps:
  ${APP}:
    type: webpush
    vapid_private_key_file: ../vapid.pem
    vapid_subject: mailto:ops@example.org
    ca_file: ../ca.pem
    ${options}
`,
    ...more,
  })
}

const notify = (gateway: TestGateway, devices: readonly object[]) =>
  gateway.notify({ event_id: `$${randomUUID()}`, room_id: '!room', prio: 'high', devices })

const valueOf = async (gateway: TestGateway, metric: string, labels: Record<string, string> = {}) =>
  metricValue(await gateway.metrics(), metric, { app: APP, ...labels }) ?? 0

const arrived = (name: string): number =>
  rig.simulator.received.filter((push) => push.name === name && push.status === 201).length

describe.each(STORES)('on %s', (store) => {
  it('attack 2: a thousand ports of a host that never answers hold four slots, and others get their pushes', async () => {
    await using gateway = await gatewayWith(store, `endpoint: ${rig.simulator.url}\n    allowed_endpoints: ["*"]`)
    const phone = deviceAt(`phone-2-${store}`, GOOD)
    const devices = Array.from({ length: DEVICES }, (_, index) =>
      deviceAt(`xhang-${store}-${index}`, `https://evil.test:${1000 + index}`),
    )
    for (let start = 0; start < DEVICES; start += DEVICES_OF_A_REQUEST)
      expect(await notify(gateway, devices.slice(start, start + DEVICES_OF_A_REQUEST))).toMatchObject({ status: 200 })
    const waits = async (): Promise<number> => {
      const counts = ['host_busy', 'host_paused'].map((reason) =>
        valueOf(gateway, 'hushgate_push_service_refusals_total', { outcome: 'waits', reason }),
      )
      return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
    }
    await until('the rest waits', async () => (await waits()) >= DEVICES - 4)
    for (let count = 1; count <= 10; count += 1) {
      await notify(gateway, [phone])
      await until('the push of another host has come', () => arrived(`phone-2-${store}`) === count)
    }
    const hanging = rig.simulator.received.filter(({ name }) => name.startsWith(`xhang-${store}`)).length
    // Those that had the first slots, and as many again where these were given up meanwhile.
    expect(hanging).toBeLessThanOrEqual(8)
  })

  it('attack 5: a host for which the proxy answers 407 does not block the app', async () => {
    await using proxy = await startFakeProxy(407)
    await using gateway = await gatewayWith(
      store,
      'allowed_endpoints: ["*"]\n    allow_private_endpoints: [localhost]',
      {
        settings: `proxy: http://127.0.0.1:${proxy.port}`,
      },
    )
    await notify(gateway, [deviceAt(`x-${store}`, 'https://evil.test')])
    await until('the proxy has refused it', () => proxy.asked.length === 1)
    proxy.answer = 'tunnel'
    await notify(gateway, [deviceAt(`phone-5-${store}`, `https://localhost:${rig.simulator.port}`)])
    await until('the push of another host has come', () => arrived(`phone-5-${store}`) === 1)
    expect(await valueOf(gateway, 'hushgate_app_blocked')).toBe(0)
    expect(gateway.log()).not.toContain('refuses our credential')
  })

  it('attack 11: an endpoint that is not allowed is answered 200, dropped, counted and told of, and its pusher lives', async () => {
    await using gateway = await gatewayWith(store, 'allow_private_endpoints: ["127.0.0.*"]')
    const devices = ['https://evil.test', 'https://127.0.0.1.evil.test', 'https://localhost:6379'].map(
      (origin, index) => deviceAt(`n-${index}`, origin),
    )
    for (const _round of [1, 2]) expect(await notify(gateway, devices)).toEqual({ status: 200, json: { rejected: [] } })
    expect(await valueOf(gateway, 'hushgate_devices_received_total', { intake: 'not_allowed' })).toBe(6)
    expect(await valueOf(gateway, 'hushgate_attempts_total')).toBe(0)
    expect(gateway.log().match(/Pushes are dropped whose endpoint/g)).toHaveLength(1)
    expect(await notify(gateway, devices)).toEqual({ status: 200, json: { rejected: [] } })
    expect(gateway.log()).not.toContain('evil.test')
  })
})
