/** A gateway with an app per policy and push service, everything that is posted to it, and all that each party can then read. */
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { parse } from 'yaml'
import type { Delivery } from '../../src/core/delivery.ts'
import type { JsonObject } from '../../src/core/json.ts'
import type { Party } from '../../src/privacy/ledger.ts'
import { Keyring, parseKeyFile } from '../../src/core/keyring.ts'
import { openDeliveries } from '../../src/store/envelope.ts'
import { createAuthority } from '../../src/simulators/certificate.ts'
import { startWebPushSimulator, type ReceivedWebPush } from '../../src/simulators/webpush.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import {
  appIdOf,
  CASES,
  NAMES,
  notificationsOf,
  numbersOf,
  pusherDataOf,
  RELEASE_EVERY_MS,
  scriptOf,
  SOURCE_ADDRESS,
  valueOf,
  type LedgerCase,
  type Name,
} from './cases.ts'
import { startOtlpCollector } from '../helpers/otlp-collector.ts'
import { DECLARATIVE } from './services.ts'
import { startHuawei } from '../helpers/huawei.ts'
import { startPushServices, type ReceivedPush } from '../helpers/push-services.ts'
import { until } from '../helpers/received.ts'
import { startRedis } from '../helpers/redis.ts'
import type { StoreName } from '../helpers/stores.ts'

/** A device as the homeserver names it, and by what its push service knows it. */
export interface PostedDevice {
  readonly ledgerCase: LedgerCase
  readonly name: Name
  readonly token: string
  readonly pushkey: string
  readonly data: JsonObject
}

/** What of one stored entry can be read without any key, and what with the store's. */
export interface Stored {
  readonly app: string
  /** As the store orders by it. */
  readonly order: number
  readonly sealedBytes: number
  readonly times: readonly number[]
  readonly opened: readonly Delivery[]
}

export interface Observation {
  readonly devices: readonly PostedDevice[]
  /** All that a party can read, as bytes. */
  readonly views: Readonly<Record<Exclude<Party, 'gateway_memory'>, Buffer>>
  readonly stored: readonly Stored[]
  /** What APNs and FCM received, and the push services of browsers: as they see it. */
  readonly pushes: readonly Omit<ReceivedPush, 'service' | 'status'>[]
  readonly webPushes: readonly ReceivedWebPush[]
  readonly keyring: Keyring
  readonly startedAtMs: number
}

export async function observeLedger(store: StoreName): Promise<Observation> {
  const startedAtMs = Date.now()
  await using services = await startPushServices()
  const authority = createAuthority()
  const browsers = await startWebPushSimulator({ authority })
  await writeFile(join(services.folder, 'web-ca.pem'), authority.certificate)
  const huawei = await startHuawei(services.folder, authority, join(services.folder, 'web-ca.pem'))
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  await writeFile(join(services.folder, 'vapid.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-ledger-'))
  const opened = store === 'redis' ? await openRedis() : undefined
  await using collector = await startOtlpCollector()
  try {
    const devices = CASES.flatMap((ledgerCase) =>
      NAMES.map((name): PostedDevice => newDevice(ledgerCase, name, browsers)),
    )
    const gateway = await startGateway({
      folder,
      appsYaml: appsYaml(services.appsYaml, services.folder, huawei.section),
      // What is tried again is to end as it was told to, and not for its age.
      settings: `queue: { encryption_key_file: keys, call_max_age: 1h }\ntracing: { otlp_url: "${collector.url}" }`,
      ...(opened === undefined ? {} : { store: `{ url: "redis://127.0.0.1:${opened.port}" }` }),
    })
    let metrics: string
    try {
      const isReleased = ({ ledgerCase }: PostedDevice) => ledgerCase.releaseEveryMs !== undefined
      await until('a tick has just begun', () => Date.now() % RELEASE_EVERY_MS < RELEASE_EVERY_MS / 10)
      await postAll(gateway, devices.filter(isReleased))
      const others = devices.filter((device) => !isReleased(device))
      for (let start = 0; start < others.length; start += PUSHES_AT_ONCE)
        await postAll(gateway, others.slice(start, start + PUSHES_AT_ONCE))
      // Registered again after its death: it is tried, which is written down.
      await postAll(
        gateway,
        devices.filter(({ name }) => name === 'dying'),
        { event_id: '$another' },
      )
      metrics = await gateway.metrics()
    } finally {
      await gateway.close()
    }
    const keyring = parseKeyFile(await readFile(join(folder, 'keys'), 'utf8'))
    if (!(keyring instanceof Keyring)) throw new Error('the key file cannot be read')
    const read = opened === undefined ? readSqlite(folder, keyring) : opened.read(keyring)
    const { bytes, stored } = await read
    const huaweiPushes = huawei.simulator.received.map(({ token, message, atMs }) => ({
      token,
      headers: {},
      body: message,
      atMs,
    }))
    const pushes = [...services.received, ...huaweiPushes]
    const webPushes = [...browsers.received]
    const views = {
      store: bytes,
      log: Buffer.from(gateway.log()),
      metrics: Buffer.from(metrics),
      traces: Buffer.from(collector.bodies.join('\n')),
      push_service: Buffer.concat([
        Buffer.from(JSON.stringify(pushes)),
        ...webPushes.flatMap(({ name, headers, body }) => [Buffer.from(JSON.stringify({ name, headers })), body]),
      ]),
    }
    return { devices, views, stored, pushes, webPushes, keyring, startedAtMs }
  } finally {
    await opened?.stop()
    await browsers.close()
    await huawei.simulator.close()
    await rm(folder, { recursive: true })
  }
}

