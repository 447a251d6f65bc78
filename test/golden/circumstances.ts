/** What a request is like, where a difference is meant only for such ones. */
import { isJsonObject, type JsonObject, type JsonValue } from '../../src/core/json.ts'
import type { Difference } from './compare.ts'

const TEXTS = ['event_id', 'room_id', 'type', 'sender', 'sender_display_name', 'room_name', 'room_alias', 'membership']

/** Deeper than this Hushgate reads nothing. */
const MAX_DEPTH = 100

export function circumstancesOf(
  notification: JsonObject,
): Pick<Difference, 'isMalformed' | 'isSealed' | 'isUncounted'> {
  return {
    isMalformed: isMalformed(notification),
    isSealed: ['ephemeral', 'ciphertext', 'mac'].every((key) => typeof notification[key] === 'string'),
    isUncounted: dataIn(notification).some(
      (data) => data['disable_badge_count'] === true || data['org.matrix.msc4076.disable_badge_count'] === true,
    ),
  }
}

/** Has a field of a type that the push gateway API does not give it, or one that is nested beyond all reason. */
function isMalformed(notification: JsonObject): boolean {
  const { content, counts, user_is_target: isTarget } = notification
  return (
    TEXTS.some((key) => isOther(notification[key], 'string')) ||
    isOther(isTarget, 'boolean') ||
    isOther(counts, 'object') ||
    !isJsonObject(counts ?? {}) ||
    (isJsonObject(counts) && Object.values(counts).some(isNoCount)) ||
    (content !== undefined && !isJsonObject(content)) ||
    (isJsonObject(content) && isMalformedContent(content)) ||
    dataIn(notification).some(hasContentOfItsOwn) ||
    isDeeperThan(MAX_DEPTH, notification)
  )
}

/** Beyond 2^53 a number in JSON is not exact. */
function isNoCount(value: unknown): boolean {
  return isOther(value, 'number') || Number(value) < 0 || Number(value) > Number.MAX_SAFE_INTEGER
}

/** In an event's content null is a wrong type, too. */
function isMalformedContent({ msgtype, body, offer }: JsonObject): boolean {
  const isNoText = (value: unknown): boolean => value !== undefined && typeof value !== 'string'
  return (
    isNoText(msgtype) || isNoText(body) || (offer !== undefined && (!isJsonObject(offer) || isNoText(offer['sdp'])))
  )
}

/** The content of an event is nothing that a pusher has. */
function hasContentOfItsOwn({ default_payload: payload }: JsonObject): boolean {
  return isJsonObject(payload) && isJsonObject(payload['content'])
}

function dataIn({ devices }: JsonObject): readonly JsonObject[] {
  if (!Array.isArray(devices)) return []
  return devices.flatMap((device: unknown) =>
    isJsonObject(device) && isJsonObject(device['data']) ? [device['data']] : [],
  )
}

function isDeeperThan(levels: number, value: JsonValue | undefined): boolean {
  if (typeof value !== 'object' || value === null) return false
  return levels === 0 || Object.values(value).some((each) => isDeeperThan(levels - 1, each))
}

function isOther(value: unknown, type: string): boolean {
  return value !== undefined && value !== null && typeof value !== type
}
