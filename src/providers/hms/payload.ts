/** Push → the message of Push Kit without its token (docs/facts/hms.md#messages): the same data as for FCM, as JSON in one text, fitted into Huawei's limit. */
import { isCallType } from '../../core/call.ts'
import { jsonObject, type JsonObject } from '../../core/json.ts'
import type { PushIdentity, Rendered } from '../../core/message.ts'
import { badgeOf } from '../../core/privacy-policy.ts'
import type { Push } from '../../core/push.ts'
import { contentShaper, type DataBuilder } from '../shared/data.ts'
import { eventData, hasCounts } from '../shared/event-data.ts'
import type { HmsOptions } from './options.ts'

/** Of the whole body without the token (docs/facts/hms.md#messages). What is around the message, and its empty list of tokens, takes some. */
const MAX_MESSAGE_BYTES = 4000
/** What the marks of JSON within JSON take, of the fields that are never shed. */
const MARKS_BYTES = 256
/** Each comes closer, as texts take more or less in JSON. */
const MAX_TRIES = 12
/** BadgeNotification: at least 0, less than 100. */
const LARGEST_BADGE = 99

export function renderer(options: HmsOptions): (push: Push, identity: Pick<PushIdentity, 'lifetimeMs'>) => Rendered {
  const shapeContent = contentShaper(MAX_MESSAGE_BYTES)
  const dropsBadges = options.badge_pushes !== 'send'
  return (push, { lifetimeMs }) => {
    if (push.kind === 'counts' && dropsBadges) return { kind: 'nothing', reason: 'badge pushes are off' }
    if (push.kind === 'counts' && !hasCounts(push)) return { kind: 'nothing', reason: 'no counts' }
    const android = androidOf(push, options, lifetimeMs)
    const roomBytes = MAX_MESSAGE_BYTES - bodyOf(android, {}).length
    const { body, truncated } = fitted(eventData(push, roomBytes - MARKS_BYTES, shapeContent), android, roomBytes)
    return { kind: 'message', message: { headers: {}, body }, truncated }
  }
}

function androidOf(push: Push, options: HmsOptions, lifetimeMs: number): JsonObject {
  const { urgency, category } = options
  const isCall = push.detail === 'full' && isCallType(push.type)
  return jsonObject([
    ['urgency', urgency === 'high' && push.prio === 'high' ? 'HIGH' : 'NORMAL'],
    ['category', category],
    // Only of a call of which Huawei may know that it is one; else a day, which is Huawei's default.
    ['ttl', isCall ? `${Math.max(1, Math.floor(lifetimeMs / 1000))}s` : undefined],
    ['notification', notificationOf(push, options)],
  ])
}

/** A badge update is never an alert. */
function notificationOf(push: Push, { notification }: HmsOptions): JsonObject | undefined {
  if (notification === undefined || push.kind === 'counts') return undefined
  const { title, body, channel_id, badge_class } = notification
  const number = push.encrypted === undefined ? unreadOf(push) : undefined
  const hasBadge = badge_class !== undefined && number !== undefined
  return jsonObject([
    ['title', title],
    ['body', body],
    // Opens the app.
    ['click_action', { type: 3 }],
    ['importance', push.prio === 'low' ? 'LOW' : 'NORMAL'],
    ['channel_id', channel_id],
    ['badge', hasBadge ? { class: badge_class, set_num: Math.min(number, LARGEST_BADGE) } : undefined],
  ])
}

function unreadOf(push: Push): number | undefined {
  return push.detail === 'minimal' ? push.badge : badgeOf(push.counts)
}

function fitted(
  builder: DataBuilder,
  android: JsonObject,
  roomBytes: number,
): { readonly body: string; readonly truncated: boolean } {
  let maxBytes = roomBytes
  for (let tries = 0; tries < MAX_TRIES; tries += 1) {
    const { data, truncated } = builder.build(maxBytes)
    const body = bodyOf(android, data)
    const bytes = Buffer.byteLength(body)
    if (bytes <= MAX_MESSAGE_BYTES) return { body, truncated: truncated || tries > 0 }
    const writtenBytes = bytes - (MAX_MESSAGE_BYTES - roomBytes)
    const dataBytes = Object.entries(data).reduce((sum, entry) => sum + Buffer.byteLength(entry.join('')), 0)
    maxBytes = Math.min(maxBytes - 1, Math.floor((dataBytes * roomBytes) / writtenBytes))
  }
  return { body: bodyOf(android, { sync: '1' }), truncated: true }
}

/** `data` is one text in Push Kit. */
function bodyOf(android: JsonObject, data: object): string {
  return JSON.stringify({ android, data: JSON.stringify(data) })
}
