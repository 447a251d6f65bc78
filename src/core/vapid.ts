/** Reads the introduction of whoever sends a Web Push message: the header `Authorization` of RFC 8292. */
import { createPublicKey, verify, type KeyObject } from 'node:crypto'
import { POINT_BYTES, UNCOMPRESSED } from './p256.ts'
import { readSignedToken, type SignedToken } from './signed-token.ts'

/** What a header says. Anybody can write it: it is true only where it is signed (`isSigned`). */
export interface Vapid extends Omit<SignedToken, 'header'> {
  /** The public key that it says has signed it: base64url. */
  readonly key: string
}

/** Why it introduces nobody. */
export type VapidProblem = 'missing' | 'malformed' | 'not for ES256'

const AUTHORIZATION = /^vapid (?=\S)/i
/** A token of a homeserver has some 300. */
const MAX_CHARACTERS = 2048

/** The signature is not looked at: that costs more than all else, so it comes last. */
export function readVapid(authorization: string | undefined): Vapid | VapidProblem {
  if (authorization === undefined || !AUTHORIZATION.test(authorization)) return 'missing'
  if (authorization.length > MAX_CHARACTERS) return 'malformed'
  const { t: token, k: key } = parametersOf(authorization)
  if (token === undefined || key === undefined) return 'missing'
  const read = readSignedToken(token)
  if (read === undefined) return 'malformed'
  const { header, claims, signed, signature } = read
  if (header['alg'] !== 'ES256') return 'not for ES256'
  const inOneForm = Buffer.from(key, 'base64url').toString('base64url')
  return { key: inOneForm, claims, signed, signature }
}

/** Whether the key that it names has signed it; false, too, where that is no key. */
export function isSigned({ key, signed, signature }: Vapid): boolean {
  const publicKey = publicKeyOf(key)
  return (
    publicKey !== undefined &&
    verify(
      'sha256',
      Buffer.from(signed),
      { key: publicKey, dsaEncoding: 'ieee-p1363' },
      Buffer.from(signature, 'base64url'),
    )
  )
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
