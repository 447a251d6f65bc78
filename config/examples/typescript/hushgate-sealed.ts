/**
 * Opens what Hushgate sealed to a device: one `aes128gcm` record (RFC 8188) keyed as RFC 8291, with WebCrypto and nothing else. For apps that get their
 * pushes by FCM or APNs; what comes by Web Push a browser opens itself.
 */

/** Base64url: `p256dh` (65 bytes) and `auth` (16) as the pusher has them, `privateKey` (32). */
export interface DeviceKeys {
  readonly p256dh: string
  readonly auth: string
  readonly privateKey: string
}

/** What an app keeps of an account on this device. All but `privateKey`, with `v: 1`, is the pusher's `hushgate_key`. */
export interface AccountKeys extends DeviceKeys {
  /** 16 random bytes, base64url: comes back with each push as `hushgate_kid`, and says which account it is for. */
  readonly kid: string
}

/** A hint, not a proof: fetch the event from the homeserver, drop event IDs already seen, and an old `ts`. */
export interface SealedPush {
  readonly v: number
  readonly event_id?: string
  readonly room_id?: string
  readonly unread?: number
  readonly prio: 'high' | 'low'
  /** When the gateway took it, ms. */
  readonly ts: number
}

type Bytes = Uint8Array<ArrayBuffer>

const CURVE = { name: 'ECDH', namedCurve: 'P-256' }
const SALT_BYTES = 16
const HEADER_BYTES = SALT_BYTES + 4 + 1
/** The delimiter of the last record (RFC 8188 §2); zeros may follow it. */
const LAST_RECORD = 2

/** New keys for one account on this device. */
export async function createDeviceKeys(): Promise<AccountKeys> {
  const pair = await crypto.subtle.generateKey(CURVE, true, ['deriveBits'])
  const { d = '' } = await crypto.subtle.exportKey('jwk', pair.privateKey)
  const p256dh = new Uint8Array(await crypto.subtle.exportKey('raw', pair.publicKey))
  const random = (): string => toBase64Url(crypto.getRandomValues(new Uint8Array(16)))
  return { kid: random(), p256dh: toBase64Url(p256dh), auth: random(), privateKey: d }
}

/** `sealed`: the push's `hushgate_sealed`. Rejects when it was not sealed for these keys: then it is a push that says nothing. */
export async function openSealed(sealed: string, keys: DeviceKeys): Promise<SealedPush> {
  return JSON.parse(new TextDecoder().decode(await decrypt(fromBase64Url(sealed), keys)))
}

/** Rejects when the record was not encrypted for these keys. */
export async function decrypt(record: Bytes, { p256dh, auth, privateKey }: DeviceKeys): Promise<Bytes> {
  // RFC 8188 §2.1: salt, record size, length of the key ID, key ID, which is the sender's public key (RFC 8291 §4).
  if (record.length < HEADER_BYTES) throw new Error('too short for a record')
  const view = new DataView(record.buffer, record.byteOffset)
  const salt = record.subarray(0, SALT_BYTES)
  const bodyStart = HEADER_BYTES + view.getUint8(HEADER_BYTES - 1)
  const sender = record.subarray(HEADER_BYTES, bodyStart)
  const body = record.subarray(bodyStart)
  if (body.length > view.getUint32(SALT_BYTES)) throw new Error('more than one record')

  // RFC 8291 §3.4, then RFC 8188 §2.2 and §2.3.
  const receiver = fromBase64Url(p256dh)
  const shared = await agree(sender, receiver, privateKey)
  const about = bytes('WebPush: info\0', receiver, sender)
  const input = await deriveBytes(shared, fromBase64Url(auth), about, 32)
  const key = await deriveBytes(input, salt, bytes('Content-Encoding: aes128gcm\0'), 16)
  const iv = await deriveBytes(input, salt, bytes('Content-Encoding: nonce\0'), 12)

  const aes = await crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['decrypt'])
  const padded = new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, aes, body))
  const end = padded.findLastIndex((byte) => byte !== 0)
  if (padded[end] !== LAST_RECORD) throw new Error('not the last record')
  return padded.subarray(0, end)
}

async function agree(sender: Bytes, receiver: Bytes, privateKey: string): Promise<ArrayBuffer> {
  // An uncompressed point: 4, x, y.
  const [x, y] = [toBase64Url(receiver.subarray(1, 33)), toBase64Url(receiver.subarray(33))]
  const jwk = { kty: 'EC', crv: 'P-256', x, y, d: privateKey }
  const own = await crypto.subtle.importKey('jwk', jwk, CURVE, false, ['deriveBits'])
  const other = await crypto.subtle.importKey('raw', sender, CURVE, false, [])
  return crypto.subtle.deriveBits({ name: 'ECDH', public: other }, own, 256)
}

async function deriveBytes(input: Bytes | ArrayBuffer, salt: Bytes, info: Bytes, length: number): Promise<Bytes> {
  const key = await crypto.subtle.importKey('raw', input, 'HKDF', false, ['deriveBits'])
  return new Uint8Array(await crypto.subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt, info }, key, length * 8))
}

function bytes(text: string, ...more: readonly Bytes[]): Bytes {
  return Uint8Array.from([new TextEncoder().encode(text), ...more].flatMap((part) => [...part]))
}

function fromBase64Url(text: string): Bytes {
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0))
}

function toBase64Url(part: Bytes): string {
  return btoa(String.fromCharCode(...part))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}
