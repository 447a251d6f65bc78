/** One trace from a notify request over the queue to the push service, on both stores: what is in it, over a crash, and what it costs where it is off. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { metricValue, startGateway, type TestGateway, type TestGatewayOptions } from '../helpers/gateway.ts'
import { createHushgateFolder, startHushgate } from '../helpers/hushgate-process.ts'
import { startOtlpCollector, type CollectedSpan, type OtlpCollector } from '../helpers/otlp-collector.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'
import { pushTo } from '../helpers/homeserver.ts'
import { until } from '../helpers/received.ts'
import { RelayedApp, RELAY_ORIGIN, WebPushHomeserver } from '../helpers/relayed-device.ts'
import { STORES, startStores, type StoreName, type TestStores } from '../helpers/stores.ts'

let services: PushServices
let stores: TestStores
beforeAll(async () => {
  services = await startPushServices()
  stores = await startStores()
})
afterAll(async () => {
  await stores.stop()
  await services[Symbol.asyncDispose]()
})

let collector: OtlpCollector
beforeEach(async () => {
  collector = await startOtlpCollector()
  return () => collector[Symbol.asyncDispose]()
})

const EVENT_ID = '$a-secret-event'
const ROOM_ID = '!a-secret-room:example.org'
const USER_ID = '@a-secret-user:example.org'

function tracing(more = ''): string {
  return `tracing: { otlp_url: "${collector.url}"${more} }`
}

function gatewayOn(store: StoreName, options: Partial<TestGatewayOptions> = {}): Promise<TestGateway> {
  return startGateway({ store: stores.section(store), appsYaml: services.appsYaml, settings: tracing(), ...options })
}

function notificationFor(pushkey: string, appId = 'com.example.ios'): object {
  const devices = [{ app_id: appId, pushkey, pushkey_ts: 1_700_000_000 }]
  return { event_id: EVENT_ID, room_id: ROOM_ID, sender: USER_ID, type: 'm.room.message', prio: 'high', devices }
}

function named(spans: readonly CollectedSpan[], name: CollectedSpan['name']): readonly CollectedSpan[] {
  return spans.filter((span) => span.name === name)
}

/** In the order in which it happens. */
function placeOf({ name, attributes }: CollectedSpan): number {
  return 2 * Number(attributes['hushgate.attempt'] ?? 0) + (name === 'send' ? 1 : 0)
}

/** Those of one trace, when the gateway has ended: then all have been exported. */
async function exportedBy(gateway: TestGateway): Promise<readonly CollectedSpan[]> {
  await gateway.close()
  return collector.spans
}

