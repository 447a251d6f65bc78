/**
 * The ledger (src/core/ledger.ts) as it is observed: a gateway per policy, a value of its own in each field, and a search through the store, the
 * log, the metrics and what APNs and FCM receive. It equals the ledger as declared, or the document is wrong.
 */
import { createECDH, randomBytes } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { fieldNames, learnedOf, PARTIES, type Field, type Learned, type Party } from '../src/core/ledger.ts'
import type { Delivery } from '../src/core/delivery.ts'
import { Keyring, parseKeyFile } from '../src/core/seal.ts'
import { openDeliveries } from '../src/queue/envelope.ts'
import { formsOf } from './helpers/canary.ts'
import { metricValue, startGateway, type TestGateway } from './helpers/gateway.ts'
import { newPushkey, startPushServices, type PushServices } from './helpers/push-services.ts'
import { until } from './helpers/received.ts'

const POLICIES = (['minimal', 'event_id_only', 'full'] as const).flatMap((privacy) =>
  (['badge', 'exact', 'none'] as const).map(
    (counts) => ({ privacy, counts, sealed: 'optional', service: 'apns' }) as const,
  ),
)
type Policy = (typeof POLICIES)[number]

const SERVICES = ['apns', 'fcm'] as const
type Service = (typeof SERVICES)[number]
const APPS = { apns: 'com.example.ios.*', fcm: 'com.example.android.*' } as const
/** What is given up stays in the store, where it can be looked at. */
const FAILS = { apns: 's400.rBadMessageId', fcm: 's400.rINVALID_ARGUMENT' } as const
const DIES = { apns: 'rUnregistered', fcm: 'rUNREGISTERED' } as const

const SOURCE_ADDRESS = '127.0.0.77'
const NUMBERS = { unread: 7_391_746_285_013, missed: 5_182_937_461_027, badge: 12_574_683_746_040 }
/** Later than any death, so that a dead pushkey comes back. */
const PUSHKEY_TS = 9_194_837_265

const valueOf = (field: Field): string => `zq${field.replaceAll('_', '')}zq`

/** By which text each field is recognised; the others are recognised by what they change. */
const TRACES: Partial<Record<Field, readonly string[]>> = {
  ...Object.fromEntries(
    [
      ...(['event_id', 'room_id', 'type', 'sender', 'sender_display_name', 'room_name', 'room_alias'] as const),
      ...(['membership', 'content', 'encrypted', 'app_id', 'pushkey', 'default_payload_allowed'] as const),
      ...(['default_payload', 'device_key', 'pusher_data', 'tweaks', 'unknown'] as const),
    ].map((field) => [field, [valueOf(field)]]),
  ),
  unread: [String(NUMBERS.unread)],
  missed_calls: [String(NUMBERS.missed)],
  pushkey_ts: [String(PUSHKEY_TS)],
  source_address: [SOURCE_ADDRESS, valueOf('source_address')],
}

const EVENT = {
  event_id: `$${valueOf('event_id')}`,
  room_id: `!${valueOf('room_id')}`,
  type: valueOf('type'),
  sender: `@${valueOf('sender')}`,
  sender_display_name: valueOf('sender_display_name'),
  room_name: valueOf('room_name'),
  room_alias: valueOf('room_alias'),
  membership: valueOf('membership'),
  user_is_target: true,
  content: { msgtype: 'm.text', body: valueOf('content') },
  counts: { unread: NUMBERS.unread, missed_calls: NUMBERS.missed },
  prio: 'high',
  unknown: valueOf('unknown'),
}
const ENCRYPTED = ['ephemeral', 'ciphertext', 'mac'].map((name) => [name, `${valueOf('encrypted')}${name}`])
const INVITATION = { ...EVENT, type: 'm.room.member', membership: 'invite' }

/** Its name has exactly 22 characters. */
const DEVICE_KEY = {
  v: 1,
  kid: valueOf('device_key').padEnd(22, 'x'),
  p256dh: createECDH('prime256v1').generateKeys('base64url'),
  auth: randomBytes(16).toString('base64url'),
}

