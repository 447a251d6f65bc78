/** The data of a push as Sygnal writes it for FCM; other push services with data messages get the same. Pure. */
import type { Counts, EventIdOnlyPush, FullPush, Push } from '../../core/push.ts'
import { type contentShaper, DataBuilder } from './data.ts'
import { addDefaults, addWakeUp } from './wake-up.ts'

type ShapeContent = ReturnType<typeof contentShaper>

/** What Sygnal tells FCM of an event (docs/facts/peers.md#recorded-cases); minimal stays minimal. `maxBytes`: what it is to be fitted into. */
export function eventData(push: Push, maxBytes: number, shapeContent: ShapeContent): DataBuilder {
  const data = new DataBuilder()
  addDefaults(data, push)
  // MSC3013: nothing that is readable beside it.
  if (push.encrypted !== undefined) data.addEncrypted(push.encrypted, maxBytes)
  else if (push.detail === 'minimal') {
    addWakeUp(data, push)
    addCounts(data, push.counts, true)
  } else addOpen(data, push, shapeContent)
  return data
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

/** Whether a badge update says anything. */
export function hasCounts(push: Push): boolean {
  const { unread, missedCalls } = push.counts ?? {}
  return unread !== undefined || missedCalls !== undefined || (push.detail === 'minimal' && push.badge !== undefined)
}
