/** Deliveries as the bytes that a store keeps: JSON with a version, sealed. Only here is a pushkey revealed in order to be stored. */
import type { Delivery, Priority } from '../core/delivery.ts'
import { isJsonObject, type JsonObject } from '../core/json.ts'
import { UnsealError, type Keyring, type Sealer } from '../core/keyring.ts'
import { Secret } from '../core/secret.ts'
import { parseTrace, traceText } from '../core/trace.ts'

const VERSION = 1
/** How `envelopeOf` begins. */
const ENVELOPE_START = Buffer.from(`{"v":${VERSION},`)
/** The length of what is sealed grows in such steps, so that nobody who sees the store and knows what was written in a room finds it by its length. */
const STEP_BYTES = 1024
const PRIORITIES: readonly Priority[] = ['call', 'event', 'counts']

/** Deliveries of one route, sealed as one. The name of the route is authenticated and not stored: what is sealed for one route does not open for another. */
export function sealDeliveries(keyring: Keyring, route: string, deliveries: readonly Delivery[]): Buffer {
  return keyring.seal(padded(envelopeOf(deliveries)), route)
}

/** What is to be sealed. Begins with the version. */
export function envelopeOf(deliveries: readonly Delivery[]): string {
  return JSON.stringify({ v: VERSION, deliveries: deliveries.map(toJson) })
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
  return readEnvelope(route, keyring.open(sealed, route))
}

/** Of those, which are for devices whose hash begins so. Where there are none, nothing is parsed: that takes longer than to open it, and few of many are looked for. */
function openDeliveriesFor(keyring: Keyring, route: string, sealed: Uint8Array, hashStart: string): Delivery[] {
  const plaintext = keyring.open(sealed, route)
  const isOurs = plaintext.subarray(0, ENVELOPE_START.length).equals(ENVELOPE_START)
  if (isOurs && !plaintext.includes(`"device":"${hashStart}`)) return []
  return readEnvelope(route, plaintext).filter(({ deviceHash }) => deviceHash.startsWith(hashStart))
}

/** Throws UnsealError. */
function readEnvelope(route: string, plaintext: Buffer): Delivery[] {
  const envelope = parse(plaintext.toString())
  if (!isJsonObject(envelope) || envelope['v'] !== VERSION)
    throw new UnsealError(`stored by another version of Hushgate: its envelope is not version ${VERSION}`)
  if (!Array.isArray(envelope['deliveries'])) throw unreadable('deliveries')
  return envelope['deliveries'].map((delivery) => fromJson(route, delivery))
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
    return hashStart === ''
      ? openDeliveries(keyring, route, sealed)
      : openDeliveriesFor(keyring, route, sealed, hashStart)
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
