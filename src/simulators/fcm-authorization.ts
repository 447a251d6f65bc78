/** The simulated Google that gives out access tokens: service accounts, and the OAuth token endpoint that checks their signed assertions. */
import {
  createPublicKey,
  createVerify,
  generateKeyPairSync,
  randomBytes,
  randomUUID,
  type KeyObject,
} from 'node:crypto'
import type { JsonObject } from '../core/json.ts'
import { readSignedToken } from '../core/signed-token.ts'

/** The fields of Google's key file that clients read. */
export interface ServiceAccount {
  readonly type: 'service_account'
  readonly project_id: string
  readonly private_key_id: string
  readonly private_key: string
  readonly client_email: string
  readonly token_uri: string
}

export interface OAuthAnswer {
  readonly status: number
  readonly body: JsonObject
}

const GRANT_TYPE = 'urn:ietf:params:oauth:grant-type:jwt-bearer'
const SCOPES = ['https://www.googleapis.com/auth/firebase.messaging', 'https://www.googleapis.com/auth/cloud-platform']
const LIFETIME_SECONDS = 3600
/** Google allows for clocks that differ a little. */
const SKEW_SECONDS = 300

/** A service account with a key of its own, as the Firebase console would give it as a file. */
export function createServiceAccount(projectId: string, tokenUri: string): ServiceAccount {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return {
    type: 'service_account',
    project_id: projectId,
    private_key_id: randomBytes(20).toString('hex'),
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    client_email: `push@${projectId}.iam.gserviceaccount.com`,
    token_uri: tokenUri,
  }
}

export class Authorization {
  readonly #nowMs: () => number
  readonly #accounts = new Map<string, { readonly projectId: string; readonly key: KeyObject }>()
  readonly #tokens = new Map<string, { readonly projectId: string; readonly expiresAtMs: number }>()

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  trust(account: ServiceAccount): void {
    this.#accounts.set(account.client_email, {
      projectId: account.project_id,
      key: createPublicKey(account.private_key),
    })
  }

  /** Every access token given out so far is refused from here on. */
  revokeTokens(): void {
    this.#tokens.clear()
  }

  /** The project that an `Authorization` header may send for; undefined when the token is unknown or too old. */
  projectOf(header: string | undefined): string | undefined {
    const token = this.#tokens.get(/^Bearer (.+)$/.exec(header ?? '')?.[1] ?? '')
    return token !== undefined && token.expiresAtMs > this.#nowMs() ? token.projectId : undefined
  }

  /** RFC 7523, as Google asks for it: developers.google.com/identity/protocols/oauth2/service-account#authorizingrequests */
  grant(form: URLSearchParams, tokenUri: string): OAuthAnswer {
    if (form.get('grant_type') !== GRANT_TYPE) return refusal('unsupported_grant_type', 'Invalid grant_type')
    const assertion = this.#verify(form.get('assertion') ?? '')
    if (typeof assertion === 'string') return refusal('invalid_grant', assertion)
    const { claims, projectId } = assertion
    const nowSeconds = this.#nowMs() / 1000
    const { iat, exp, aud, scope } = claims
    if (aud !== tokenUri) return refusal('invalid_grant', 'Invalid JWT: aud is not this endpoint')
    if (typeof iat !== 'number' || typeof exp !== 'number' || exp - iat > LIFETIME_SECONDS)
      return refusal('invalid_grant', 'Invalid JWT: Token must be a short-lived token (60 minutes)')
    if (iat > nowSeconds + SKEW_SECONDS || exp < nowSeconds - SKEW_SECONDS)
      return refusal('invalid_grant', 'Invalid JWT: check your iat and exp values')
    if (typeof scope !== 'string' || !SCOPES.some((allowed) => scope.split(' ').includes(allowed)))
      return refusal('invalid_scope', 'Invalid OAuth scope')
    const token = `ya29.${randomUUID()}`
    this.#tokens.set(token, { projectId, expiresAtMs: this.#nowMs() + LIFETIME_SECONDS * 1000 })
    return { status: 200, body: { access_token: token, expires_in: LIFETIME_SECONDS, token_type: 'Bearer' } }
  }

  /** The claims of an assertion that one of our accounts signed with RS256, or what is wrong with it. */
  #verify(assertion: string): { readonly claims: JsonObject; readonly projectId: string } | string {
    const read = readSignedToken(assertion)
    if (read === undefined) return 'Invalid JWT: malformed'
    const { header, claims, signed, signature } = read
    if (header['alg'] !== 'RS256') return 'Invalid JWT: alg must be RS256'
    const { iss } = claims
    const account = typeof iss === 'string' ? this.#accounts.get(iss) : undefined
    if (account === undefined) return 'Invalid grant: account not found'
    const verifier = createVerify('RSA-SHA256').update(signed)
    if (!verifier.verify(account.key, signature, 'base64url')) return 'Invalid JWT Signature.'
    return { claims, projectId: account.projectId }
  }
}

export function refusal(error: string, description: string): OAuthAnswer {
  return { status: 400, body: { error, error_description: description } }
}
