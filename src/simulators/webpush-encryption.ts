/** The browser's side of RFC 8291: the keys of a subscription, and reading what was encrypted for them. */
import { createDecipheriv, createECDH, hkdfSync, randomBytes, type ECDH } from 'node:crypto'

/** What a browser gives to the web app, and what it keeps. Base64url. */
export interface SubscriptionSecrets {
  readonly p256dh: string
  readonly auth: string
  readonly privateKey: string
}

const CURVE = 'prime256v1'
const SALT_BYTES = 16
const SIZE_BYTES = 4
const TAG_BYTES = 16
/** Ends the data of the last record (RFC 8188 §2); zeros may follow. */
const LAST_RECORD = 2

export function createSubscriptionSecrets(): SubscriptionSecrets {
  const pair = createECDH(CURVE)
  const p256dh = pair.generateKeys('base64url')
  // Node leaves out zeros in front, which a JWK must have (RFC 7518 §6.2.2.1).
  const privateKey = Buffer.from(pair.getPrivateKey('hex').padStart(64, '0'), 'hex').toString('base64url')
  return { p256dh, auth: randomBytes(16).toString('base64url'), privateKey }
}

/** The plaintext of one aes128gcm record; undefined when it was not encrypted for this subscription. */
export function decrypt(body: Buffer, { auth, privateKey }: SubscriptionSecrets): Buffer | undefined {
  try {
    const receiver = createECDH(CURVE)
    receiver.setPrivateKey(privateKey, 'base64url')
    return open(body, receiver, Buffer.from(auth, 'base64url'))
  } catch {
    return undefined
  }
}

function open(body: Buffer, receiver: ECDH, auth: Buffer): Buffer | undefined {
  // RFC 8188 §2.1: salt, record size, length of the key ID, key ID (RFC 8291 §4: the sender's public key).
  const salt = body.subarray(0, SALT_BYTES)
  const recordSize = body.readUInt32BE(SALT_BYTES)
  const keyStart = SALT_BYTES + SIZE_BYTES + 1
  const recordStart = keyStart + body.readUInt8(keyStart - 1)
  const sender = body.subarray(keyStart, recordStart)
  const record = body.subarray(recordStart)
  // RFC 8291 §4: one record only.
  if (record.length > recordSize) return undefined

  // RFC 8291 §3.4, then RFC 8188 §2.2 and §2.3.
  const about = Buffer.concat([Buffer.from('WebPush: info\0'), receiver.getPublicKey(), sender])
  const input = Buffer.from(hkdfSync('sha256', receiver.computeSecret(sender), auth, about, 32))
  const key = Buffer.from(hkdfSync('sha256', input, salt, 'Content-Encoding: aes128gcm\0', 16))
  const nonce = Buffer.from(hkdfSync('sha256', input, salt, 'Content-Encoding: nonce\0', 12))

  const decipher = createDecipheriv('aes-128-gcm', key, nonce)
  decipher.setAuthTag(record.subarray(-TAG_BYTES))
  const padded = Buffer.concat([decipher.update(record.subarray(0, -TAG_BYTES)), decipher.final()])
  const end = padded.findLastIndex((byte) => byte !== 0)
  return padded[end] === LAST_RECORD ? padded.subarray(0, end) : undefined
}
