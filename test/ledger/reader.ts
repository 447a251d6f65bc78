/** What each party can read out of what it has: by values, by hashes that whoever has the key can make, and by what two notifications have different. */
import type { Delivery } from '../../src/core/delivery.ts'
import type { Disclosure, Field } from '../../src/core/disclosure.ts'
import type { Party } from '../../src/privacy/ledger.ts'
import { metricValue } from '../helpers/gateway.ts'
import {
  appIdOf,
  CASES,
  idsOf,
  needlesOf,
  numbersOf,
  PAIRS,
  type FieldNeedle,
  type LedgerCase,
  type Name,
} from './cases.ts'
import type { Observation, PostedDevice, Stored } from './observation.ts'
import { KINDS } from './services.ts'
import { createSearch } from '../canary/needles.ts'

type Place = Exclude<Party, 'gateway_memory'>
type Reader = (ledgerCase: LedgerCase, field: Field, party: Party) => readonly Disclosure[]

/** All that there is of one app. */
interface Seen extends Pick<Observation, 'startedAtMs'> {
  readonly ledgerCase: LedgerCase
  readonly devices: readonly PostedDevice[]
  readonly stored: readonly Stored[]
  /** What its push service sees, by notification, but for what is made anew for each. */
  readonly pushes: ReadonlyMap<Name, string>
}

const STEP_BYTES = 1024

export function createReader(observation: Observation): Reader {
  const { views, startedAtMs } = observation
  const cases = new Map(CASES.map((ledgerCase) => [ledgerCase, seenOf(ledgerCase, observation)]))
  const search = createSearch([...cases.values()].flatMap((seen) => allNeedlesOf(seen, observation)))
  const found = (bytes: Buffer): ReadonlySet<string> => new Set(search(bytes).map(({ needle }) => needle.key))
  const opened = observation.stored
    .flatMap((entry) => entry.opened)
    .map((each) => ({ ...each, target: each.target.reveal() }))
  const inside = found(Buffer.from(JSON.stringify(opened)))
  const outside: Readonly<Record<Place, ReadonlySet<string>>> = {
    store: found(views.store),
    log: found(views.log),
    metrics: found(views.metrics),
    traces: found(views.traces),
    push_service: found(views.push_service),
  }
  const log = views.log.toString().split('\n')
  const metrics = views.metrics.toString()
  const traces = views.traces.toString()

  return (ledgerCase, field, party) => {
    // The request as it came is in it, whatever we do.
    if (party === 'gateway_memory') return ['as_sent']
    const seen = cases.get(ledgerCase)
    if (seen === undefined) throw new Error('no such app')
    const has = (what: string): boolean => outside[party].has(`${ledgerCase.index} ${field} ${what}`)
    const hasSealed = ['value', 'sum'].some((what) => inside.has(`${ledgerCase.index} ${field} ${what}`))
    const isApart = party === 'push_service' && areApart(field, (name) => seen.pushes.get(name))
    const isWord = field === 'type' || field === 'membership'
    const learned: Readonly<Record<Disclosure, boolean>> = {
      as_sent: has('value') || (isApart && !isWord) || isOtherwiseKnown(seen),
      category: (isApart && isWord && !has('value')) || (party === 'store' && field === 'type' && haveOrder(seen)),
      sum_as_badge: has('sum'),
      sealed: party === 'store' && (hasSealed || areApart(field, (name) => messageOf(seen, name))),
      keyed_hash: has('hash'),
      short_hash: has('short hash'),
      app_name: has('name'),
      rounded: party === 'store' && field === 'length' && areRounded(seen),
      tick: party === 'push_service' && field === 'time' && areOnTicks(seen),
      aggregate: party === 'metrics' && isCounted(metrics, field, ledgerCase),
    }
    return keysOf(learned)
      .filter((each) => learned[each])
      .toSorted()

    /** What has no text. */
    function isOtherwiseKnown(ofApp: Seen): boolean {
      const { stored, pushes } = ofApp
      if (party === 'push_service' && field === 'length')
        return new Set([...pushes.values()].map((each) => each.length)).size > 1
      if (field !== 'time') return false
      if (party === 'push_service') return pushes.size > 0 && !areOnTicks(ofApp)
      if (party === 'log') return log.some((line) => line.includes('"time":"2') && line.includes(`"${ledgerCase.app}"`))
      if (party === 'traces') return isTimed(traces, ofApp)
      return (
        party === 'store' && stored.some(({ times }) => times.some((each) => each >= startedAtMs && each <= Date.now()))
      )
    }
  }
}

