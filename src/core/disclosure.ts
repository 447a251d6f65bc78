/**
 * The words in which is said who learns what of a notification: its fields, and how much of one can be learned. The ledger (privacy/ledger.ts) says with
 * them what holds for every push service, and a provider says with them what is different with its own.
 */
import type { PrivacyMode } from './privacy-policy.ts'

/** In words that a user understands. */
export const FIELDS = {
  event_id: 'which message it is (event ID)',
  room_id: 'which room (room ID)',
  type: 'what kind of event it is',
  sender: 'who wrote (Matrix ID)',
  sender_display_name: 'the name of who wrote',
  room_name: 'the name of the room',
  room_alias: 'the address of the room',
  membership: 'whether it is an invitation',
  user_is_target: 'whether it is about you',
  content: 'what was written',
  unread: 'how many unread messages you have',
  missed_calls: 'how many calls you missed',
  prio: 'whether it should make a sound',
  encrypted: 'what your homeserver encrypted for your device (MSC3013)',
  app_id: 'the name by which your homeserver knows your app (app_id)',
  pushkey: 'the address of your device at the push service (pushkey; of a browser, the endpoint)',
  pushkey_ts: 'when your device registered',
  default_payload_allowed:
    "fixed values of your app's choice, as far as the gateway's list allows them (default_payload)",
  default_payload: 'whatever else your app asked to be passed on (default_payload)',
  device_key: 'the random name of the key that your device made for its pushes (hushgate_key)',
  pusher_data: 'the other settings with which your app registered (the data of its pusher)',
  tweaks: 'how your push rules want it shown (tweaks)',
  unknown: 'anything that the Matrix specification does not know',
  source_address: "your homeserver's network address and the headers of its request",
  time: 'when it came',
  length: 'how long the message for the push service is',
} as const
export type Field = keyof typeof FIELDS

const FIELD_NAMES = Object.keys(FIELDS).filter((name): name is Field => Object.hasOwn(FIELDS, name))

export function fieldNames(): readonly Field[] {
  return FIELD_NAMES
}

/** How much of a field a party learns; an empty list is nothing. */
export const DISCLOSURES = {
  as_sent: 'the value as it was sent',
  sum_as_badge: 'unread and missed calls added up, as the number on the app icon',
  keyed_hash: 'a keyed hash: the same for the same value, and nobody without the key file can find the value',
  short_hash: '8 hex digits of a keyed hash',
  app_name: 'the name of the app in the configuration',
  sealed: 'what is passed on of it, encrypted; unreadable without the key file',
  category: 'at most whether it is a call, an invitation or something else',
  tick: 'when it left, together with all others of that moment; only of a call, when it came',
  rounded: 'only rounded up to whole KiB',
  aggregate: 'only in totals and histograms of the whole app',
} as const
export type Disclosure = keyof typeof DISCLOSURES

const DISCLOSURE_NAMES = Object.keys(DISCLOSURES).filter((name): name is Disclosure => Object.hasOwn(DISCLOSURES, name))

export function disclosureNames(): Disclosure[] {
  return [...DISCLOSURE_NAMES]
}

export type DisclosureByMode = Readonly<Record<PrivacyMode, readonly Disclosure[]>>
export type DisclosureOfFields = Readonly<Partial<Record<Field, DisclosureByMode>>>

/** The same in every mode; nothing where nothing is given. */
export function always(...learned: readonly Disclosure[]): DisclosureByMode {
  return { minimal: learned, event_id_only: learned, full: learned }
}

export function unlessMinimal(...learned: readonly Disclosure[]): DisclosureByMode {
  return { minimal: [], event_id_only: learned, full: learned }
}

export function onlyFull(...learned: readonly Disclosure[]): DisclosureByMode {
  return { minimal: [], event_id_only: [], full: learned }
}
