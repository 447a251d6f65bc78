/** Doors of a whole gateway: secrets that change while it runs, what is counted, and that no secret is anywhere it should not be. */
import { randomUUID } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { metricValue, startGateway, type TestGateway } from '../helpers/gateway.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'

const [OLD, NEW, WRONG] = ['canary-old-secret-of-a-url', 'canary-new-secret-of-a-url', 'canary-wrong-secret-of-a-url']
const DOORS = ', url_secrets_file: url-secrets, url_secrets_mode: '

let services: PushServices
let folder: string
let gateway: TestGateway
beforeAll(async () => {
  services = await startPushServices()
  folder = await mkdtemp(join(tmpdir(), 'hushgate-doors-'))
  await writeSecrets(OLD)
  gateway = await startGateway({ folder, appsYaml: services.appsYaml, httpYaml: `${DOORS}enforce` })
})
afterAll(async () => {
  await gateway.close()
  await services[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

const writeSecrets = (...secrets: string[]) => writeFile(join(folder, 'url-secrets'), secrets.join('\n'))

/** The status, and whether it came to the push service if it was accepted. */
async function post(secret: string): Promise<number> {
  const { token, apns } = newPushkey()
  const notification = { event_id: `$${token}`, devices: [{ app_id: 'com.example.ios', pushkey: apns }] }
  const response = await fetch(`${gateway.url}/_matrix/push/v1/notify?k=${secret}`, {
    method: 'POST',
    body: JSON.stringify({ notification }),
  })
  if (response.status === 200) await services.waitFor(token, 1)
  return response.status
}
const statuses = async () => [await post(OLD), await post(NEW), await post(WRONG)]
const counted = async (result: string) =>
  metricValue(await gateway.metrics(), 'hushgate_door_total', { door: 'url_secret', result })

it('a secret is replaced while the gateway runs: for a time both hold, then only the new one', async () => {
  expect(await statuses()).toEqual([200, 403, 403])
  await writeSecrets(OLD, NEW)
  expect(await gateway.reload({})).toEqual([])
  expect(await statuses()).toEqual([200, 200, 403])
  await writeSecrets(NEW)
  expect(await gateway.reload({})).toEqual([])
  expect(await statuses()).toEqual([403, 200, 403])
})

it('each that is refused is counted', async () => {
  expect(await counted('refused')).toBe(5)
  expect(await counted('observed')).toBe(0)
})

it('a file that is spoilt is refused, and the secrets in use stay', async () => {
  await writeSecrets('short')
  await expect(gateway.reload({})).rejects.toThrow('http.url_secrets_file')
  expect(await statuses()).toEqual([403, 200, 403])
})

it('no secret, right or wrong, is in the log, the metrics, the statement of privacy or the store', async () => {
  await writeSecrets(NEW)
  const texts = [gateway.log(), await gateway.metrics(), await (await fetch(gateway.url)).text()]
  for (const name of await readdir(folder))
    if (name !== 'url-secrets') texts.push(await readFile(join(folder, name), 'latin1'))
  expect(texts.join('')).not.toMatch(/canary-|secret-of-a-url/)
  expect(texts.join('')).toContain('com.example.ios')
})

it('what one source posts in a minute is limited, counted, and limited otherwise after a reload; no address is told', async () => {
  const limit = (devices: number) =>
    `, trust_proxy: [], limit_per_source: { devices_per_minute: ${devices}, bytes_per_minute: 1MiB }`
  await using limited = await startGateway({ appsYaml: services.appsYaml, httpYaml: limit(100) })
  // So many that it takes a minute until there is room for a second one.
  const pushFor = (devices: number) =>
    limited.post(
      JSON.stringify({
        notification: {
          event_id: `$${randomUUID()}`,
          devices: Array.from({ length: devices }, () => ({ app_id: 'com.example.ios', pushkey: newPushkey().apns })),
        },
      }),
    )
  expect((await pushFor(100)).status).toBe(200)
  expect(await pushFor(100)).toMatchObject({ status: 503, json: { errcode: 'M_LIMIT_EXCEEDED' } })
  const labels = { door: 'source_limit', result: 'refused' }
  expect(metricValue(await limited.metrics(), 'hushgate_door_total', labels)).toBe(1)
  expect(
    metricValue(await limited.metrics(), 'hushgate_devices_received_total', {
      app: 'com.example.ios',
      intake: 'queued',
    }),
  ).toBe(100)
  expect(limited.log()).toContain('A source sends more than http.limit_per_source allows')
  const texts = [limited.log().replaceAll(/http:\/\/127\.0\.0\.1:\d+/g, ''), await limited.metrics()]
  expect(texts.join('')).not.toContain('127.0.0.1')
  expect(await limited.reload({ httpYaml: limit(200) })).toEqual([])
  expect([(await pushFor(100)).status, (await pushFor(100)).status, (await pushFor(100)).status]).toEqual([
    200, 200, 503,
  ])
  expect(await limited.reload({ httpYaml: limit(200).replace('[]', '[127.0.0.1]') })).toEqual([])
  expect((await pushFor(100)).status).toBe(200)
})
