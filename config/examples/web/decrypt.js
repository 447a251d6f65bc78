/**
 * Reads one `aes128gcm` record that was encrypted for a subscription (RFC 8291, RFC 8188), with WebCrypto and nothing else. A browser does this
 * itself with what comes by Web Push; it is here for tests, and for apps that get such records another way.
 */

const SALT_BYTES = 16
const HEADER_BYTES = SALT_BYTES + 4 + 1
/** The delimiter of the last record (RFC 8188 §2); zeros may follow it. */
const LAST_RECORD = 2

/**
 * `record` is a Uint8Array; the keys are base64url: `p256dh` (65 bytes) and `auth` (16) as the pusher has them, and `privateKey` (32).
 * Resolves with a Uint8Array; rejects when the record was not encrypted for these keys.
 */
export async function decrypt(record, { p256dh, auth, privateKey }) {
  // RFC 8188 §2.1: salt, record size, length of the key ID, key ID, which is the sender's public key (RFC 8291 §4).
  if (record.length < HEADER_BYTES) throw new Error('too short for a record')
  const salt = record.subarray(0, SALT_BYTES)
  const size = new DataView(record.buffer, record.byteOffset).getUint32(SALT_BYTES)
  const bodyStart = HEADER_BYTES + record[HEADER_BYTES - 1]
  const sender = record.subarray(HEADER_BYTES, bodyStart)
  const body = record.subarray(bodyStart)
  if (body.length > size) throw new Error('more than one record')

  // RFC 8291 §3.4, then RFC 8188 §2.2 and §2.3.
  const receiver = fromBase64Url(p256dh)
  const shared = await agree(sender, receiver, privateKey)
  const about = bytes('WebPush: info\0', receiver, sender)
  const input = await deriveBytes(shared, fromBase64Url(auth), about, 32)
  const key = await deriveBytes(input, salt, bytes('Content-Encoding: aes128gcm\0'), 16)
  const iv = await deriveBytes(input, salt, bytes('Content-Encoding: nonce\0'), 12)

  const aes = await crypto.subtle.importKey('raw', key, 'AES-GCM', false, ['decrypt'])
  const padded = new Uint8Array(await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, aes, body))
  let end = padded.length - 1
  while (padded[end] === 0) end -= 1
  if (padded[end] !== LAST_RECORD) throw new Error('not the last record')
  return padded.subarray(0, end)
}

async function agree(sender, receiver, privateKey) {
  const curve = { name: 'ECDH', namedCurve: 'P-256' }
  // An uncompressed point: 4, x, y.
  const [x, y] = [toBase64Url(receiver.subarray(1, 33)), toBase64Url(receiver.subarray(33))]
  const jwk = { kty: 'EC', crv: 'P-256', x, y, d: privateKey }
  const own = await crypto.subtle.importKey('jwk', jwk, curve, false, ['deriveBits'])
  const other = await crypto.subtle.importKey('raw', sender, curve, false, [])
  return crypto.subtle.deriveBits({ name: 'ECDH', public: other }, own, 256)
}

async function deriveBytes(input, salt, info, length) {
  const key = await crypto.subtle.importKey('raw', input, 'HKDF', false, ['deriveBits'])
  return new Uint8Array(await crypto.subtle.deriveBits({ name: 'HKDF', hash: 'SHA-256', salt, info }, key, length * 8))
}

function bytes(text, ...more) {
  return Uint8Array.from([new TextEncoder().encode(text), ...more].flatMap((part) => [...part]))
}

function fromBase64Url(text) {
  return Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (letter) => letter.charCodeAt(0))
}

function toBase64Url(part) {
  return btoa(String.fromCharCode(...part))
    .replaceAll('+', '-')
    .replaceAll('/', '_')
    .replaceAll('=', '')
}
