/** The VAPID key (RFC 8292 §3.2): how a push service knows the sender that the browser subscribed to. */
import { createECDH, createPrivateKey } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { WebPushOptions } from './options.ts'

/** Both base64url, as browsers and web-push take them: an uncompressed point (65 bytes), and a number (32 bytes). */
export interface VapidKey {
  readonly publicKey: string
  readonly privateKey: string
}

const CURVE = 'prime256v1'
const RAW_KEY = /^[\w-]{43}=?$/

/** The key, or what is wrong with the file; the sentence does not quote it. */
export function parseVapidKey(text: string): VapidKey | string {
  const trimmed = text.trim()
  if (RAW_KEY.test(trimmed)) return fromNumber(trimmed)
  try {
    const { crv, d } = createPrivateKey(trimmed).export({ format: 'jwk' })
    return crv === 'P-256' && d !== undefined ? fromNumber(d) : 'is not a key on the curve P-256'
  } catch {
    return 'holds neither a PEM private key without passphrase nor 43 base64url characters'
  }
}

/** The `applicationServerKey` with which a web app subscribes. Rejects when the file cannot be read. */
export async function publicKeyOf(options: Pick<WebPushOptions, 'vapid_private_key_file'>): Promise<string> {
  return (await readVapidKey(options)).publicKey
}

/** Rejects with a sentence when there is no such key. */
export async function readVapidKey({
  vapid_private_key_file: file,
}: Pick<WebPushOptions, 'vapid_private_key_file'>): Promise<VapidKey> {
  const key = parseVapidKey(await readFile(file, 'utf8'))
  if (typeof key === 'string') throw new TypeError(`${file} ${key}`)
  return key
}

function fromNumber(privateKey: string): VapidKey | string {
  const pair = createECDH(CURVE)
  try {
    pair.setPrivateKey(privateKey, 'base64url')
  } catch {
    return 'is not a private key of the curve P-256'
  }
  return { publicKey: pair.getPublicKey('base64url'), privateKey: privateKey.replace('=', '') }
}
