/** The VAPID key (RFC 8292 §3.2): how a push service knows the sender that the browser subscribed to. */
import { createECDH, createPrivateKey } from 'node:crypto'
import { readOptionFile, type Report } from '../shared/inspect.ts'
import type { WebPushOptions } from './options.ts'

type Options = Pick<WebPushOptions, 'vapid_private_key_file'>

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

export async function readVapidKey(
  { vapid_private_key_file: path }: Options,
  report: Report<keyof Options>,
): Promise<VapidKey | undefined> {
  const file = await readOptionFile(path, 'vapid_private_key_file', report)
  if (file === undefined) return undefined
  const key = parseVapidKey(file.toString())
  if (typeof key !== 'string') return key
  report('vapid_private_key_file', `${path} ${key}`)
  return undefined
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
