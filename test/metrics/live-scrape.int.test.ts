/** What a running gateway tells at `/metrics`, beside what is written of it, and whatever strangers post. */
import { globSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'
import { until } from '../helpers/received.ts'

const IOS = 'com.example.ios'
const ANDROID = 'com.example.android'
const ROOT = join(import.meta.dirname, '../..')
/** Those without a series in such a gateway, with what they need. */
const WITHOUT_SERIES = new Map([
  ['hushgate_credential_expiry_timestamp_seconds', 'a certificate'],
  ['hushgate_webpush_relay_requests_total', 'an app that relays Web Push'],
  ['hushgate_device_keys_total', 'an app whose pushes can be sealed to the device'],
])

let services: PushServices
let folder: string
let gateway: TestGateway
beforeAll(async () => {
  services = await startPushServices()
  folder = await mkdtemp(join(tmpdir(), 'hushgate-scrape-'))
  await writeFile(join(folder, 'canary'), newPushkey().apns)
  const settings = `canary: [{ app: ${IOS}, pushkey_file: canary, every: 1m }]\n`
  gateway = await startGateway({ appsYaml: services.appsYaml, folder, settings })
})
afterAll(async () => {
  await gateway.close()
  await services[Symbol.asyncDispose]()
  await rm(folder, { recursive: true })
})

let events = 0
async function push(appId: string, pushkey: string, more: object = {}): Promise<void> {
  const devices = [{ app_id: appId, pushkey }]
  await gateway.notify({ event_id: `$${(events += 1)}`, room_id: '!room:example.org', prio: 'high', devices, ...more })
}

/** Without what Node.js tells of itself. */
async function seriesOfOurs(): Promise<readonly string[]> {
  const lines = (await gateway.metrics()).split('\n').filter((line) => line.startsWith('hushgate_'))
  return lines.map((line) => line.slice(0, line.lastIndexOf(' '))).toSorted()
}

const nameOf = (series: string): string => series.replace(/\{.*/, '').replace(/_(?:bucket|sum|count)$/, '')

it('a live scrape has every metric that an alert, the dashboard or a document names, and no other', async () => {
  await push(IOS, newPushkey().apns)
  await push(IOS, newPushkey('rUnregistered').apns)
  await push(IOS, newPushkey('s400.rBadMessageId').apns)
  await push(IOS, newPushkey().apns, { type: 'm.call.invite' })
  await push(ANDROID, newPushkey('s503.n1').fcm)
  await push('com.example.mistyped', newPushkey().fcm)
  await until('one waits to be tried again', async () =>
    /^hushgate_retries_total\{.*\} 1$/m.test(await gateway.metrics()),
  )
  await until('one was given up', async () => /^hushgate_dead.* 1$|state="dead"\} 1$/m.test(await gateway.metrics()))
  const text = await gateway.metrics()
  const told = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name = '']) => name)
  const documented = [
    ...readFileSync(join(ROOT, 'docs/metrics.md'), 'utf8').matchAll(/^\| `(hushgate_\w+)` \| (?:c|g|h)/gm),
  ]
  expect(told.filter((name) => name.startsWith('hushgate_')).toSorted()).toEqual(
    documented.map(([, name = '']) => name).toSorted(),
  )
  const files = ['docs/*.md', 'helm/files/*', 'helm/templates/*', 'config/examples/monitoring/**/*.{yml,yaml,json}']
  const ofNode = globSync(files, { cwd: ROOT }).flatMap((path) =>
    [...readFileSync(join(ROOT, path), 'utf8').matchAll(/\b(?:nodejs|process)_\w+_(?:bytes|seconds|total)\b/g)].map(
      ([name]) => name,
    ),
  )
  expect(ofNode).not.toEqual([])
  expect(ofNode.filter((name) => !told.includes(name))).toEqual([])
  const withSeries = new Set((await seriesOfOurs()).map(nameOf))
  expect(
    documented.map(([, name = '']) => name).filter((name) => !withSeries.has(name) && !WITHOUT_SERIES.has(name)),
  ).toEqual([])
})

it('a thousand made-up app_ids, and as many pushkeys, add no series', async () => {
  const accepted = (): number => services.received.filter(({ status }) => status === 200).length
  const before = await seriesOfOurs()
  const acceptedBefore = accepted()
  for (let start = 0; start < 1000; start += 50)
    await Promise.all(
      Array.from({ length: 50 }, async (_, index) => {
        await push(`com.example.made-up-${start + index}`, newPushkey().fcm)
        await push(IOS, newPushkey().apns)
      }),
    )
  await until('all are delivered', () => accepted() >= acceptedBefore + 1000)
  expect(await seriesOfOurs()).toEqual(before)
})
