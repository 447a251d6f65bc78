/** Push → the JSON object for the app, however large. Layouts as Sygnal's: docs/facts/peers.md#alerts-of-sygnal and #ids-of-sygnal. */
import { isJsonObject, jsonObject, type JsonObject } from '../../core/json.ts'
import { badgeOf } from '../../core/privacy-policy.ts'
import type { Counts, EventIdOnlyPush, FullPush, MinimalPush, Push } from '../../core/push.ts'
import { alertOf } from './alert.ts'

/** What an app's options say about its payloads. */
export interface Style {
  /** The text that the app shows when it is told nothing. */
  readonly locKey: string
  /** `push_type: background`: wakes the app, shows nothing. */
  readonly background: boolean
}

/** Undefined when there is nothing to tell. What is sealed for the device (MSC3013) is not in it. */
export function payloadOf(push: Push, style: Style): JsonObject | undefined {
  if (push.kind === 'counts') return badgePayload(push.detail === 'minimal' ? push.badge : badgeOf(push.counts))
  if (push.detail === 'minimal') return minimalPayload(push, style)
  // Plaintext beside MSC3013's ciphertext is ignored (docs/facts/push-gateway-api.md#msc3013).
  if (push.encrypted !== undefined) {
    return isJsonObject(push.defaultPayload['aps']) ? push.defaultPayload : wakeUp(push, style)
  }
  // Sygnal's rule: without a type, an event ID is all there is.
  const isFull = push.detail === 'full' && (push.type !== undefined || push.eventId === undefined)
  return isFull ? fullPayload(push) : eventIdPayload(push)
}

/**
 * What makes a push without content useful: an alert that the app may replace, since only an alert with `mutable-content` runs its
 * extension (docs/facts/apns.md#notification-service-extension); or, in the background, nothing but the signal to wake up.
 */
export function wakeUp(push: Pick<Push, 'prio' | 'defaultPayload'>, style: Style): JsonObject {
  const given = push.defaultPayload['aps']
  const { alert, sound, badge: _notTheirs, ...rest } = isJsonObject(given) ? given : {}
  if (style.background) {
    // Apple, "Pushing background updates to your App": no alert and no sound.
    return { ...push.defaultPayload, aps: { ...rest, 'content-available': 1 } }
  }
  const visible = jsonObject([
    ['alert', visibleAlert(alert, style.locKey)],
    ['mutable-content', 1],
    ['sound', sound ?? (push.prio === 'low' ? undefined : 'default')],
  ])
  return { ...push.defaultPayload, aps: { ...visible, ...rest } }
}

function visibleAlert(alert: unknown, locKey: string): JsonObject | string {
  if (typeof alert === 'string' && alert !== '') return alert
  if (!isJsonObject(alert)) return { 'loc-key': locKey }
  return { ...alert, 'loc-key': typeof alert['loc-key'] === 'string' ? alert['loc-key'] : locKey }
}

function minimalPayload(push: MinimalPush, style: Style): JsonObject {
  const { aps, ...rest } = wakeUp(push, style)
  return jsonObject([
    ...Object.entries(rest),
    ['aps', { ...(isJsonObject(aps) ? aps : {}), ...(push.badge === undefined ? {} : { badge: push.badge }) }],
    ...countEntries(push.counts),
    ['hushgate_kid', push.sealed?.kid],
    ['hushgate_sealed', push.sealed?.record],
    ['room_id', push.ids?.roomId],
    ['event_id', push.ids?.eventId],
  ])
}

function eventIdPayload(push: EventIdOnlyPush | FullPush): JsonObject | undefined {
  const payload = jsonObject([
    ...Object.entries(push.defaultPayload),
    ['room_id', push.roomId],
    ['event_id', push.eventId],
    ...countEntries(push.counts),
  ])
  return Object.keys(payload).length === 0 ? undefined : payload
}

function fullPayload(push: FullPush): JsonObject | undefined {
  const localized = alertOf(push)
  const badge = badgeOf(push.counts)
  if (localized === undefined && badge === undefined) return undefined
  const base = push.type === undefined ? {} : push.defaultPayload
  const given = isJsonObject(base['aps']) ? base['aps'] : {}
  if (localized === undefined) return { ...base, aps: jsonObject([...Object.entries(given), ['badge', badge]]) }
  const alert = {
    ...(isJsonObject(given['alert']) ? given['alert'] : {}),
    'loc-key': localized.key,
    'loc-args': localized.args,
  }
  return jsonObject([
    ...Object.entries(base),
    ['aps', jsonObject([...Object.entries(given), ['alert', alert], ['badge', badge]])],
    ['room_id', push.roomId],
    ['event_id', push.eventId],
  ])
}

/** 0 is sent, it clears the badge. */
function badgePayload(badge: number | undefined): JsonObject | undefined {
  return badge === undefined ? undefined : { aps: { badge } }
}

function countEntries(counts: Counts | undefined): [string, number | undefined][] {
  return [
    ['unread_count', counts?.unread],
    ['missed_calls', counts?.missedCalls],
  ]
}
