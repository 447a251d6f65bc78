/** Google's key file of a service account: what we need of it, and what can be wrong with it. */
import { createPrivateKey, type KeyObject } from 'node:crypto'
import { jsonObjectOf, type JsonObject } from '../../core/json.ts'
import { readOptionFile, type Report } from '../shared/inspect.ts'
import type { FcmOptions } from './options.ts'

type Options = Pick<FcmOptions, 'service_account_file' | 'project_id'>

export interface ServiceAccount {
  readonly clientEmail: string
  readonly privateKey: KeyObject
  readonly privateKeyId?: string | undefined
  readonly projectId: string
  readonly tokenUri: string
}

const NOT_JSON = 'it is not JSON; download it again from the Firebase console'
/** Google's own, in every key file of today; older ones leave it out. */
const DEFAULT_TOKEN_URI = 'https://oauth2.googleapis.com/token'

/** The key file of the options. No mistake quotes it: it holds a private key. */
export async function readServiceAccount(
  { service_account_file: path, project_id: chosenProject }: Options,
  report: Report<keyof Options>,
): Promise<ServiceAccount | undefined> {
  const text = await readOptionFile(path, 'service_account_file', report)
  if (text === undefined) return undefined
  const file = jsonObjectOf(text.toString())
  const mistakes = file === undefined ? [NOT_JSON] : mistakesOf(file)
  for (const mistake of mistakes) report('service_account_file', `${path}: ${mistake}`)
  if (file === undefined || mistakes.length > 0) return undefined
  const { client_email, private_key, private_key_id, project_id, token_uri } = file
  const projectId = chosenProject ?? project_id
  if (!isText(projectId)) report('project_id', 'is needed: the service account names no project')
  const privateKey = readKey(private_key)
  if (!isText(projectId) || !isText(client_email) || privateKey === undefined) return undefined
  return {
    clientEmail: client_email,
    privateKey,
    privateKeyId: isText(private_key_id) ? private_key_id : undefined,
    projectId,
    tokenUri: isText(token_uri) ? token_uri : DEFAULT_TOKEN_URI,
  }
}

function mistakesOf({ type, client_email, private_key, token_uri = DEFAULT_TOKEN_URI }: JsonObject): readonly string[] {
  if (type !== 'service_account')
    return ['it is not the key of a service account (its "type" must be "service_account")']
  const mistakes: string[] = []
  if (!isText(client_email)) mistakes.push('it has no "client_email"')
  const privateKey = readKey(private_key)
  if (privateKey === undefined) mistakes.push('its "private_key" cannot be read as a PEM key')
  else if (privateKey.asymmetricKeyType !== 'rsa') mistakes.push('its "private_key" is not an RSA key')
  if (!isText(token_uri) || !isHttps(token_uri)) mistakes.push('its "token_uri" is not an https address')
  return mistakes
}

function readKey(pem: unknown): KeyObject | undefined {
  try {
    return isText(pem) ? createPrivateKey(pem) : undefined
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
