/**
 * Web Push that is relayed: a message of RFC 8030, encrypted for a device (RFC 8291), goes to the device's own push service as one block that nobody on the way
 * can open. What is said of it here, providers render.
 */
import type { Message, PushIdentity } from './message.ts'
import { POINT_BYTES, UNCOMPRESSED } from './p256.ts'

/** RFC 8030 §5.3, the least urgent first. */
export const URGENCIES = ['very-low', 'low', 'normal', 'high'] as const
export type Urgency = (typeof URGENCIES)[number]

export interface RelayedMessage {
  /** One aes128gcm record as RFC 8291 has it, as base64url. */
  readonly record: string
  /** How the app finds the keys that it is for; as the app named it. */
  readonly kid: string | undefined
  readonly urgency: Urgency
}

export interface RelayedIdentity extends Pick<PushIdentity, 'id'> {
  /** Equal for messages of which only the last matters (RFC 8030, Topic); undefined where each is for itself. */
  readonly collapseId: string | undefined
  /** Undefined: it is tried once, at once, and not kept (TTL: 0). */
  readonly expiresAtMs: number | undefined
}

/** Of an app whose push service relays. */
export interface Relay {
  /** Where homeservers reach this gateway, as an origin (RFC 6454): what endpoints begin with, and what a sender must have signed for. */
  readonly origin: string
  /** Of a message's body. */
  readonly maxBytes: number
  readonly render: (message: RelayedMessage, identity: RelayedIdentity) => Message
}

// RFC 8188 §2.1: salt, record size, length of the key ID, key ID, which is a point of P-256 (RFC 8291 §4).
const SIZE_AT = 16
const KEY_LENGTH_AT = 20
const KEY_AT = 21
const HEADER_BYTES = KEY_AT + POINT_BYTES
/** A delimiter and a tag. */
const LEAST_RECORD_BYTES = 17

/** Whether it is what RFC 8291 §4 has: one record of aes128gcm. That nobody can tell from outside whether it is really encrypted lies in the nature of it. */
export function isEncryptedRecord(body: Buffer): boolean {
  if (body.length < HEADER_BYTES + LEAST_RECORD_BYTES) return false
  const isPoint = body[KEY_LENGTH_AT] === POINT_BYTES && body[KEY_AT] === UNCOMPRESSED
  return isPoint && body.length - HEADER_BYTES <= body.readUInt32BE(SIZE_AT)
}
