/** Which fields of the ledger a notification holds, with their values: what can be compared with what is passed on. */
import type { Field } from '../core/disclosure.ts'
import type { JsonValue } from '../core/json.ts'
import type { Notification } from '../core/notification.ts'

export function fieldsSent(notification: Notification): ReadonlyMap<Field, JsonValue> {
  const { eventId, roomId, type, sender, senderDisplayName, roomName, roomAlias } = notification
  const { membership, userIsTarget, content, counts, prio } = notification
  const fields: readonly (readonly [Field, JsonValue | undefined])[] = [
    ['event_id', eventId],
    ['room_id', roomId],
    ['type', type],
    ['sender', sender],
    ['sender_display_name', senderDisplayName],
    ['room_name', roomName],
    ['room_alias', roomAlias],
    ['membership', membership],
    ['user_is_target', userIsTarget],
    ['content', content],
    ['unread', counts?.unread],
    ['missed_calls', counts?.missedCalls],
    ['prio', prio],
  ]
  return new Map(fields.flatMap(([field, value]) => (value === undefined ? [] : [[field, value]])))
}
