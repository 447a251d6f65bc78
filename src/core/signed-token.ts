/** A JSON Web Token in its compact form (RFC 7515 §3.1), taken apart. */
import { jsonObjectOf, type JsonObject } from './json.ts'

/** Anybody can write one: it is true only where its signature is. */
export interface SignedToken {
  /** Empty where it is no JSON object. */
  readonly header: JsonObject
  readonly claims: JsonObject
  /** What the signature is of. */
  readonly signed: string
  /** Base64url. */
  readonly signature: string
}

/** Undefined where it has not three parts, or its claims are no JSON object. */
export function readSignedToken(token: string): SignedToken | undefined {
  const [header = '', payload = '', signature, ...rest] = token.split('.')
  const claims = objectIn(payload)
  if (claims === undefined || signature === undefined || rest.length > 0) return undefined
  return { header: objectIn(header) ?? {}, claims, signed: `${header}.${payload}`, signature }
}

function objectIn(part: string): JsonObject | undefined {
  return jsonObjectOf(Buffer.from(part, 'base64url').toString())
}
