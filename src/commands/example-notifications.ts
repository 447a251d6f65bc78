/** Notifications as homeservers send them, for who has none at hand: `render --example` and the demonstration. */
import type { JsonObject } from '../core/json.ts'
import { MESSAGE } from '../privacy/example.ts'

export const EXAMPLES = ['message', 'call', 'invite', 'badge'] as const
export type Example = (typeof EXAMPLES)[number]

const NOTIFICATIONS: Readonly<Record<Example, JsonObject>> = {
  message: MESSAGE,
  call: {
    ...MESSAGE,
    type: 'm.call.invite',
    content: { call_id: '12345', lifetime: 60_000, version: '1', party_id: 'PHONE' },
  },
  invite: {
    ...MESSAGE,
    type: 'm.room.member',
    membership: 'invite',
    user_is_target: true,
    content: { membership: 'invite' },
  },
  badge: { counts: { unread: 1, missed_calls: 0 } },
}

/** The notification for these devices; `more` takes the place of its own fields. */
export function exampleNotification(
  example: Example,
  devices: readonly JsonObject[],
  more: JsonObject = {},
): JsonObject {
  return { notification: { ...NOTIFICATIONS[example], ...more, devices: [...devices] } }
}
