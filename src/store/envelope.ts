/** Deliveries as the bytes that a store keeps: JSON with a version, sealed. Only here is a pushkey revealed in order to be stored. */
import type { Delivery, Priority } from '../core/delivery.ts'
import { isJsonObject, type JsonObject } from '../core/json.ts'
import { SEAL_BYTES, UnsealError, type Keyring, type Sealer } from '../core/keyring.ts'
import { Secret } from '../core/secret.ts'
import { parseTrace, traceText } from '../core/trace.ts'

const VERSION = 1
/** An envelope begins with the first characters of each device's hash. `mayBeFor` reads them. */
const DEVICES_START = `{"v":${VERSION},"devices":["`
const DEVICE_CHARACTERS = 8
/** The length of what is sealed grows in such steps, so that nobody who sees the store and knows what was written in a room finds it by its length. */
const STEP_BYTES = 1024
const PRIORITIES: readonly Priority[] = ['call', 'event', 'counts']

/** Deliveries of one route, sealed as one. The name of the route is authenticated and not stored: what is sealed for one route does not open for another. */
export function sealDeliveries(keyring: Keyring, route: string, deliveries: readonly Delivery[]): Buffer {
  return keyring.seal(padded(envelopeOf(deliveries)), route)
}

/** What is to be sealed. Begins with the version. */
export function envelopeOf(deliveries: readonly Delivery[]): string {
  const devices = deliveries.map(({ deviceHash }) => deviceHash.slice(0, DEVICE_CHARACTERS))
  return JSON.stringify({ v: VERSION, devices, deliveries: deliveries.map(toJson) })
}

export function sealEnvelope(sealer: Sealer, route: string, envelope: string): Buffer<ArrayBuffer> {
  return sealer.seal(padded(envelope), route)
}

/** Used again for each: it is sealed before the next one is written. */
let scratch = Buffer.alloc(0)

/** With spaces, which JSON ignores. */
function padded(json: string): Buffer {
  const steps = Math.ceil(Buffer.byteLength(json) / STEP_BYTES)
  if (scratch.length < steps * STEP_BYTES) scratch = Buffer.alloc(steps * STEP_BYTES)
  const written = scratch.write(json)
  return scratch.subarray(0, steps * STEP_BYTES).fill(' ', written)
}

/** Throws UnsealError when the key is missing, the seal does not match, or a newer Hushgate wrote it. */
export function openDeliveries(keyring: Keyring, route: string, sealed: Uint8Array): Delivery[] {
  const envelope = parse(keyring.open(sealed, route).toString())
  if (!isJsonObject(envelope) || envelope['v'] !== VERSION)
    throw new UnsealError(`stored by another version of Hushgate: its envelope is not version ${VERSION}`)
  if (!Array.isArray(envelope['deliveries'])) throw unreadable('deliveries')
  return envelope['deliveries'].map((delivery) => fromJson(route, delivery))
}

/** `mayBeFor` needs so many bytes of what holds `count` deliveries. */
export function startBytes(count: number): number {
  return SEAL_BYTES + DEVICES_START.length + count * (DEVICE_CHARACTERS + '","'.length)
}

/**
 * Which of them may hold a delivery for a device whose hash begins so: their beginnings tell it, at a fraction of the cost of opening them. True also where a beginning cannot be
 * read, or does not name the devices, because an older Hushgate sealed it.
 */
export function mayBeFor(keyring: Keyring, starts: readonly Buffer[], hashStart: string): boolean[] {
  const wanted = hashStart.slice(0, DEVICE_CHARACTERS)
  return keyring.readStarts(starts).map((start) => {
    const end = start?.indexOf('"]') ?? -1
    if (!start?.startsWith(DEVICES_START) || end === -1) return true
    const devices = start.slice(DEVICES_START.length, end).split('","')
    return devices.some((device) => device.startsWith(wanted))
  })
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    throw unreadable('envelope')
  }
}

/** Undefined where `openDeliveries` throws UnsealError. `hashStart`: only those for devices whose hash begins so. */
export function tryOpenDeliveries(
  keyring: Keyring,
  route: string,
  sealed: Uint8Array,
  hashStart = '',
): Delivery[] | undefined {
  try {
    return openDeliveries(keyring, route, sealed).filter(({ deviceHash }) => deviceHash.startsWith(hashStart))
  } catch (error) {
    if (error instanceof UnsealError) return undefined
    throw error
  }
}

/** All but what is only said when it is stored, and the route, which is authenticated. */
function toJson(delivery: Delivery): JsonObject {
  const { id, pushkeyTs, deduplicationKey, latestKey, probesDead, acceptedAtMs, expiresAtMs } = delivery
  const { target, message, deviceHash, trace, canary } = delivery
  return {
    id,
    priority: delivery.priority,
    pushkeyTs,
    deduplicationKey,
    latestKey,
    probesDead,
    acceptedAtMs,
    expiresAtMs,
    device: deviceHash,
    target: target.reveal(),
    headers: message.headers,
    body: message.body,
    trace: trace && traceText(trace),
    canary,
  }
}

function fromJson(route: string, json: unknown): Delivery {
  if (!isJsonObject(json)) throw unreadable('delivery')
  return {
    id: text(json, 'id'),
    route,
    priority: priority(json),
    target: new Secret(text(json, 'target')),
    pushkeyTs: optional(json, 'pushkeyTs', number),
    message: { headers: headers(json), body: text(json, 'body') },
    deviceHash: text(json, 'device'),
    deduplicationKey: optional(json, 'deduplicationKey', text),
    latestKey: optional(json, 'latestKey', text),
    probesDead: json['probesDead'] === true ? true : undefined,
    acceptedAtMs: number(json, 'acceptedAtMs'),
    expiresAtMs: number(json, 'expiresAtMs'),
    // These two versions before did not have, and pass over. What is no trace costs no push.
    trace: parseTrace(json['trace']),
    canary: json['canary'] === true ? true : undefined,
  }
}

function optional<T>(json: JsonObject, field: string, read: (json: JsonObject, field: string) => T): T | undefined {
  return json[field] === undefined ? undefined : read(json, field)
}

function text(json: JsonObject, field: string): string {
  const value = json[field]
  if (typeof value !== 'string') throw unreadable(field)
  return value
}

function number(json: JsonObject, field: string): number {
  const value = json[field]
  if (typeof value !== 'number') throw unreadable(field)
  return value
}

function priority(json: JsonObject): Priority {
  const found = PRIORITIES.find((known) => known === json['priority'])
  if (found === undefined) throw unreadable('priority')
  return found
}

function headers(json: JsonObject): Record<string, string> {
  const value = json['headers']
  if (!isJsonObject(value)) throw unreadable('headers')
  return Object.fromEntries(Object.keys(value).map((name) => [name, text(value, name)]))
}

function unreadable(field: string): UnsealError {
  return new UnsealError(`stored by another version of Hushgate: "${field}" cannot be read`)
}
