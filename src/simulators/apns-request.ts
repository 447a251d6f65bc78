/** Whether APNs would take a request, as Apple documents it: "Sending notification requests to APNs". Pure. */
import type { IncomingHttpHeaders } from 'node:http2'
import { isJsonObject, type JsonObject } from '../core/json.ts'
import type { ApnsReason } from './apns-refusal.ts'

/** Push types, and what their topics must end in. */
const SUFFIX = new Map([
  ['alert', ''],
  ['background', ''],
  ['mdm', ''],
  ['voip', '.voip'],
  ['complication', '.complication'],
  ['fileprovider', '.pushkit.fileprovider'],
  ['location', '.location-query'],
  ['liveactivity', '.push-type.liveactivity'],
  ['pushtotalk', '.voip-ptt'],
  ['widgets', '.push-type.widgets'],
  ['controls', '.push-type.controls'],
])
const MAX_BYTES = 4096
const MAX_BYTES_VOIP = 5120
const MAX_COLLAPSE_ID_BYTES = 64
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** The device token in the path; or why the path is wrong. */
export function deviceIn(headers: IncomingHttpHeaders): { readonly device: string } | ApnsReason {
  if (headers[':method'] !== 'POST') return 'MethodNotAllowed'
  const device = /^\/3\/device\/([^/?#]*)$/.exec(headers[':path'] ?? '')?.[1]
  if (device === undefined) return 'BadPath'
  return device === '' ? 'MissingDeviceToken' : { device }
}

/** Undefined when there is nothing to say against the headers. */
export function checkHeaders(headers: IncomingHttpHeaders): ApnsReason | undefined {
  const pushType = text(headers['apns-push-type'])
  const priority = text(headers['apns-priority'])
  if (!UUID.test(text(headers['apns-id']) ?? '00000000-0000-0000-0000-000000000000')) return 'BadMessageId'
  if (!/^\d{1,15}$/.test(text(headers['apns-expiration']) ?? '0')) return 'BadExpirationDate'
  if (!['1', '5', '10'].includes(priority ?? '10')) return 'BadPriority'
  if (Buffer.byteLength(text(headers['apns-collapse-id']) ?? '') > MAX_COLLAPSE_ID_BYTES) return 'BadCollapseId'
  if (pushType !== undefined && !SUFFIX.has(pushType)) return 'InvalidPushType'
  // "Specifying the priority 10 is an error" for background, which is also the default.
  return pushType === 'background' && priority !== '5' ? 'BadPriority' : undefined
}

export function checkTopic(headers: IncomingHttpHeaders, allowed: readonly string[]): ApnsReason | undefined {
  const topic = text(headers['apns-topic']) ?? (headers['authorization'] === undefined ? allowed[0] : undefined)
  if (topic === undefined) return 'MissingTopic'
  if (!/^[A-Za-z0-9.-]+$/.test(topic) || !topic.endsWith(SUFFIX.get(text(headers['apns-push-type']) ?? '') ?? ''))
    return 'BadTopic'
  const isAllowed = [...SUFFIX.values()].some(
    (suffix) => topic.endsWith(suffix) && allowed.includes(topic.slice(0, topic.length - suffix.length)),
  )
  return isAllowed || allowed.includes(topic) ? undefined : 'TopicDisallowed'
}

/** Apple names no reason for what is not a JSON object. */
export function checkPayload(
  headers: IncomingHttpHeaders,
  body: Buffer,
): { readonly payload: JsonObject } | ApnsReason {
  if (body.length > (headers['apns-push-type'] === 'voip' ? MAX_BYTES_VOIP : MAX_BYTES)) return 'PayloadTooLarge'
  try {
    const payload: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
    return isJsonObject(payload) && Object.keys(payload).length > 0 ? { payload } : 'PayloadEmpty'
  } catch {
    return 'PayloadEmpty'
  }
}

export function checkDevice(device: string): ApnsReason | undefined {
  return /^([0-9a-f]{2})+$/i.test(device) ? undefined : 'BadDeviceToken'
}

function text(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(',') : value
}
