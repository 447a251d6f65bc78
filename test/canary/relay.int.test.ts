/**
 * Of what is relayed (docs/webpush-relay.md) nobody but the push service finds anything: not in the store, the log, the metrics, or what the operator is told,
 * while it waits, is given up, is sent, and its device dies.
 */
import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { observe, sinksOf } from './sinks.ts'
import { startCanaryServices, type CanaryServices, type ServiceDevice, type Way } from './services.ts'
import { metricValue } from '../helpers/gateway.ts'
import type { GatewayProcess } from '../helpers/gateway-process.ts'
import { until } from '../helpers/received.ts'
import { RelayedApp, RELAY_ORIGIN, WebPushHomeserver } from '../helpers/relayed-device.ts'
import { STORES } from '../helpers/stores.ts'

const WAYS: readonly Way[] = ['works', 'unreachable', 'refuses', 'quotes']
/** What a push service is told to answer, beside what an app has wrong with it. */
const SCRIPTS = ['', 's503.a1.n1', 's400.rBadMessageId', 'rUnregistered']

const homeserver = new WebPushHomeserver()

/** Everything that one message has in it, by which it, its device or its sender could be found. */
interface Sent {
  readonly device: ServiceDevice
  readonly needles: Readonly<Record<string, string | Buffer>>
}

let services: CanaryServices
beforeAll(async () => {
  services = await startCanaryServices()
})
afterAll(() => services[Symbol.asyncDispose]())

const appIdOf = (way: Way): string => `com.example.relayed.${way}`

async function send(gateway: GatewayProcess, way: Way, script: string): Promise<Sent> {
  const device = services.device('apns', way, script)
  const app = new RelayedApp()
  const endpoint = await app.trade(gateway.url, appIdOf(way), device.pushkey, homeserver.vapid)
  const record = app.encrypt('the text')
  const topic = randomBytes(24).toString('base64url')
  const authorization = homeserver.authorization()
  const needles = {
    pushkey: device.pushkey,
    token: device.token,
    'token in hex': Buffer.from(device.token).toString('hex'),
    endpoint: endpoint.slice(-100),
    'endpoint in bytes': Buffer.from(endpoint.split('/').at(-1) ?? '', 'base64url'),
    record: record.toString('base64url'),
    'record in bytes': record,
    kid: app.kid,
    topic,
    'key of the homeserver': homeserver.vapid,
    'word of the homeserver': authorization.slice(8, 200),
  }
  // On a busy machine the store may take longer than a second, which homeservers are told.
  await until('it is accepted', async () => {
    const { status } = await homeserver.post(endpoint, record, { topic, authorization })
    expect(status).toBeOneOf([201, 503])
    return status === 201
  })
  return { device, needles }
}

describe.each(STORES)('on %s', (store) => {
  const sent: Sent[] = []
  const found = observe(
    store,
    () =>
      Object.fromEntries(
        WAYS.map((way) => [appIdOf(way), { ...services.section('apns', way), webpush_relay: RELAY_ORIGIN }]),
      ),
    async (gateway, look) => {
      for (const way of WAYS)
        for (const script of way === 'works' ? SCRIPTS : ['']) sent.push(await send(gateway, way, script))
      await look()
      await until('all is settled that can be', async () => {
        const metrics = await gateway.admin('/metrics')
        const outcomes = (way: Way, outcome: string): number =>
          metricValue(metrics, 'hushgate_outcomes_total', { app: appIdOf(way), outcome }) ?? 0
        const isBlocked = metricValue(metrics, 'hushgate_app_blocked', { app: appIdOf('refuses') }) === 1
        const settled = ['delivered', 'failed', 'rejected'].map((outcome) => outcomes('works', outcome))
        return isBlocked && settled.join() === '2,1,1'
      })
    },
  )

  it.each(sinksOf(store))('nothing is found in %s', (sink) => {
    const bytes = found(sink)
    expect(bytes.length).toBeGreaterThan(0)
    const names = sent.flatMap(({ needles }) => Object.entries(needles).filter(([, needle]) => bytes.includes(needle)))
    expect(names.map(([name]) => name)).toEqual([])
  })

  it('Apple was sent the record and the name of its keys, and neither topic nor sender', () => {
    const [{ device, needles } = { device: undefined, needles: {} }] = sent
    const seen = Buffer.concat([...services.of(device?.token ?? '')])
    const names = Object.entries(needles).filter(([, needle]) => seen.includes(needle))
    expect(names.map(([name]) => name)).toEqual(['token in hex', 'record', 'kid'])
  })
})
