/** Reads the introduction of whoever sends a Web Push message: the header `Authorization` of RFC 8292. */
import { createPublicKey, verify, type KeyObject } from 'node:crypto'
import { isJsonObject, type JsonObject } from './json.ts'

export interface Vapid {
  /** The public key that signed it: an uncompressed point of P-256, base64url. */
  readonly key: string
  readonly claims: JsonObject
}

/** Why it introduces nobody. */
export type VapidProblem = 'missing' | 'malformed' | 'not a key for ES256' | 'wrong signature'

const AUTHORIZATION = /^vapid (?=\S)/i
const POINT_BYTES = 65
const UNCOMPRESSED = 4
/** A token of a homeserver has some 300. */
const MAX_CHARACTERS = 2048

/** The signature is right; what is claimed is for the caller to judge. */
export function readVapid(authorization: string | undefined): Vapid | VapidProblem {
  if (authorization === undefined || !AUTHORIZATION.test(authorization)) return 'missing'
  if (authorization.length > MAX_CHARACTERS) return 'malformed'
  const { t: token, k: key } = parametersOf(authorization)
  if (token === undefined || key === undefined) return 'missing'
  const [header, payload, signature, ...rest] = token.split('.')
  const claims = decode(payload)
  if (claims === undefined || signature === undefined || rest.length > 0) return 'malformed'
  const publicKey = publicKeyOf(key)
  if (publicKey === undefined || decode(header)?.['alg'] !== 'ES256') return 'not a key for ES256'
  const signed = Buffer.from(`${header}.${payload}`)
  const isSigned = verify(
    'sha256',
    signed,
    { key: publicKey, dsaEncoding: 'ieee-p1363' },
    Buffer.from(signature, 'base64url'),
  )
  return isSigned ? { key: Buffer.from(key, 'base64url').toString('base64url'), claims } : 'wrong signature'
}

/** A public key in the one form that it has: an uncompressed point of P-256, in base64url without padding. */
export function isVapidKey(text: string): boolean {
  return Buffer.from(text, 'base64url').toString('base64url') === text && publicKeyOf(text) !== undefined
}

/** RFC 9110 §11.4: in any order, with or without quotes. */
function parametersOf(authorization: string): Readonly<Partial<Record<string, string>>> {
  const parameters = authorization.replace(AUTHORIZATION, '').matchAll(/\b([tk])\s*=\s*"?([\w.-]+)"?/g)
  return Object.fromEntries([...parameters].map(([, name, value]) => [name, value]))
}

function publicKeyOf(key: string): KeyObject | undefined {
  const point = Buffer.from(key, 'base64url')
  if (point.length !== POINT_BYTES || point[0] !== UNCOMPRESSED) return undefined
  const [x, y] = [point.toString('base64url', 1, 33), point.toString('base64url', 33)]
  try {
    return createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' })
  } catch {
    return undefined
  }
}

function decode(part: string | undefined): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(part ?? '', 'base64url').toString())
    return isJsonObject(value) ? value : undefined
  } catch {
    return undefined
  }
}