/** Each is posted for a device of each push service. */
const NOTIFICATIONS = {
  event: EVENT,
  encrypted: { ...EVENT, ...Object.fromEntries(ENCRYPTED) },
  sealed: EVENT,
  counts: { counts: EVENT.counts },
  call: { ...EVENT, type: 'm.call.invite' },
  quiet: { ...EVENT, prio: 'low' },
  invitation: INVITATION,
  otherInvitation: { ...INVITATION, user_is_target: false },
} as const
type Name = keyof typeof NOTIFICATIONS
const NAMES: readonly Name[] = [
  'event',
  'encrypted',
  'sealed',
  'counts',
  'call',
  'quiet',
  'invitation',
  'otherInvitation',
]
const DYING = 'dying'
type DeviceName = Name | typeof DYING
const DEVICES: readonly DeviceName[] = [...NAMES, DYING]

/** What was found of one gateway. */
interface Observed {
  /** All that a party can read. */
  readonly views: Readonly<Record<Exclude<Party, 'gateway_memory'>, Buffer>>
  /** Deliveries in the store, as whoever has the key reads them, and their priority beside them. */
  readonly opened: readonly { readonly delivery: Delivery; readonly priority: number; readonly sealedBytes: number }[]
  readonly keyring: Keyring
  readonly metrics: string
}

let services: PushServices
beforeAll(async () => {
  services = await startPushServices()
})
afterAll(() => services[Symbol.asyncDispose]())

describe.each(POLICIES)('with privacy: $privacy and counts: $counts', (policy) => {
  it('each party learns of each field what the ledger says', { timeout: 60_000 }, async () => {
    const observed = await observe(policy)
    const lines = (learned: (field: Field, party: Party) => readonly Learned[]) =>
      fieldNames().flatMap((field) =>
        PARTIES.map((party) => `${field} | ${party} | ${learned(field, party).toSorted().join(', ') || 'nothing'}`),
      )
    // Both together; which loc-key APNs is told is in the type that FCM is told.
    const declared = lines((field, party) => [
      ...new Set(
        SERVICES.flatMap((service) => learnedOf(field, party, { ...policy, service })).filter(
          (learned) => party !== 'push_service' || learned !== 'category',
        ),
      ),
    ])
    expect(lines((field, party) => learnedBy(field, party, observed)).join('\n')).toBe(declared.join('\n'))
  })
})

function learnedBy(field: Field, party: Party, observed: Observed): Learned[] {
  // The request as it came is in it, whatever we do.
  if (party === 'gateway_memory') return ['as_sent']
  const view = observed.views[party]
  const openedText = Buffer.from(JSON.stringify(observed.opened.map(({ delivery }) => readable(delivery))))
  const isCount = field === 'unread' || field === 'missed_calls'
  const isIn = (bytes: Buffer) => (TRACES[field] ?? []).some((trace) => contains(bytes, trace))
  const hasSum = (bytes: Buffer) => isCount && contains(bytes, String(NUMBERS.badge))
  const found: [Learned, boolean][] = [
    ['as_sent', isIn(view) || isKnownOtherwise(field, party, observed)],
    ['sum_as_badge', hasSum(view)],
    ['sealed', party === 'store' && (isIn(openedText) || hasSum(openedText) || changesMessage(field, observed))],
    ['keyed_hash', hashesOf(field, observed.keyring).some((hash) => view.includes(hash))],
    [
      'short_hash',
      field === 'pushkey' && deviceHashes(observed.keyring).some((hash) => view.includes(shortened(hash))),
    ],
    ['app_name', field === 'app_id' && SERVICES.some((service) => view.includes(APPS[service]))],
    ['category', field === 'type' && party === 'store' && observed.opened.some(({ priority }) => priority === 0)],
    ['rounded', field === 'length' && party === 'store' && haveRoundedLengths(observed)],
    ['aggregate', party === 'metrics' && isCounted(field, observed.metrics)],
  ]
  return found.filter(([, isFound]) => isFound).map(([learned]) => learned)
}

/** What has no text of its own to look for. */
function isKnownOtherwise(field: Field, party: Party, { views, opened }: Observed): boolean {
  if (party === 'push_service' && (field === 'time' || field === 'length')) return views.push_service.length > 0
  if (party === 'push_service') return changesMessage(field, { opened })
  if (field === 'time') return party === 'log' ? /"time":"2/.test(views.log.toString()) : party === 'store'
  return false
}

