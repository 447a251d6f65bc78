/** The mistakes in an FCM section that its schema cannot express; opens files, no connection. */
import { isJsonObject, jsonObjectOf } from '../../core/json.ts'
import type { OptionMistake } from '../../core/provider.ts'
import { checkAddress, mistakesIn, readAuthorities, type Report } from '../shared/inspect.ts'
import { hedwigBytes } from './hedwig.ts'
import type { FcmOptions } from './options.ts'
import { readServiceAccount } from './service-account.ts'
import { MAX_TTL_SECONDS, staticBytes, ttlSeconds } from './static-options.ts'

/** The fields of a message that the gateway leaves to the operator, in both spellings that protobuf JSON takes. */
const MESSAGE_FIELDS = new Set(['notification', 'android', 'webpush', 'apns', 'fcm_options', 'fcmOptions'])
const TARGETS = new Set(['token', 'fid', 'topic', 'condition'])
/** Leaves room for the IDs of an event, which Synapse allows 255 bytes each, and for what the app itself needs. */
const MAX_STATIC_BYTES = 2048
const TOO_LARGE = "leaves too little of FCM's 4096 bytes for the push itself"

export function inspect(options: FcmOptions): Promise<readonly OptionMistake[]> {
  return mistakesIn(async (report) => {
    await readServiceAccount(options, report)
    await readAuthorities(options, report)
    checkAddress(options.endpoint, 'endpoint', 'https://fcm.googleapis.com', report)
    let isRight = true
    checkMessage(options.options ?? {}, (option, message) => {
      isRight = false
      report(option, message)
    })
    checkHedwig(options, report)
    if (isRight) await checkBySdk(options.options, report)
  })
}

/** The SDK takes memory, so it is loaded only where there is something to check. */
async function checkBySdk(message: FcmOptions['options'], report: Report): Promise<void> {
  const fields = jsonObjectOf(JSON.stringify(message ?? {})) ?? {}
  if (Object.keys(fields).length === 0) return
  const { mistakeOf } = await import('./sdk-check.ts')
  const mistake = await mistakeOf(fields)
  if (mistake !== undefined) report('options', `are not what FCM takes, says firebase-admin: ${mistake}`)
}

/** `options`: the operator's own part of every message. */
function checkMessage(message: Readonly<Record<string, unknown>>, report: Report): void {
  for (const [name, value] of Object.entries(message)) {
    const option = `options.${name}`
    if (name === 'data') report(option, 'has no effect: the gateway writes the data; remove it')
    else if (TARGETS.has(name)) report(option, 'the target is the pushkey of each device; remove it')
    else if (!MESSAGE_FIELDS.has(name)) report(option, 'is not a field of an FCM v1 message')
    else if (!isJsonObject(value)) report(option, 'must be a mapping')
  }
  const { android } = message
  if (isJsonObject(android)) checkAndroid(android, report)
  if (staticBytes(message) > MAX_STATIC_BYTES) report('options', TOO_LARGE)
}

function checkAndroid({ data, ttl }: Readonly<Record<string, unknown>>, report: Report): void {
  if (data !== undefined) report('options.android.data', 'would replace the data of every push; remove it')
  const seconds = ttlSeconds(ttl)
  if (ttl !== undefined && (seconds === undefined || seconds > MAX_TTL_SECONDS))
    report('options.android.ttl', `must be whole seconds such as "3600s", at most "${MAX_TTL_SECONDS}s" (28 days)`)
}

function checkHedwig({ payload_style: style, hedwig, options = {} }: FcmOptions, report: Report): void {
  if (style !== 'hedwig') {
    if (hedwig !== undefined) report('hedwig', 'has no effect without payload_style: hedwig')
    return
  }
  const { notification, apns, android } = options
  const message = 'is written by payload_style: hedwig; say it under "hedwig"'
  if (notification !== undefined) report('options.notification', message)
  if (apns !== undefined) report('options.apns', message)
  if (isJsonObject(android) && android['notification'] !== undefined) report('options.android.notification', message)
  if (hedwigBytes(hedwig ?? {}) > MAX_STATIC_BYTES) report('hedwig', TOO_LARGE)
}
