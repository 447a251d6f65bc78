/** Whether a request has a field of a type that the push gateway API does not give it. */
import { isJsonObject, type JsonObject } from '../../src/core/json.ts'

const TEXTS = ['event_id', 'room_id', 'type', 'sender', 'sender_display_name', 'room_name', 'room_alias', 'membership']

export function isMalformed(notification: JsonObject): boolean {
  const { content, counts, user_is_target: isTarget, devices } = notification
  return (
    TEXTS.some((key) => isOther(notification[key], 'string')) ||
    isOther(isTarget, 'boolean') ||
    isOther(counts, 'object') ||
    !isJsonObject(counts ?? {}) ||
    (isJsonObject(counts) && Object.values(counts).some((count) => isOther(count, 'number') || Number(count) < 0)) ||
    (content !== undefined && !isJsonObject(content)) ||
    (isJsonObject(content) && isMalformedContent(content)) ||
    (Array.isArray(devices) && devices.some(hasContentOfItsOwn))
  )
}

/** In an event's content null is a wrong type, too. */
function isMalformedContent({ msgtype, body, offer }: JsonObject): boolean {
  const isNoText = (value: unknown): boolean => value !== undefined && typeof value !== 'string'
  return (
    isNoText(msgtype) || isNoText(body) || (offer !== undefined && (!isJsonObject(offer) || isNoText(offer['sdp'])))
  )
}

/** The content of an event is nothing that a pusher has. */
function hasContentOfItsOwn(device: unknown): boolean {
  const data = isJsonObject(device) ? device['data'] : undefined
  const payload = isJsonObject(data) ? data['default_payload'] : undefined
  return isJsonObject(payload) && isJsonObject(payload['content'])
}

function isOther(value: unknown, type: string): boolean {
  return value !== undefined && value !== null && typeof value !== type
}