/** Whether two notifications that differ in this field alone become different messages. */
function changesMessage(field: Field, { opened }: Pick<Observed, 'opened'>): boolean {
  const pair: readonly [Name, Name] | undefined =
    field === 'prio' ? ['event', 'quiet'] : field === 'user_is_target' ? ['invitation', 'otherInvitation'] : undefined
  if (pair === undefined) return false
  expect(opened.length).toBeGreaterThan(NAMES.length)
  return SERVICES.some((service) => {
    const [one, other] = pair.map((name) => {
      const found = opened.find(({ delivery }) => delivery.target.reveal() === pushkeyOf(service, name).pushkey)
      if (found === undefined) return 'nothing was sent'
      const {
        'apns-id': _id,
        'apns-collapse-id': _collapse,
        'apns-expiration': _expiry,
        ...headers
      } = found.delivery.message.headers
      return JSON.stringify([headers, found.delivery.message.body])
    })
    return one !== other
  })
}

/** Not all the same, but in steps. */
function haveRoundedLengths({ opened }: Observed): boolean {
  const lengths = [...new Set(opened.map(({ sealedBytes }) => sealedBytes))]
  return lengths.length > 1 && lengths.every((length) => (length - Math.min(...lengths)) % 1024 === 0)
}

function isCounted(field: Field, metrics: string): boolean {
  if (field === 'device_key') return (metricValue(metrics, 'hushgate_device_keys_total', { key: 'valid' }) ?? 0) > 0
  const name = { time: 'hushgate_notify_request_duration_seconds_count', length: 'hushgate_payload_bytes_sum' }
  return (field === 'time' || field === 'length') && (metricValue(metrics, name[field]) ?? 0) > 0
}

/** Text as it is in memory once the store's key has opened it. */
function readable({ target, ...rest }: Delivery): object {
  return { ...rest, target: target.reveal() }
}

function contains(bytes: Buffer, text: string): boolean {
  const haystack = bytes.toString('latin1')
  const lowerCase = haystack.toLowerCase()
  return formsOf(text).some(({ needle, isCaseSensitive = false }) =>
    (isCaseSensitive ? haystack : lowerCase).includes(needle),
  )
}

/** Names under which it may be found again, by whoever has the key. */
function hashesOf(field: Field, keyring: Keyring): readonly string[] {
  const each = (hash: (appId: string, target: string, data: string) => string) =>
    SERVICES.flatMap((service) =>
      DEVICES.map((name) => hash(appIdOf(service), pushkeyOf(service, name).pushkey, JSON.stringify(dataOf(name)))),
    )
  if (field === 'pushkey' || field === 'app_id') return deviceHashes(keyring)
  if (field === 'event_id') {
    const keys = each((appId, target, data) => keyring.hash('event', appId, target, data, EVENT.event_id))
    return [...keys, ...keys.map((key) => keyring.hash('collapse', key).slice(0, 32))]
  }
  if (field === 'pusher_data')
    return each((appId, target, data) => keyring.hash('event', appId, target, data, EVENT.event_id))
  if (field === 'room_id') {
    const rooms = each((appId, target) => keyring.hash('room', appId, target, EVENT.room_id))
    return [...rooms, ...rooms.map((room) => keyring.hash('collapse', room).slice(0, 32))]
  }
  if (field === 'pushkey_ts')
    return deviceHashes(keyring).map((device) => keyring.hash('registration', device, String(PUSHKEY_TS)))
  return []
}

function deviceHashes(keyring: Keyring): readonly string[] {
  return SERVICES.flatMap((service) =>
    DEVICES.map((name) => keyring.hash('device', appIdOf(service), pushkeyOf(service, name).pushkey)),
  )
}

function shortened(hash: string): string {
  return Buffer.from(hash, 'base64url').toString('hex', 0, 4)
}

function appIdOf(service: Service): string {
  return APPS[service].replace('*', valueOf('app_id'))
}

const tokens = new Map<string, string>()
/** One device per notification and push service. */
function pushkeyOf(service: Service, name: DeviceName): { readonly token: string; readonly pushkey: string } {
  const script = name === DYING ? DIES[service] : FAILS[service]
  const token = tokens.get(`${service} ${name}`) ?? `${newPushkey(script).token}-${valueOf('pushkey')}`
  tokens.set(`${service} ${name}`, token)
  return { token, pushkey: service === 'apns' ? Buffer.from(token).toString('base64') : token }
}

