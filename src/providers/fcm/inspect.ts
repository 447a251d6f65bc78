/** The mistakes in an FCM section that its schema cannot express; opens files, no connection. */
import { isJsonObject } from '../../core/json.ts'
import type { OptionMistake } from '../../core/provider.ts'
import { authorityMistakes, textOf } from '../shared/authorities.ts'
import { hedwigBytes } from './hedwig.ts'
import type { FcmOptions } from './options.ts'
import { isServiceAccount, parseServiceAccount } from './service-account.ts'
import { MAX_TTL_SECONDS, staticBytes, ttlSeconds } from './static-options.ts'

/** The fields of a message that the gateway leaves to the operator, in both spellings that protobuf JSON takes. */
const MESSAGE_FIELDS = new Set(['notification', 'android', 'webpush', 'apns', 'fcm_options', 'fcmOptions'])
const TARGETS = new Set(['token', 'fid', 'topic', 'condition'])
/** Leaves room for the IDs of an event, which Synapse allows 255 bytes each, and for what the app itself needs. */
const MAX_STATIC_BYTES = 2048
const TOO_LARGE = "leaves too little of FCM's 4096 bytes for the push itself"

export async function inspect(options: FcmOptions): Promise<readonly OptionMistake[]> {
  const [account, authorities] = await Promise.all([
    serviceAccountMistakes(options),
    authorityMistakes(options.ca_file),
  ])
  return [
    ...account,
    ...authorities,
    ...endpointMistakes(options),
    ...messageMistakes(options.options ?? {}),
    ...hedwigMistakes(options),
  ]
}

async function serviceAccountMistakes(options: FcmOptions): Promise<readonly OptionMistake[]> {
  const option = 'service_account_file'
  const text = await textOf(options.service_account_file)
  if (text === undefined) return [{ option, message: `cannot read ${options.service_account_file}` }]
  const account = parseServiceAccount(text)
  if (!isServiceAccount(account))
    return account.map((mistake) => ({ option, message: `${options.service_account_file}: ${mistake}` }))
  if (options.project_id === undefined && account.projectId === undefined)
    return [{ option: 'project_id', message: 'is needed: the service account names no project' }]
  return []
}

function endpointMistakes({ endpoint }: FcmOptions): readonly OptionMistake[] {
  return endpoint === undefined || URL.canParse(endpoint)
    ? []
    : [{ option: 'endpoint', message: 'is not an https address such as https://fcm.googleapis.com' }]
}

function messageMistakes(message: Readonly<Record<string, unknown>>): readonly OptionMistake[] {
  const mistakes: OptionMistake[] = []
  for (const [name, value] of Object.entries(message)) {
    const option = `options.${name}`
    if (name === 'data') mistakes.push({ option, message: 'has no effect: the gateway writes the data; remove it' })
    else if (TARGETS.has(name))
      mistakes.push({ option, message: 'the target is the pushkey of each device; remove it' })
    else if (!MESSAGE_FIELDS.has(name)) mistakes.push({ option, message: 'is not a field of an FCM v1 message' })
    else if (!isJsonObject(value)) mistakes.push({ option, message: 'must be a mapping' })
  }
  const { android } = message
  if (isJsonObject(android)) mistakes.push(...androidMistakes(android))
  if (staticBytes(message) > MAX_STATIC_BYTES) mistakes.push({ option: 'options', message: TOO_LARGE })
  return mistakes
}

function hedwigMistakes({ payload_style: style, hedwig, options = {} }: FcmOptions): readonly OptionMistake[] {
  if (style !== 'hedwig')
    return hedwig === undefined ? [] : [{ option: 'hedwig', message: 'has no effect without payload_style: hedwig' }]
  const mistakes: OptionMistake[] = []
  const { notification, apns, android } = options
  const message = 'is written by payload_style: hedwig; say it under "hedwig"'
  if (notification !== undefined) mistakes.push({ option: 'options.notification', message })
  if (apns !== undefined) mistakes.push({ option: 'options.apns', message })
  if (isJsonObject(android) && android['notification'] !== undefined)
    mistakes.push({ option: 'options.android.notification', message })
  if (hedwigBytes(hedwig ?? {}) > MAX_STATIC_BYTES) mistakes.push({ option: 'hedwig', message: TOO_LARGE })
  return mistakes
}

function androidMistakes(android: Readonly<Record<string, unknown>>): readonly OptionMistake[] {
  const mistakes: OptionMistake[] = []
  const { data, ttl } = android
  if (data !== undefined)
    mistakes.push({ option: 'options.android.data', message: 'would replace the data of every push; remove it' })
  const seconds = ttlSeconds(ttl)
  if (ttl !== undefined && (seconds === undefined || seconds > MAX_TTL_SECONDS))
    mistakes.push({
      option: 'options.android.ttl',
      message: `must be whole seconds such as "3600s", at most "${MAX_TTL_SECONDS}s" (28 days)`,
    })
  return mistakes
}
