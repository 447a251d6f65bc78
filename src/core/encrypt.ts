/**
 * Encrypts for whoever has the private key: one record of RFC 8188, keyed as RFC 8291 says. For browsers, and for the key of a device. Our own, because web-push
 * takes twice the time for the same bytes (docs/facts/web-push.md#library).
 */
import { createCipheriv, createECDH, createSecretKey, type ECDH } from 'node:crypto'
import { OneTimeHmac } from './hmac.ts'
import { POINT_BYTES } from './p256.ts'
import { RandomPool } from './random-pool.ts'

/** Base64url: the receiver's public key, and its shared secret (RFC 8291 §2). */
export interface ReceiverKeys {
  readonly p256dh: string
  readonly auth: string
}

/** What must be new for each message. */
interface Fresh {
  readonly salt: Buffer
  /** Our pair of keys, and its public one, uncompressed. */
  readonly pair: Pick<ECDH, 'computeSecret'>
  readonly ours: Buffer
}

const CURVE = 'prime256v1'
const SALT_BYTES = 16
const KEY_BYTES = 16
const NONCE_BYTES = 12
const TAG_BYTES = 16
/** RFC 8188 §2.1: salt, record size, length of the key ID, key ID, which is our public key (RFC 8291 §4). */
const HEADER_BYTES = SALT_BYTES + 4 + 1 + POINT_BYTES
/** No record is longer, for no push service has to take more (RFC 8291 §4). */
const RECORD_BYTES = 4096
/** Ends the data of the last record (RFC 8188 §2). */
const LAST_RECORD = 2
/** RFC 8291 §3.4, RFC 8188 §2.2 and §2.3; the 1 is that of HKDF (RFC 5869 §2.3), as each output is one block. */
const SECRET_INFO = Buffer.from('WebPush: info\0')
const KEY_INFO = Buffer.from('Content-Encoding: aes128gcm\0\u0001')
const NONCE_INFO = Buffer.from('Content-Encoding: nonce\0\u0001')
const FIRST_BLOCK = Buffer.of(1)
/** Two public keys and what is around them are the longest. */
const MAX_HASHED_BYTES = 256

const random = new RandomPool()
const hmac = new OneTimeHmac(MAX_HASHED_BYTES)
/** One for all messages, with another pair of keys for each: an object of its own for each costs as much again to clear away. */
const ownPair = createECDH(CURVE)

/** Undefined when `p256dh` is not a point of the curve. */
export function encrypt(
  plaintext: string | Uint8Array,
  keys: ReceiverKeys,
  { salt, pair, ours } = createFresh(),
): Buffer | undefined {
  const theirs = Buffer.from(keys.p256dh, 'base64url')
  const shared = sharedSecret(pair, theirs)
  if (shared === undefined) return undefined
  const authenticated = hmac.bytes(Buffer.from(keys.auth, 'base64url'), shared)
  const input = hmac.bytes(authenticated, SECRET_INFO, theirs, ours, FIRST_BLOCK)
  const extracted = hmac.bytes(salt, input)
  const key = hmac.bytes(extracted, KEY_INFO).subarray(0, KEY_BYTES)
  const nonce = hmac.bytes(extracted, NONCE_INFO).subarray(0, NONCE_BYTES)

  const length = Buffer.byteLength(plaintext)
  const padded = Buffer.allocUnsafe(length + 1)
  if (typeof plaintext === 'string') padded.write(plaintext)
  else padded.set(plaintext)
  padded[length] = LAST_RECORD
  const cipher = createCipheriv('aes-128-gcm', createSecretKey(key), nonce)
  const ciphertext = cipher.update(padded)
  cipher.final()

  const body = Buffer.allocUnsafe(HEADER_BYTES + ciphertext.length + TAG_BYTES)
  salt.copy(body)
  body.writeUInt32BE(RECORD_BYTES, SALT_BYTES)
  body.writeUInt8(POINT_BYTES, SALT_BYTES + 4)
  ours.copy(body, SALT_BYTES + 5)
  ciphertext.copy(body, HEADER_BYTES)
  cipher.getAuthTag().copy(body, HEADER_BYTES + ciphertext.length)
  return body
}

function createFresh(): Fresh {
  return { ours: ownPair.generateKeys(), salt: random.take(SALT_BYTES), pair: ownPair }
}

function sharedSecret(pair: Pick<ECDH, 'computeSecret'>, theirs: Buffer): Buffer | undefined {
  try {
    return pair.computeSecret(theirs)
  } catch {
    return undefined
  }
}
