/** Many pushes for one Web Push host that is away: they wait together and cost nothing, and all leave when it is back. On both stores. */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createVapidKey } from '../../src/commands/keygen.ts'
import { createAuthority } from '../../src/simulators/certificate.ts'
import { startWebPushSimulator, type Subscription, type WebPushSimulator } from '../../src/simulators/webpush.ts'
import { metricValue, startGateway, type TestGateway } from '../helpers/gateway.ts'
import { until } from '../helpers/received.ts'
import { startStores, STORES, type TestStores } from '../helpers/stores.ts'

const APP = 'com.example.web'
const PUSHES = 200

let folder: string
let stores: TestStores
let simulator: WebPushSimulator
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hushgate-dead-host-'))
  const authority = createAuthority()
  await writeFile(join(folder, 'ca.pem'), authority.certificate)
  await writeFile(join(folder, 'vapid.pem'), createVapidKey())
  stores = await startStores()
  simulator = await startWebPushSimulator({ authority })
})
afterAll(async () => {
  await simulator.close()
  await stores.stop()
  await rm(folder, { recursive: true })
})

async function post(gateway: TestGateway, { p256dh, auth, endpoint }: Subscription): Promise<void> {
  const device = { app_id: APP, pushkey: p256dh, data: { endpoint, auth } }
  await gateway.notify({ event_id: `$${randomUUID()}`, room_id: '!room', devices: [device] })
}

const attempts = async (gateway: TestGateway) =>
  metricValue(await gateway.metrics(), 'hushgate_attempts_total', { app: APP }) ?? 0
const waiting = async (gateway: TestGateway) => {
  const text = await gateway.metrics()
  const count = (state: string) => metricValue(text, 'hushgate_queue_deliveries', { app: APP, state }) ?? 0
  return { delayed: count('delayed'), others: count('waiting') + count('active') }
}

describe.each(STORES)('on %s', (store) => {
  it('a host that is away is not asked for each push, and gets all of them once it answers one', async () => {
    // The pause passes at once; the stores' own times are the real ones.
    let aheadMs = 0
    await using gateway = await startGateway({
      folder: await mkdtemp(join(folder, `${store}-`)),
      store: stores.section(store),
      nowMs: () => Date.now() + aheadMs,
      appsYaml: `apps:
  ${APP}:
    type: webpush
    vapid_private_key_file: ../vapid.pem
    vapid_subject: mailto:ops@example.org
    allow_private_endpoints: [127.0.0.1]
    ca_file: ../ca.pem
`,
    })
    simulator.setFault('tls')
    const phone = simulator.subscribe(`phone-${store}`)
    const refused = async () => {
      await post(gateway, phone)
      const text = await gateway.metrics()
      return (metricValue(text, 'hushgate_push_service_refusals_total', { app: APP, outcome: 'waits' }) ?? 0) > 0
    }
    await until('the host is left alone', refused)
    await until('nothing is under way', async () => (await waiting(gateway)).others === 0)
    const before = await attempts(gateway)

    for (let count = 0; count < PUSHES; count += 1) await post(gateway, phone)
    await until('all wait', async () => {
      const { delayed, others } = await waiting(gateway)
      return others === 0 && delayed >= PUSHES
    })
    // Those from before may have been due again.
    expect((await attempts(gateway)) - before).toBeLessThan(before + 10)

    simulator.setFault(undefined)
    aheadMs = 40_000
    const arrived = simulator.received.length
    await post(gateway, phone)
    await until('all have arrived', () => simulator.received.length - arrived >= PUSHES)
  })
})
