/** Google's key file of a service account: what we need of it, and what can be wrong with it. */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { jsonObjectOf } from '../shared/json-text.ts'

export interface ServiceAccount {
  readonly clientEmail: string
  readonly privateKey: KeyObject
  readonly privateKeyId?: string | undefined
  readonly projectId?: string | undefined
  readonly tokenUri: string
}

/** Google's own, in every key file of today; older ones leave it out. */
const DEFAULT_TOKEN_URI = 'https://oauth2.googleapis.com/token'

/** The account, or a sentence per mistake. None of them quotes the file: it holds a private key. */
export function parseServiceAccount(text: string): ServiceAccount | readonly string[] {
  const file = jsonObjectOf(text)
  if (file === undefined) return ['it is not JSON; download it again from the Firebase console']
  const { type, client_email, private_key, private_key_id, project_id, token_uri = DEFAULT_TOKEN_URI } = file
  if (type !== 'service_account')
    return ['it is not the key of a service account (its "type" must be "service_account")']
  const mistakes: string[] = []
  if (!isText(client_email)) mistakes.push('it has no "client_email"')
  const privateKey = isText(private_key) ? readKey(private_key) : undefined
  if (privateKey === undefined) mistakes.push('its "private_key" cannot be read as a PEM key')
  else if (privateKey.asymmetricKeyType !== 'rsa') mistakes.push('its "private_key" is not an RSA key')
  if (!isText(token_uri) || !isHttps(token_uri)) mistakes.push('its "token_uri" is not an https address')
  if (mistakes.length > 0 || !isText(client_email) || !isText(token_uri) || privateKey === undefined) return mistakes
  return {
    clientEmail: client_email,
    privateKey,
    privateKeyId: isText(private_key_id) ? private_key_id : undefined,
    projectId: isText(project_id) ? project_id : undefined,
    tokenUri: token_uri,
  }
}

export function isServiceAccount(parsed: ServiceAccount | readonly string[]): parsed is ServiceAccount {
  return !Array.isArray(parsed)
}

function readKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem)
  } catch {
    return undefined
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isHttps(address: string): boolean {
  return URL.canParse(address) && new URL(address).protocol === 'https:'
}
