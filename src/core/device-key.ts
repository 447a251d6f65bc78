/** Sealed to the device: the key that an app put into its pusher, and what is said to that key alone (docs/for-app-makers.md). Pure. */
import { isJsonObject, jsonObject, type JsonObject } from './json.ts'

/** The field of a pusher's `data`. */
export const DEVICE_KEY = 'hushgate_key'

/** `hushgate_key`, checked but for what only arithmetic can tell: whether the point is on the curve. */
export interface DeviceKey {
  /** How the app finds the account that a push is for; random, so it says nothing to anybody else. */
  readonly kid: string
  /** RFC 8291 §3.1: an uncompressed point of P-256, base64url. */
  readonly p256dh: string
  /** RFC 8291 §3.2: 16 random bytes, base64url. */
  readonly auth: string
}

/** What a push service gets of it: the two fields of the payload. */
export interface SealedBlock {
  readonly kid: string
  /** One RFC 8188 record, keyed as RFC 8291, base64url; always of the same length. */
  readonly record: string
}

/** Encrypts for the key with fresh randomness; undefined when the key cannot be one. */
export type EncryptForDevice = (key: DeviceKey, plaintext: Uint8Array) => SealedBlock | undefined

export const PLAINTEXT_BYTES = 1024
/** Matrix specification, "Identifier Grammar". */
const MAX_ID_BYTES = 255

const KEY_VERSION = 1
/** 16 bytes: the last character carries four bits of nothing. */
const SIXTEEN_BYTES = /^[A-Za-z0-9_-]{21}[AQgw]$/
const KID = /^[A-Za-z0-9_-]{22}$/
/** 65 bytes of which the first is 4. */
const POINT = /^B[A-P][A-Za-z0-9_-]{84}[AEIMQUYcgkosw048]$/

export function hasDeviceKey(data: JsonObject): boolean {
  return Object.hasOwn(data, DEVICE_KEY)
}

/** Undefined when there is none, or none that is one. */
export function deviceKeyOf(data: JsonObject): DeviceKey | undefined {
  const value = hasDeviceKey(data) ? data[DEVICE_KEY] : undefined
  if (!isJsonObject(value) || value['v'] !== KEY_VERSION) return undefined
  const { kid, p256dh, auth } = value
  if (typeof kid !== 'string' || typeof p256dh !== 'string' || typeof auth !== 'string') return undefined
  return KID.test(kid) && POINT.test(p256dh) && SIXTEEN_BYTES.test(auth) ? { kid, p256dh, auth } : undefined
}

interface PlaintextFields {
  readonly eventId?: string | undefined
  readonly roomId?: string | undefined
  readonly prio: string
}

/**
 * What the app is told: JSON, filled with white space to the one length (RFC 8259 §2: no parser hands it on). An ID that is longer than any real one is
 * left out; where escapes make what is left too long, `event_id` goes first, then `room_id`: a room alone can still be fetched.
 */
export function plaintextOf(
  { eventId, roomId, prio }: PlaintextFields,
  unread: number | undefined,
  nowMs: number,
): Buffer {
  const ids = { event_id: real(eventId), room_id: real(roomId) }
  const candidates = [ids, { ...ids, event_id: undefined }, {}]
  const fitting = candidates
    .map((some) => jsonOf(some, unread, prio, nowMs))
    .find((json) => json.length <= PLAINTEXT_BYTES)
  const plaintext = Buffer.alloc(PLAINTEXT_BYTES, ' ')
  fitting?.copy(plaintext)
  return plaintext
}

function jsonOf(ids: JsonObject, unread: number | undefined, prio: string, nowMs: number): Buffer {
  const entries = [['v', KEY_VERSION] as const, ...Object.entries(ids), ['unread', unread] as const]
  return Buffer.from(JSON.stringify(jsonObject([...entries, ['prio', prio], ['ts', nowMs]])))
}

function real(id: string | undefined): string | undefined {
  return id !== undefined && Buffer.byteLength(id) <= MAX_ID_BYTES ? id : undefined
}
