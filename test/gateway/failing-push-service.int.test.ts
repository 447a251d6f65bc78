/** A push service that answers nothing but 503, and does not say for how long: it is left in peace, and gets all when it is well again. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startGateway } from '../helpers/gateway.ts'
import { until } from '../helpers/received.ts'
import { startStores, STORES, type TestStores } from '../helpers/stores.ts'
import { createRig, TOPIC } from '../providers/apns/rig.ts'

const PUSHES = 100
const PROBES = 3

let stores: TestStores
beforeAll(async () => {
  stores = await startStores()
})
afterAll(() => stores.stop())

it.each(STORES)('gets a few pushes, and then one after each of growing pauses, on %s', async (name) => {
  await using rig = createRig()
  const apns = await rig.simulate()
  apns.setFault('unavailable')
  const options = { type: 'apns', ...rig.options, endpoint: apns.url }
  const appsYaml = `apps: ${JSON.stringify({ [TOPIC]: options })}`
  await using gateway = await startGateway({ appsYaml, store: stores.section(name) })
  const devices = [{ app_id: TOPIC, pushkey: Buffer.from('device').toString('base64') }]
  for (let push = 0; push < PUSHES; push += 1) await gateway.notify({ event_id: `$${push}`, devices })
  await until('it is left in peace', () => gateway.log().includes('Deliveries wait'))
  const before = apns.received.length
  await until('it was asked again', () => apns.received.length >= before + PROBES)
  const tried = apns.received.length
  apns.setFault(undefined)
  const delivered = (): number => apns.received.filter(({ status }) => status === 200).length
  await until('all are delivered', () => delivered() === PUSHES)
  expect(tried).toBeLessThan(PUSHES)
})