function newDevice(
  ledgerCase: LedgerCase,
  name: Name,
  browsers: Awaited<ReturnType<typeof startWebPushSimulator>>,
): PostedDevice {
  const { service, isEndToEnd } = ledgerCase
  const token = `x${scriptOf(service, name)}-${randomUUID()}-${valueOf('pushkey', ledgerCase)}`
  const common = { ledgerCase, name, token }
  const data = pusherDataOf(ledgerCase, name)
  if (service === 'apns') return { ...common, pushkey: Buffer.from(token).toString('base64'), data }
  if (service !== 'webpush' && service !== 'declarative' && service !== 'unifiedpush')
    return { ...common, pushkey: token, data }
  const { endpoint, p256dh, auth } = browsers.subscribe(token, {
    origin: `https://localhost:${browsers.port}`,
    isPlain: isEndToEnd === false,
    needsNoVapid: service === 'unifiedpush',
  })
  return isEndToEnd === true
    ? { ...common, pushkey: p256dh, data: { ...data, endpoint, auth } }
    : { ...common, pushkey: endpoint, data }
}

function appsYaml(yaml: string, folder: string, hms: object): string {
  const { apps } = parse(yaml)
  const fcm = { ...apps['com.example.android'], badge_pushes: 'send' }
  const webpush = {
    type: 'webpush',
    vapid_private_key_file: join(folder, 'vapid.pem'),
    vapid_subject: 'mailto:ops@example.org',
    allow_private_endpoints: ['localhost'],
    ca_file: join(folder, 'web-ca.pem'),
  }
  const unifiedpush = {
    type: 'unifiedpush',
    allowed_endpoints: ['localhost'],
    allow_private_endpoints: ['localhost'],
    ca_file: join(folder, 'web-ca.pem'),
  }
  const hedwig = { ...fcm, payload_style: 'hedwig' }
  const declarative = { ...webpush, declarative: DECLARATIVE }
  const sections = { apns: apps['com.example.ios'], declarative, fcm, hedwig, hms, unifiedpush, webpush }
  const entries = CASES.map(({ app, service, privacy, counts, sealed, isEndToEnd, releaseEveryMs }) => [
    app,
    {
      ...sections[service],
      privacy,
      counts,
      ...(releaseEveryMs === undefined ? {} : { release_every: `${releaseEveryMs / 1000}s` }),
      ...(sealed === 'ignored' ? { allow_unencrypted: isEndToEnd === false } : { sealed }),
    },
  ])
  return `apps: ${JSON.stringify(Object.fromEntries(entries))}`
}

const REQUESTS_AT_ONCE = 20
/** A gateway with so many apps opens a connection for each: not all at once, or a busy machine answers none of them in time. */
const PUSHES_AT_ONCE = 150
/** On a busy machine a push may have to be tried again. */
const SETTLE_MS = 180_000