describe.each(STORES)('on %s', (store) => {
  it('a push is one trace, from the request to the push service', async () => {
    const gateway = await gatewayOn(store)
    const { apns, token } = newPushkey('s503.n1')
    await gateway.notify(notificationFor(apns))
    await services.waitFor(token, 1, 200)
    await until(
      'it is done',
      async () => metricValue(await gateway.metrics(), 'hushgate_outcomes_total', DELIVERED) === 1,
    )
    const spans = await exportedBy(gateway)
    expect(new Set(spans.map(({ traceId }) => traceId)).size).toBe(1)
    const [notify] = named(spans, 'notify')
    expect(notify).toMatchObject({ kind: 2, attributes: { 'http.response.status_code': 200 }, isError: false })
    expect(notify?.parentSpanId).toBeUndefined()
    const others = spans.filter((span) => span !== notify).toSorted((one, other) => placeOf(one) - placeOf(other))
    for (const { parentSpanId, startMs, endMs } of others) {
      expect(parentSpanId).toBe(notify?.spanId)
      expect(endMs).toBeGreaterThanOrEqual(startMs)
    }
    const route = { 'hushgate.app': 'com.example.ios', 'hushgate.provider': 'apns' }
    expect(others.map(({ name, kind, attributes, isError }) => ({ name, kind, attributes, isError }))).toEqual([
      { name: 'store', kind: 1, attributes: { ...route, 'hushgate.outcome': 'stored' }, isError: false },
      { name: 'queue', kind: 1, attributes: { ...route, 'hushgate.attempt': 1 }, isError: false },
      {
        name: 'send',
        kind: 3,
        attributes: {
          ...route,
          'hushgate.outcome': 'retry',
          'error.type': 'ServiceUnavailable',
          'http.response.status_code': 503,
          'hushgate.attempt': 1,
        },
        isError: true,
      },
      { name: 'queue', kind: 1, attributes: { ...route, 'hushgate.attempt': 2 }, isError: false },
      {
        name: 'send',
        kind: 3,
        attributes: {
          ...route,
          'hushgate.outcome': 'delivered',
          'http.response.status_code': 200,
          'hushgate.attempt': 2,
        },
        isError: false,
      },
    ])
  })

  it('a trace survives the process that began it', async () => {
    await using folder = await createHushgateFolder()
    await folder.configure({
      appsYaml: services.appsYaml,
      store: stores.section(store),
      settings: `${tracing()}\nlog: { level: debug }`,
    })
    const { apns, token } = newPushkey('s503.a5.n1')
    const first = startHushgate(['serve'], { folder: folder.path })
    const { notify } = await first.running()
    await pushTo(notify, notificationFor(apns))
    const begun = await collector.waitFor(4)
    first.signal('SIGKILL')
    await first.ended
    const second = startHushgate(['serve'], { folder: folder.path })
    await services.waitFor(token, 1, 200)
    const [sent] = await collector.waitFor(1, ({ attributes }) => attributes['hushgate.outcome'] === 'delivered')
    second.signal('SIGTERM')
    await second.ended
    expect(sent?.traceId).toBe(begun[0]?.traceId)
    expect(sent?.parentSpanId).toBe(named(begun, 'notify')[0]?.spanId)
  })

  it('a message for the relay is one trace, from the request to Apple', async () => {
    const appsYaml = services.appsYaml.replace('type: apns\n', `type: apns\n    webpush_relay: ${RELAY_ORIGIN}\n`)
    const gateway = await gatewayOn(store, { appsYaml })
    const { apns, token } = newPushkey()
    const [app, homeserver] = [new RelayedApp(), new WebPushHomeserver()]
    const endpoint = await app.trade(gateway.url, 'com.example.ios', apns, homeserver.vapid)
    expect((await homeserver.post(endpoint, Buffer.from('no record'))).status).toBe(400)
    expect((await homeserver.post(endpoint, app.encrypt('a-secret-text'))).status).toBe(201)
    await services.waitFor(token, 1, 200)
    const spans = await exportedBy(gateway)
    const [relay] = named(spans, 'relay')
    expect(relay).toMatchObject({ kind: 2, attributes: { 'http.response.status_code': 201 }, isError: false })
    const others = spans.filter((span) => span !== relay)
    const outcomes = others.map(({ name, attributes }) => [name, attributes['hushgate.outcome']] as const)
    expect(Object.fromEntries(outcomes)).toEqual({ store: 'stored', queue: undefined, send: 'delivered' })
    expect(others).toHaveLength(3)
    for (const { traceId, parentSpanId } of others)
      expect({ traceId, parentSpanId }).toEqual({ traceId: relay?.traceId, parentSpanId: relay?.spanId })
  })

  it('nothing that identifies anybody is in what is exported', async () => {
    const gateway = await gatewayOn(store)
    const { apns, token } = newPushkey()
    const { fcm } = newPushkey()
    const parent = '0af7651916cd43dd8448eb211c80319c'
    await fetch(`${gateway.url}/_matrix/push/v1/notify`, {
      method: 'POST',
      headers: { traceparent: `00-${parent}-b7ad6b7169203331-01`, 'user-agent': 'a-secret-agent' },
      body: JSON.stringify({ notification: notificationFor(apns) }),
    })
    await gateway.notify(notificationFor(fcm, 'com.example.android'))
    await gateway.notify(notificationFor(fcm, 'a-secret-app'))
    const [push] = await services.waitFor(token, 1)
    await services.waitFor(fcm, 1)
    await exportedBy(gateway)
    const exported = collector.bodies.join('\n')
    expect(named(collector.spans, 'send')).toHaveLength(2)
    const wireIds = [push?.headers['apns-id'], push?.headers['apns-collapse-id']].map(String)
    const ids = [token, apns, fcm, Buffer.from(token).toString('hex'), EVENT_ID, ROOM_ID, USER_ID, ...wireIds]
    for (const id of [...ids, 'a-secret', parent]) expect(exported).not.toContain(id)
    for (const { body } of services.of(token)) expect(exported).not.toContain(JSON.stringify(body))
  })
})

const DELIVERED = { app: 'com.example.ios', outcome: 'delivered' }

it('an event that was sent already, and a request that is refused, say so', async () => {
  await using gateway = await gatewayOn('sqlite')
  const { apns } = newPushkey()
  await gateway.notify(notificationFor(apns))
  await gateway.notify(notificationFor(apns))
  const spans = await exportedBy(gateway)
  expect(named(spans, 'store').map(({ attributes }) => attributes['hushgate.outcome'])).toEqual(['stored', 'known'])
})

it('what is not sampled is not exported, and nothing is stored with a push', async () => {
  await using gateway = await gatewayOn('sqlite', { settings: tracing(', sample_ratio: 0') })
  const { apns, token } = newPushkey()
  await gateway.notify(notificationFor(apns))
  await services.waitFor(token, 1)
  await exportedBy(gateway)
  expect(collector.bodies).toEqual([])
})

it('a reload begins with it, and ends it', async () => {
  await using gateway = await gatewayOn('sqlite', { settings: '' })
  const push = async (): Promise<void> => {
    const { apns, token } = newPushkey()
    await gateway.notify(notificationFor(apns))
    await services.waitFor(token, 1)
  }
  await push()
  expect(await gateway.reload({ settings: tracing() })).toEqual([])
  await push()
  await gateway.reload({ settings: '' })
  await push()
  await collector.waitFor(1, ({ name }) => name === 'notify')
  await exportedBy(gateway)
  expect(named(collector.spans, 'notify')).toHaveLength(1)
})

it('pushes go on while the collector is away, and the metrics tell what was lost', async () => {
  collector.answer(undefined)
  await using gateway = await gatewayOn('sqlite')
  const { apns, token } = newPushkey()
  await gateway.notify(notificationFor(apns))
  await services.waitFor(token, 1, 200)
  await until(
    'spans were made',
    async () => metricValue(await gateway.metrics(), 'hushgate_outcomes_total', DELIVERED) === 1,
  )
  expect(metricValue(await gateway.metrics(), 'hushgate_trace_spans_total', { result: 'dropped' })).toBe(0)
  await gateway.close()
  expect(gateway.log().split('Traces cannot be exported')).toHaveLength(2)
})