function allNeedlesOf(seen: Seen, { keyring }: Observation): readonly FieldNeedle[] {
  const { ledgerCase, devices } = seen
  const { app, index } = ledgerCase
  const appId = appIdOf(ledgerCase)
  const { event_id: eventId, room_id: roomId } = idsOf(ledgerCase)
  const each = (hash: (target: string, data: string) => string): readonly string[] =>
    devices.map((device) => hash(targetOf(device), JSON.stringify(device.data)))
  const collapsed = (names: readonly string[]) => [
    ...names,
    ...names.map((name) => keyring.hash('collapse', name).slice(0, 32)),
  ]
  const deviceHashes = each((target) => keyring.hash('device', appId, target))
  const eventHashes = each((target, data) => keyring.hash('event', appId, target, data, eventId))
  // A push's own ID is the first part, which nobody needs to know; what it takes the place of is the second.
  const events = [
    ...eventHashes,
    ...eventHashes.map((event) => keyring.derive('push', event).toString('base64url', 16, 40)),
  ]
  const badges = collapsed(each((target, data) => keyring.hash('latest', app, appId, target, data)))
  const pushkeyTs = String(numbersOf(ledgerCase).pushkeyTs)
  const hashes: Readonly<Partial<Record<Field, readonly string[]>>> = {
    app_id: deviceHashes,
    pushkey: deviceHashes,
    event_id: events,
    pusher_data: [...events, ...badges],
    room_id: collapsed(each((target) => keyring.hash('room', appId, target, roomId))),
    pushkey_ts: deviceHashes.map((device) => keyring.hash('registration', device, pushkeyTs)),
  }
  const short = deviceHashes.map((hash) => Buffer.from(hash, 'base64url').toString('hex', 0, 4))
  // In Redis a part of keys, where it is percent-encoded.
  const names = [app, encodeURIComponent(app).replaceAll('*', '%2A')]
  const exact = (field: Field, what: string, texts: readonly string[]): readonly FieldNeedle[] =>
    texts.map((bytes) => ({ name: what, key: `${index} ${field} ${what}`, bytes, isCaseSensitive: true }))
  return [
    ...needlesOf(ledgerCase, devices.flatMap(addressesOf)),
    ...keysOf(hashes).flatMap((field) => exact(field, 'hash', hashes[field] ?? [])),
    ...exact('pushkey', 'short hash', short).map((needle) => ({ ...needle, isWord: true })),
    ...exact('app_id', 'name', names),
  ]
}

/** Whether a pair of notifications that differ in this field alone is told apart. */
function areApart(field: Field, seenOfName: (name: Name) => string | undefined): boolean {
  const [one, other] = PAIRS[field] ?? ['event', 'event']
  return seenOfName(one) !== seenOfName(other)
}

function messageOf({ devices, stored }: Seen, name: Name): string | undefined {
  const delivery = deliveryTo(
    devices.filter((device) => device.name === name),
    stored,
  )
  return delivery && JSON.stringify([steady(delivery.message.headers, delivery.acceptedAtMs), delivery.message.body])
}

function deliveryTo(devices: readonly PostedDevice[], stored: readonly Stored[]): Delivery | undefined {
  const targets = devices.map(targetOf)
  return stored.flatMap(({ opened }) => opened).find((each) => targets.includes(each.target.reveal()))
}

/** Calls stand elsewhere than events. */
function haveOrder({ devices, stored }: Seen): boolean {
  const isOf = (name: Name) => (delivery: Delivery) =>
    devices.some((device) => device.name === name && targetOf(device) === delivery.target.reveal())
  const orderOf = (name: Name) => stored.find(({ opened }) => opened.some(isOf(name)))?.order
  return orderOf('call') !== orderOf('event')
}

function areRounded({ stored }: Seen): boolean {
  const lengths = [...new Set(stored.map(({ sealedBytes }) => sealedBytes))]
  const least = Math.min(...lengths)
  return lengths.length > 1 && lengths.every((length) => (length - least) % STEP_BYTES === 0)
}