/** Resolves when every push that was queued has ended. */
async function postAll(gateway: TestGateway, devices: readonly PostedDevice[], change: object = {}): Promise<void> {
  for (let start = 0; start < devices.length; start += REQUESTS_AT_ONCE)
    await Promise.all(devices.slice(start, start + REQUESTS_AT_ONCE).map((device) => post(gateway, device, change)))
  const sum = (metrics: string, name: string, value: string): number =>
    [...metrics.matchAll(new RegExp(`^${name}{.*"${value}".*} (\\d+)$`, 'gm'))].reduce(
      (total, [, count]) => total + Number(count),
      0,
    )
  const haveEnded = async (): Promise<boolean> => {
    const metrics = await gateway.metrics()
    const queued = sum(metrics, 'hushgate_devices_received_total', 'queued')
    return queued > 0 && sum(metrics, 'hushgate_outcomes_total', '(?:failed|rejected)') === queued
  }
  await until('all pushes have ended', haveEnded, SETTLE_MS)
}

/** From an address of its own; as a homeserver does, the same again while it cannot be stored at the moment. */
async function post(gateway: TestGateway, device: PostedDevice, change: object): Promise<void> {
  const { ledgerCase, name, pushkey, data } = device
  const posted = {
    app_id: appIdOf(ledgerCase),
    pushkey,
    pushkey_ts: numbersOf(ledgerCase).pushkeyTs,
    tweaks: { sound: valueOf('tweaks', ledgerCase) },
    data,
  }
  const notification = { ...notificationsOf(ledgerCase)[name], ...change, devices: [posted] }
  const headers = { 'user-agent': valueOf('source_address', ledgerCase) }
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const options = { method: 'POST', localAddress: SOURCE_ADDRESS, headers }
    request(`${gateway.url}/_matrix/push/v1/notify`, options, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
      .on('error', reject)
      .end(JSON.stringify({ notification }))
  })
  if (status === 503) return post(gateway, device, change)
  if (status !== 200) throw new Error(`answered ${status}`)
}

interface ReadStore {
  /** The files, byte for byte; of Redis also each command that it was told. */
  readonly bytes: Buffer
  readonly stored: readonly Stored[]
}

async function readSqlite(folder: string, keyring: Keyring): Promise<ReadStore> {
  const files = (await readdir(folder)).filter((name) => name.startsWith('hushgate.db'))
  const bytes = Buffer.concat(await Promise.all(files.map((name) => readFile(join(folder, name)))))
  using database = new DatabaseSync(join(folder, 'hushgate.db'))
  const rows = database.prepare('select app, priority, accepted_at, died_at, sealed from dead_letter').all()
  const stored = rows.map(({ app, priority, accepted_at, died_at, sealed }) => {
    if (!(sealed instanceof Uint8Array)) throw new Error('nothing is sealed')
    return {
      app: String(app),
      order: Number(priority),
      sealedBytes: sealed.byteLength,
      times: [Number(accepted_at), Number(died_at)],
      opened: openDeliveries(keyring, String(app), sealed),
    }
  })
  return { bytes, stored }
}

async function openRedis() {
  // Compressed, a text could not be found in its files.
  const redis = await startRedis({ settings: { rdbcompression: 'no' } })
  const commands: string[][] = []
  const client = await redis.client()
  const monitor = await client.monitor()
  monitor.on('monitor', (_time: string, args: string[]) => commands.push(args))
  return {
    port: redis.port,
    async read(keyring: Keyring): Promise<ReadStore> {
      await client.save()
      const files = await redis.appendOnlyFiles()
      return {
        bytes: Buffer.concat([files, Buffer.from(JSON.stringify(commands))]),
        stored: commands.flatMap((command) => storedBy(command, keyring)),
      }
    },
    async stop() {
      monitor.disconnect()
      await redis.stop()
    },
  }
}

/** What BullMQ writes down of a job, if the command is that. */
function storedBy([command = '', key = '', ...values]: readonly string[], keyring: Keyring): Stored[] {
  const [, name] = /^\{hushgate:([^}:]+)\}:queue:[^:]+$/.exec(key) ?? []
  if (name === undefined || command.toLowerCase() !== 'hmset' || values[0] !== 'name') return []
  const app = decodeURIComponent(name)
  const json = (field: string): object => JSON.parse(values[values.indexOf(field) + 1] ?? '')
  const { sealed, acceptedAtMs, expiresAtMs, dueAtMs } = Object.assign(json('data'))
  const { priority = 0 } = Object.assign(json('opts'))
  const bytes = Buffer.from(sealed, 'base64')
  return [
    {
      app,
      order: priority,
      sealedBytes: bytes.length,
      times: [acceptedAtMs, expiresAtMs, dueAtMs],
      opened: openDeliveries(keyring, app, bytes),
    },
  ]
}
