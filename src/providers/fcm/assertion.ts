/**
 * What a service account asks for an access token with (RFC 7523).
 * Ours, because firebase-admin's `cert()` ignores the agent (firebase-admin-node#2960), `token_uri` and any deadline (docs/facts/fcm.md#access-tokens).
 */
import { createSign } from 'node:crypto'
import type { TokenSource } from '../shared/access-tokens.ts'
import { tokenOutcome } from './answers.ts'
import type { ServiceAccount } from './service-account.ts'

const SCOPE = 'https://www.googleapis.com/auth/firebase.messaging'
const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const ASSERTION_SECONDS = 3600

export function tokenSource(account: ServiceAccount, nowMs: () => number): TokenSource {
  return {
    address: new URL(account.tokenUri),
    form: () => ({ grant_type: GRANT_TYPE, assertion: assertion(account, nowMs()) }),
    outcomeOf: tokenOutcome,
  }
}

/** developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests */
function assertion({ clientEmail, privateKey, privateKeyId, tokenUri }: ServiceAccount, nowMs: number): string {
  const iat = Math.floor(nowMs / 1000)
  const header = encode({ alg: 'RS256', typ: 'JWT', kid: privateKeyId })
  const claims = encode({ iss: clientEmail, scope: SCOPE, aud: tokenUri, iat, exp: iat + ASSERTION_SECONDS })
  const signature = createSign('RSA-SHA256').update(`${header}.${claims}`).sign(privateKey, 'base64url')
  return `${header}.${claims}.${signature}`
}

function encode(part: object): string {
  return Buffer.from(JSON.stringify(part)).toString('base64url')
}
