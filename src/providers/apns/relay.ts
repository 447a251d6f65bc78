/** A relayed Web Push message → the exact headers and JSON that APNs gets. Pure. */
import type { Message } from '../../core/message.ts'
import type { Relay, RelayedIdentity, RelayedMessage } from '../../core/relay.ts'
import type { ApnsOptions } from './options.ts'

/** Of the body of RFC 8030: as base64url it takes 3734 bytes of the 4096 of a payload (docs/decisions.md#web-push-that-is-relayed). */
const MAX_BYTES = 2800
/** What is left for the text of the app, as JSON, beside the record and what is around it. */
export const MAX_TEXT_BYTES = 200
/** Those whose pushes run an extension, which is what opens the message. */
const PUSH_TYPES: readonly ApnsOptions['push_type'][] = [undefined, 'auto', 'alert', 'none']

/** Undefined where the app does not want it. */
export function relay(options: ApnsOptions): Relay | undefined {
  const { webpush_relay: address } = options
  if (address === undefined) return undefined
  return {
    origin: new URL(address).origin,
    maxBytes: MAX_BYTES,
    render: (message, identity) => ({
      headers: headersOf(options, message, identity),
      body: JSON.stringify(payloadOf(options, message)),
    }),
  }
}

/** Why these options cannot go with the relay; undefined where they can. */
export function relayMistake(options: ApnsOptions): string | undefined {
  const { webpush_relay: address, push_type: pushType } = options
  if (address === undefined) return undefined
  if (!URL.canParse(address)) return 'is not an https address such as https://push.example.com'
  if (!PUSH_TYPES.includes(pushType))
    return `cannot go with push_type: ${pushType}: what is relayed is opened by the app's Notification Service Extension, which only an alert runs`
  if (Buffer.byteLength(JSON.stringify(locKeyOf(options))) > MAX_TEXT_BYTES)
    return `leaves no room for a loc_key of more than ${MAX_TEXT_BYTES} bytes`
  return undefined
}

function headersOf(
  { topic, push_type: pushType }: ApnsOptions,
  { urgency }: RelayedMessage,
  { id, collapseId, expiresAtMs }: RelayedIdentity,
): Message['headers'] {
  return {
    ...(topic === undefined ? {} : { 'apns-topic': topic }),
    ...(pushType === 'none' ? {} : { 'apns-push-type': 'alert' }),
    'apns-priority': urgency === 'high' ? '10' : '5',
    // Apple: 0 is tried once, and not stored.
    'apns-expiration': expiresAtMs === undefined ? '0' : String(Math.floor(expiresAtMs / 1000)),
    'apns-id': id,
    ...(collapseId === undefined ? {} : { 'apns-collapse-id': collapseId }),
  }
}

/** As a minimal push (layout.ts): an alert that the app replaces, as only such a one runs its extension, with a sound where it is urgent. */
function payloadOf(options: ApnsOptions, { record, kid, urgency }: RelayedMessage): object {
  const alert = { 'loc-key': locKeyOf(options) }
  return {
    aps: { alert, 'mutable-content': 1, ...(urgency === 'high' ? { sound: 'default' } : {}) },
    ...(kid === undefined ? {} : { hushgate_kid: kid }),
    hushgate_webpush: record,
  }
}

function locKeyOf({ loc_key: locKey = 'Notification' }: ApnsOptions): string {
  return locKey
}
