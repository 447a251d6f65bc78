/** What the simulated FCM accepts as a request body: as strict as the service, and refusing in its words where they are known. */
import { isJsonObject, type JsonObject } from '../core/json.ts'
import { googleError, type FcmAnswer } from './fcm-answers.ts'

/** firebase.google.com/docs/reference/fcm/rest/v1/projects.messages (protobuf JSON takes both spellings of a name). */
const MESSAGE_FIELDS = ['data', 'notification', 'android', 'webpush', 'apns', 'fcm_options', 'fcmOptions']
const TARGETS = ['token', 'fid', 'topic', 'condition'] as const
const ANDROID_FIELDS = new Set(
  (
    'collapse_key priority ttl restricted_package_name data notification fcm_options direct_boot_ok ' +
    'bandwidth_constrained_ok restricted_satellite_ok'
  )
    .split(' ')
    .flatMap((name) => [name, name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase())]),
)
const RESERVED_DATA_KEYS = /^(?:(?:from|message_type|notification)$|gcm|google)/
const MAX_DATA_BYTES = 4096
const MAX_TTL_SECONDS = 2_419_200
/** What a registration token or installation ID is written with. */
const TARGET_CHARACTERS = /^[\w:.~-]+$/

export interface AcceptedRequest {
  readonly message: JsonObject
  readonly targetKind: (typeof TARGETS)[number]
  readonly target: string
  readonly validateOnly: boolean
}

export function isRefused(checked: AcceptedRequest | FcmAnswer): checked is FcmAnswer {
  return 'status' in checked
}

export function checkRequest(text: string): AcceptedRequest | FcmAnswer {
  const body = parse(text)
  if (!isJsonObject(body)) return badRequest('', 'Invalid JSON payload received.')
  const unknown = Object.keys(body).find((name) => !['message', 'validate_only', 'validateOnly'].includes(name))
  if (unknown !== undefined) return unknownName(unknown, '')
  const { message } = body
  if (!isJsonObject(message)) return badRequest('message', 'Message is not set.')
  return (
    fieldMistake(message) ??
    dataMistake(message['data']) ??
    androidMistake(message['android']) ??
    withTarget(message, body['validate_only'] === true || body['validateOnly'] === true)
  )
}

function fieldMistake(message: JsonObject): FcmAnswer | undefined {
  const unknown = Object.keys(message).find((name) => ![...MESSAGE_FIELDS, ...TARGETS].includes(name))
  return unknown === undefined ? undefined : unknownName(unknown, 'message')
}

function dataMistake(data: unknown): FcmAnswer | undefined {
  if (data === undefined) return undefined
  if (!isJsonObject(data)) return badRequest('message.data', 'Invalid value at message.data')
  let bytes = 0
  for (const [index, [key, value]] of Object.entries(data).entries()) {
    if (typeof value !== 'string')
      return badRequest(`message.data[${index}].value`, `Invalid value at 'message.data[${index}].value' (TYPE_STRING)`)
    if (RESERVED_DATA_KEYS.test(key)) return badRequest('message.data', `Invalid data payload key: ${key}`)
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value)
  }
  if (bytes > MAX_DATA_BYTES) return googleError(400, 'INVALID_ARGUMENT', 'Android message is too big')
  return undefined
}

function androidMistake(android: unknown): FcmAnswer | undefined {
  if (android === undefined) return undefined
  if (!isJsonObject(android)) return badRequest('message.android', 'Invalid value at message.android')
  const unknown = Object.keys(android).find((name) => !ANDROID_FIELDS.has(name))
  if (unknown !== undefined) return unknownName(unknown, 'message.android')
  const { priority, ttl } = android
  if (priority !== undefined && (typeof priority !== 'string' || !/^(high|normal)$/i.test(priority)))
    return badRequest('message.android.priority', "Invalid value at 'message.android.priority' (TYPE_ENUM)")
  if (ttl === undefined) return undefined
  const seconds = typeof ttl === 'string' ? /^(\d+(?:\.\d{1,9})?)s$/.exec(ttl)?.[1] : undefined
  if (seconds === undefined || Number(seconds) > MAX_TTL_SECONDS)
    return badRequest(
      'message.android.ttl',
      "Invalid value at 'message.android.ttl' (type.googleapis.com/google.protobuf.Duration)",
    )
  return undefined
}

function withTarget(message: JsonObject, validateOnly: boolean): AcceptedRequest | FcmAnswer {
  const kinds = TARGETS.filter((name) => message[name] !== undefined && message[name] !== '')
  const [kind] = kinds
  if (kind === undefined) return googleError(400, 'INVALID_ARGUMENT', 'Recipient of the message is not set.')
  const target = message[kind]
  if (kinds.length > 1 || typeof target !== 'string') return badRequest('message', 'oneof field target is already set.')
  if ((kind === 'token' || kind === 'fid') && !TARGET_CHARACTERS.test(target))
    return googleError(400, 'INVALID_ARGUMENT', 'The registration token is not a valid FCM registration token')
  return { message, targetKind: kind, target, validateOnly }
}

function unknownName(name: string, at: string): FcmAnswer {
  const place = at === '' ? '' : ` at '${at}'`
  return badRequest(at, `Invalid JSON payload received. Unknown name "${name}"${place}: Cannot find field.`)
}

/** What Google's front answers for a body that does not fit the API: no FcmError, but the fields. */
function badRequest(field: string, description: string): FcmAnswer {
  return googleError(400, undefined, description, [
    { '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: [{ field, description }] },
  ])
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
