/** What an app's `options` (Sygnal's fcm_options) say that more than one part must understand. */
import { isJsonObject } from '../../core/json.ts'

/** Four weeks: firebase.google.com/docs/cloud-messaging/customize-messages/setting-message-lifespan */
export const MAX_TTL_SECONDS = 2_419_200

/** `android.ttl` as Google writes it; undefined when it is not whole seconds. */
export function ttlSeconds(ttl: unknown): number | undefined {
  return typeof ttl === 'string' && /^\d{1,7}s$/.test(ttl) ? Number(ttl.slice(0, -1)) : undefined
}

/** What the options take of the 4096 bytes of a message: a visible notification, and what Google passes on to APNs with the data. */
export function staticBytes(options: Readonly<Record<string, unknown>>): number {
  const { notification, android, apns } = options
  const parts = [
    notification,
    isJsonObject(android) ? android['notification'] : undefined,
    isJsonObject(apns) ? apns['payload'] : undefined,
  ]
  return parts.reduce<number>(
    (sum, part) => sum + (part === undefined ? 0 : Buffer.byteLength(JSON.stringify(part))),
    0,
  )
}
