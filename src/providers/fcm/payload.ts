/** Push → the FCM message without its target: what Sygnal sends (docs/facts/peers.md#recorded-cases), fitted into FCM's limits; minimal stays minimal. */
import { isJsonObject, type JsonObject } from '../../core/json.ts'
import { isCallType } from '../../core/call.ts'
import type { PushIdentity, Rendered } from '../../core/message.ts'
import { type Counts, type EventIdOnlyPush, type FullPush, type Push } from '../../core/push.ts'
import { contentShaper, DataBuilder, MAX_DATA_BYTES } from './data.ts'
import { hedwigRenderer } from './hedwig.ts'
import type { FcmOptions } from './options.ts'
import { staticBytes } from './static-options.ts'
import { addDefaults, addWakeUp } from './wake-up.ts'

/**
 * No collapse key: collapsible messages are limited to a burst of 20 per device (docs/facts/fcm.md#throttling). No ttl unless the options have
 * one: how long a push is worth is for the queue, which sees the clock. But a call of which Google may know that it is one is not to ring when it is over.
 */
export function renderer(options: FcmOptions): (push: Push, identity?: Pick<PushIdentity, 'lifetimeMs'>) => Rendered {
  const fixed = options.options ?? {}
  const android = isJsonObject(fixed['android']) ? fixed['android'] : {}
  const maxBytes = MAX_DATA_BYTES - staticBytes(fixed)
  const hedwig =
    options.payload_style === 'hedwig' ? hedwigRenderer(options.hedwig ?? {}, { message: fixed, android }) : undefined
  const shapeContent = contentShaper(maxBytes)
  const dropsBadges = options.badge_pushes !== 'send'

  return (push, identity) => {
    if (push.kind === 'counts' && dropsBadges) return { kind: 'nothing', reason: 'badge pushes are off' }
    if (push.kind === 'counts' && !hasCounts(push)) return { kind: 'nothing', reason: 'no counts' }
    const ttl = ttlOf(push, identity)
    if (hedwig !== undefined) return hedwig(push, ttl)
    const { data, truncated } = dataOf(push, maxBytes, shapeContent)
    const priority = push.prio === 'low' ? 'normal' : 'high'
    const body = JSON.stringify({ ...fixed, android: { ...ttl, ...android, priority }, data })
    return { kind: 'message', message: { headers: {}, body }, truncated }
  }
}

function hasCounts(push: Push): boolean {
  const { unread, missedCalls } = push.counts ?? {}
  return unread !== undefined || missedCalls !== undefined || (push.detail === 'minimal' && push.badge !== undefined)
}

/** Whole seconds from when Google has it; the operator's own wins. */
function ttlOf(push: Push, identity: Pick<PushIdentity, 'lifetimeMs'> | undefined): JsonObject {
  if (identity === undefined || push.detail !== 'full' || !isCallType(push.type)) return {}
  return { ttl: `${Math.floor(identity.lifetimeMs / 1000)}s` }
}

type Data = ReturnType<DataBuilder['build']>
type ShapeContent = ReturnType<typeof contentShaper>

function dataOf(push: Push, maxBytes: number, shapeContent: ShapeContent): Data {
  const data = new DataBuilder()
  addDefaults(data, push)
  // MSC3013: nothing that is readable beside it.
  if (push.encrypted !== undefined) data.addEncrypted(push.encrypted, maxBytes)
  else if (push.detail === 'minimal') {
    addWakeUp(data, push)
    addCounts(data, push.counts, true)
  } else addOpen(data, push, shapeContent)
  return data.build(maxBytes)
}

function addOpen(data: DataBuilder, push: EventIdOnlyPush | FullPush, shapeContent: ShapeContent): void {
  data.addText('event_id', push.eventId)
  if (push.detail === 'full') addEvent(data, push)
  data.addText('room_id', push.roomId)
  if (push.detail === 'full' && push.content !== undefined) data.addShaped(shapeContent(push.content))
  data.addKept('prio', push.prio === 'low' ? 'normal' : 'high')
  // Sygnal leaves out a zero (golden: fcm-full-badge-zero); where the count is all there is, 0 is what clears the badge.
  addCounts(data, push.counts, push.kind === 'counts')
}

function addEvent(data: DataBuilder, push: FullPush): void {
  data.addText('type', push.type)
  data.addText('sender', push.sender)
  data.addText('room_name', push.roomName)
  data.addText('room_alias', push.roomAlias)
  data.addText('membership', push.membership)
  data.addText('sender_display_name', push.senderDisplayName)
}

function addCounts(data: DataBuilder, counts: Counts | undefined, withZero: boolean): void {
  const { unread, missedCalls } = counts ?? {}
  if (unread !== undefined && (withZero || unread !== 0)) data.addKept('unread', String(unread))
  if (missedCalls !== undefined && (withZero || missedCalls !== 0)) data.addKept('missed_calls', String(missedCalls))
}
