/** Calls: which events are one, whether they ring, and when they are over. Pure. */
import type { JsonObject } from './json.ts'
import type { Notification } from './notification.ts'

/** MSC4075 under its names, old and new: `m.rtc.notification`. */
const RTC_TYPES = new Set([
  'm.call.notify',
  'm.rtc.notification',
  'org.matrix.msc4075.call.notify',
  'org.matrix.msc4075.rtc.notification',
])
const INVITE = 'm.call.invite'
/** MSC4075: how long at most a notification should be taken for one. */
const LONGEST_RTC_LIFETIME_MS = 120_000

export function isCallType(type: string | undefined): boolean {
  return type !== undefined && (type === INVITE || RTC_TYPES.has(type))
}

/** It makes the phone ring. MSC4075 has notifications that only say that there is a call; without a word on it, it rings. */
export function isCall({ type, content = {} }: Pick<Notification, 'type' | 'content'>): boolean {
  if (!isCallType(type)) return false
  return type === INVITE || (content['notification_type'] ?? content['notify_type'] ?? 'ring') === 'ring'
}

/**
 * For how long a call still is one, in ms: 0 or less when it is over. Undefined where nothing says it. `m.call.invite` says how long it rings, but not since when
 * (Matrix specification, "m.call.invite"): since it came here. MSC4075 says both, by the caller's clock; one that is ahead makes no call longer. A clock that is
 * behind by more than the lifetime cannot be told from a call that came late, and nobody wants to hear a phone ring for that.
 */
export function callLifetimeMs(
  { type, content = {} }: Pick<Notification, 'type' | 'content'>,
  nowMs: number,
): number | undefined {
  if (!isCallType(type)) return undefined
  const lifetimeMs = durationOf(content, 'lifetime')
  if (lifetimeMs === undefined || type === INVITE) return lifetimeMs
  const longestMs = Math.min(lifetimeMs, LONGEST_RTC_LIFETIME_MS)
  const sentMs = durationOf(content, 'sender_ts')
  return sentMs === undefined ? longestMs : longestMs - Math.max(0, nowMs - sentMs)
}

function durationOf(content: JsonObject, key: string): number | undefined {
  const value = content[key]
  return typeof value === 'number' && value >= 0 ? Math.floor(value) : undefined
}