async function observe(policy: Policy): Promise<Observed> {
  tokens.clear()
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-ledger-'))
  try {
    const gateway = await startGateway({ folder, appsYaml: appsYaml(policy) })
    let metrics: string
    try {
      for (const name of NAMES) await post(gateway, NOTIFICATIONS[name], name)
      await post(gateway, EVENT, DYING)
      await settled(gateway)
      // Registered again after its death: it is tried, which is written down.
      await post(gateway, { ...EVENT, event_id: '$another' }, DYING)
      await settled(gateway)
      metrics = await gateway.metrics()
    } finally {
      await gateway.close()
    }
    const keyring = parseKeyFile(await readFile(join(folder, 'keys'), 'utf8'))
    if (!(keyring instanceof Keyring)) throw new Error('the key file cannot be read')
    const names = (await readdir(folder)).filter((name) => name.startsWith('hushgate.db'))
    const files = await Promise.all(names.map((name) => readFile(join(folder, name))))
    const pushes = [...tokens.values()].flatMap((token) => services.of(token))
    const views = {
      store: Buffer.concat(files),
      log: Buffer.from(gateway.log()),
      metrics: Buffer.from(metrics),
      push_service: Buffer.from(JSON.stringify(pushes)),
    }
    return { views, opened: openStored(join(folder, 'hushgate.db'), keyring), keyring, metrics }
  } finally {
    await rm(folder, { recursive: true })
  }
}

function appsYaml({ privacy, counts }: Policy): string {
  const { apps } = parse(services.appsYaml)
  const sections = {
    [APPS.apns]: { ...apps['com.example.ios'], privacy, counts },
    [APPS.fcm]: { ...apps['com.example.android'], privacy, counts, badge_pushes: 'send' },
  }
  return `apps: ${JSON.stringify(sections)}`
}

function openStored(path: string, keyring: Keyring): Observed['opened'] {
  using database = new DatabaseSync(path)
  return database
    .prepare('select app, priority, sealed from dead_letter')
    .all()
    .flatMap(({ app, priority, sealed }) => {
      if (!(sealed instanceof Uint8Array)) throw new Error('nothing is sealed')
      return openDeliveries(keyring, String(app), sealed).map((delivery) => ({
        delivery,
        priority: Number(priority),
        sealedBytes: sealed.byteLength,
      }))
    })
}

function dataOf(name: DeviceName): object {
  return {
    brand: valueOf('pusher_data'),
    ...(name === 'sealed' ? { hushgate_key: DEVICE_KEY } : {}),
    default_payload: { cs: valueOf('default_payload_allowed'), other: valueOf('default_payload') },
  }
}

/** From an address of its own. */
async function post({ url }: TestGateway, notification: object, name: DeviceName): Promise<void> {
  const devices = SERVICES.map((service) => ({
    app_id: appIdOf(service),
    pushkey: pushkeyOf(service, name).pushkey,
    pushkey_ts: PUSHKEY_TS,
    tweaks: { sound: valueOf('tweaks') },
    data: dataOf(name),
  }))
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const headers = { 'user-agent': valueOf('source_address') }
    const options = { method: 'POST', localAddress: SOURCE_ADDRESS, headers }
    request(`${url}/_matrix/push/v1/notify`, options, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
      .on('error', reject)
      .end(JSON.stringify({ notification: { ...notification, devices } }))
  })
  expect(status).toBe(200)
}

/** What was queued has failed or been rejected; some notifications are not queued at all under some policies. */
async function settled(gateway: TestGateway): Promise<void> {
  for (const service of SERVICES)
    await until(`everything for ${service} is settled`, async () => {
      const metrics = await gateway.metrics()
      const count = (name: string, labels: Record<string, string>) =>
        metricValue(metrics, name, { app: APPS[service], ...labels }) ?? 0
      const ended = ['failed', 'rejected'].map((outcome) => count('hushgate_outcomes_total', { outcome }))
      const queued = count('hushgate_devices_received_total', { intake: 'queued' })
      return queued > 0 && ended.reduce((sum, each) => sum + each, 0) === queued
    })
}