/** Spans of the app say when something of it was. */
function isTimed(traces: string, { ledgerCase, startedAtMs }: Seen): boolean {
  const times = [...traces.matchAll(/"startTimeUnixNano":"(\d+)"[^{]*"attributes":\[([^\]]*)\]/g)]
  return times.some(
    ([, time, attributes]) =>
      attributes?.includes(`"${ledgerCase.app}"`) === true &&
      Number(time) / 1e6 >= startedAtMs &&
      Number(time) / 1e6 <= Date.now(),
  )
}

function isCounted(metrics: string, field: Field, { app }: LedgerCase): boolean {
  const count = (name: string, labels: Readonly<Record<string, string>> = {}) =>
    (metricValue(metrics, `hushgate_${name}`, { app, ...labels }) ?? 0) > 0
  if (field === 'device_key') return count('device_keys_total', { key: 'valid' })
  if (field === 'length') return count('payload_bytes_sum')
  if (field === 'type') return count('call_delay_seconds_count')
  return field === 'time' && count('send_duration_seconds_count')
}

function seenOf(ledgerCase: LedgerCase, observation: Observation): Seen {
  const { startedAtMs } = observation
  const devices = observation.devices.filter((device) => device.ledgerCase === ledgerCase)
  const stored = observation.stored.filter(({ app }) => app === ledgerCase.app)
  const pushes = devices.flatMap((device) => {
    const push = pushOf(device, stored, observation)
    return push === undefined ? [] : [[device.name, push] as const]
  })
  return { ledgerCase, devices, stored, pushes: new Map(pushes), startedAtMs }
}

function pushOf(
  device: PostedDevice,
  stored: readonly Stored[],
  { pushes, webPushes }: Observation,
): string | undefined {
  const { ledgerCase, token } = device
  const push = pushes.find((each) => each.token === token) ?? webPushes.find((each) => each.name === token)
  if (push === undefined) return undefined
  const { authorization: _vapid, ...headers } = push.headers
  const sealed = Buffer.isBuffer(push.body) && ledgerCase.isEndToEnd === true ? ' '.repeat(push.body.length) : undefined
  const body = sealed ?? (Buffer.isBuffer(push.body) ? push.body.toString() : push.body)
  const shown = JSON.stringify([steady(headers, push.atMs), body]).replaceAll(token, '')
  return showsTime(device, stored, headers, push.atMs) ? `${AT_ONCE} ${shown}` : shown
}

const AT_ONCE = 'at once'

/** Whether it came before the tick that it should wait for, or says in its end when it came. */
function showsTime(
  device: PostedDevice,
  stored: readonly Stored[],
  { 'apns-expiration': end }: Readonly<Record<string, string>>,
  atMs: number,
): boolean {
  const { releaseEveryMs } = device.ledgerCase
  const acceptedAtMs = deliveryTo([device], stored)?.acceptedAtMs
  if (releaseEveryMs === undefined || acceptedAtMs === undefined) return false
  const isEarly = atMs < Math.ceil(acceptedAtMs / releaseEveryMs) * releaseEveryMs
  return isEarly || (end !== undefined && (Number(end) * 1000) % releaseEveryMs !== 0)
}

/** All but calls, which never wait. */
function areOnTicks({ ledgerCase, pushes }: Seen): boolean {
  const others = [...pushes].filter(([name]) => name !== 'call')
  return (
    ledgerCase.releaseEveryMs !== undefined &&
    others.length > 0 &&
    others.every(([, push]) => !push.startsWith(AT_ONCE))
  )
}

/** Without the names of this one push, and its end as a time from now, in hours. */
function steady(headers: Readonly<Record<string, string>>, nowMs: number): object {
  const { 'apns-id': _id, 'apns-collapse-id': _collapse, topic: _topic, 'apns-expiration': end, ...rest } = headers
  return { ...rest, ...(end === undefined ? {} : { hours: Math.round((Number(end) * 1000 - nowMs) / 3600_000) }) }
}

/** What the sender needs to reach the device. */
function targetOf({ ledgerCase, pushkey, data }: PostedDevice): string {
  return KINDS[ledgerCase.service].targetOf?.(pushkey, data) ?? pushkey
}

/** The parts of a browser's subscription, which have no value of their own in them. */
function addressesOf({ ledgerCase, pushkey, data }: PostedDevice): readonly string[] {
  return ledgerCase.isEndToEnd === true ? [pushkey, JSON.stringify(data['auth']).slice(1, -1)] : []
}

function keysOf<Key extends string>(record: Readonly<Partial<Record<Key, unknown>>>): Key[] {
  return Object.keys(record).filter((key): key is Key => key in record)
}
