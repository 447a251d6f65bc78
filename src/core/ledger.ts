/**
 * What each party can learn of a notification, field by field and mode by mode, and for how long: the one table from which the privacy page, the
 * documentation and `hushgate render` speak, and which the tests hold against what is observed (test/ledger.int.test.ts). Data, no behaviour.
 */
import type { PrivacyMode, PrivacyPolicy } from './privacy.ts'

export type LedgerPolicy = Pick<PrivacyPolicy, 'privacy' | 'counts'>

export const PARTIES = ['gateway_memory', 'store', 'log', 'metrics', 'push_service'] as const
export type Party = (typeof PARTIES)[number]

export interface PartyWords {
  readonly name: string
  /** Who that is, and what it keeps for how long. */
  readonly kept: string
}

export const PARTY_WORDS: Readonly<Record<Party, PartyWords>> = {
  gateway_memory: {
    name: 'gateway (memory)',
    kept: 'until the homeserver has its answer; what is passed on, until it is sent',
  },
  store: { name: 'store (SQLite or Redis)', kept: 'as the list of what is kept says' },
  log: { name: 'log', kept: 'as long as the operator keeps logs' },
  metrics: { name: 'metrics', kept: 'as long as the operator keeps metrics; numbers for all users of an app together' },
  push_service: {
    name: 'push service',
    kept: 'not in our hands; Apple and Google keep an undelivered push for up to 30 days by their own documentation',
  },
}

/** How much of a field a party learns; an empty list is nothing. */
export const LEARNED = {
  as_sent: 'the value as it was sent',
  sum_as_badge: 'unread and missed calls added up, as the number on the app icon',
  keyed_hash: 'a keyed hash: the same for the same value, and nobody without the key file can find the value',
  short_hash: '8 hex digits of a keyed hash',
  app_name: 'the name of the app in the configuration',
  sealed: 'what the push service gets of it, encrypted; unreadable without the key file',
  category: 'only whether it is a call',
  rounded: 'only rounded up to whole KiB',
  aggregate: 'only as a part of counts and histograms of the whole app',
} as const
export type Learned = keyof typeof LEARNED

type Modes = Readonly<Record<PrivacyMode, readonly Learned[]>>

const NEVER: Modes = { minimal: [], event_id_only: [], full: [] }
const ONLY_FULL: Modes = { minimal: [], event_id_only: [], full: ['as_sent'] }
const UNLESS_MINIMAL: Modes = { minimal: [], event_id_only: ['as_sent'], full: ['as_sent'] }
const ALWAYS: Modes = { minimal: ['as_sent'], event_id_only: ['as_sent'], full: ['as_sent'] }

interface Row {
  /** In words that a user understands. */
  readonly what: string
  readonly pushService: Modes
  /** A count: the setting `counts` decides, too. */
  readonly isCount?: true
  /** Not in the message: seen by whoever is sent anything at all. */
  readonly isOutside?: true
  /** In the store beside what is passed on, which is there sealed. */
  readonly store: readonly Learned[]
  readonly log?: readonly Learned[]
  readonly metrics?: readonly Learned[]
  readonly why: string
}

const NOT_KEPT: readonly Learned[] = []
const IN_FULL = 'Only an app that shows the message without asking the homeserver needs it'
const IGNORED = 'Nothing needs it'

export const FIELDS = {
  event_id: {
    what: 'which message it is (event ID)',
    pushService: { minimal: ['keyed_hash'], event_id_only: ['as_sent', 'keyed_hash'], full: ['as_sent', 'keyed_hash'] },
    store: ['keyed_hash'],
    why: 'The hash tells a repeated push from a new one; it is made anew for each device',
  },
  room_id: {
    what: 'which room (room ID)',
    pushService: UNLESS_MINIMAL,
    store: NOT_KEPT,
    why: 'An app that is told fetches the message faster',
  },
  type: {
    what: 'what kind of event it is',
    pushService: ONLY_FULL,
    store: ['category'],
    why: 'A call goes first and is worth nothing later',
  },
  sender: { what: 'who wrote (Matrix ID)', pushService: ONLY_FULL, store: NOT_KEPT, why: IN_FULL },
  sender_display_name: { what: 'the name of who wrote', pushService: ONLY_FULL, store: NOT_KEPT, why: IN_FULL },
  room_name: { what: 'the name of the room', pushService: ONLY_FULL, store: NOT_KEPT, why: IN_FULL },
  room_alias: { what: 'the address of the room', pushService: ONLY_FULL, store: NOT_KEPT, why: IN_FULL },
  membership: { what: 'whether it is an invitation', pushService: ONLY_FULL, store: NOT_KEPT, why: IN_FULL },
  user_is_target: { what: 'whether it is about you', pushService: ONLY_FULL, store: NOT_KEPT, why: IN_FULL },
  content: {
    what: 'what was written',
    pushService: ONLY_FULL,
    store: NOT_KEPT,
    why: `${IN_FULL}; in encrypted rooms it is not readable for the homeserver either`,
  },
  unread: {
    what: 'how many unread messages you have',
    pushService: {
      minimal: ['as_sent', 'sum_as_badge'],
      event_id_only: ['as_sent', 'sum_as_badge'],
      full: ['as_sent', 'sum_as_badge'],
    },
    isCount: true,
    store: NOT_KEPT,
    why: 'The number on the app icon',
  },
  missed_calls: {
    what: 'how many calls you missed',
    pushService: {
      minimal: ['as_sent', 'sum_as_badge'],
      event_id_only: ['as_sent', 'sum_as_badge'],
      full: ['as_sent', 'sum_as_badge'],
    },
    isCount: true,
    store: NOT_KEPT,
    why: 'The number on the app icon',
  },
  prio: {
    what: 'whether it should make a sound',
    pushService: ALWAYS,
    store: NOT_KEPT,
    why: 'The phone wakes up for it, or not',
  },
  encrypted: {
    what: 'what your homeserver encrypted for your device (MSC3013)',
    pushService: ALWAYS,
    store: NOT_KEPT,
    why: 'Only your device can open it',
  },
  app_id: {
    what: 'which app you use',
    pushService: NEVER,
    store: ['app_name', 'keyed_hash'],
    log: ['app_name'],
    metrics: ['app_name'],
    why: 'Each app has its own credentials and queue; its push service knows the app as its own customer',
  },
  pushkey: {
    what: 'the address of your device at the push service (pushkey)',
    pushService: ALWAYS,
    isOutside: true,
    store: ['keyed_hash', 'sealed'],
    log: ['short_hash'],
    why: 'The push service gave it to the device; by its hash a dead one is remembered',
  },
  pushkey_ts: {
    what: 'when your device registered',
    pushService: NEVER,
    store: ['keyed_hash', 'sealed'],
    why: 'Tells a device that came back from one that is gone',
  },
  default_payload_allowed: {
    what: "the app's own constants that are on its allow-list (default_payload)",
    pushService: ALWAYS,
    store: NOT_KEPT,
    why: 'By them the app finds its account; short, and chosen by the app',
  },
  default_payload: {
    what: 'whatever else the app asked to be passed on (default_payload)',
    pushService: UNLESS_MINIMAL,
    store: NOT_KEPT,
    why: 'The app asked for it when it registered',
  },
  device_key: {
    what: 'the random name of the key that your device made for its pushes (hushgate_key)',
    pushService: ALWAYS,
    store: NOT_KEPT,
    why: 'By it the app finds the account to which a push belongs; the key itself goes nowhere',
  },
  pusher_data: { what: 'the other settings of the registration', pushService: NEVER, store: NOT_KEPT, why: IGNORED },
  tweaks: { what: 'how your push rules want it shown (tweaks)', pushService: NEVER, store: NOT_KEPT, why: IGNORED },
  unknown: {
    what: 'anything that the Matrix specification does not know',
    pushService: NEVER,
    store: NOT_KEPT,
    why: IGNORED,
  },
  source_address: {
    what: "your homeserver's network address and the headers of its request",
    pushService: NEVER,
    isOutside: true,
    store: NOT_KEPT,
    why: 'It is answered and forgotten; there is no access log',
  },
  time: {
    what: 'when it came',
    pushService: ALWAYS,
    isOutside: true,
    store: ['as_sent'],
    log: ['as_sent'],
    metrics: ['aggregate'],
    why: 'A push that is not sent at once is useless; whoever passes it on sees when',
  },
  length: {
    what: 'how long the message for the push service is',
    pushService: ALWAYS,
    isOutside: true,
    store: ['rounded'],
    metrics: ['aggregate'],
    why: 'In minimal mode it tells nothing: every push of a device is the same but for the badge',
  },
} as const satisfies Readonly<Record<string, Row>>
export type Field = keyof typeof FIELDS

const ROWS: Readonly<Record<Field, Row>> = FIELDS
const FIELD_NAMES = Object.keys(FIELDS).filter((name): name is Field => Object.hasOwn(FIELDS, name))

export function fieldNames(): readonly Field[] {
  return FIELD_NAMES
}

/** What a party learns of a field at most, under this policy; sorted. */
export function learnedOf(field: Field, party: Party, policy: LedgerPolicy): readonly Learned[] {
  const row = ROWS[field]
  switch (party) {
    case 'gateway_memory':
      return ['as_sent']
    case 'push_service':
      return passedOn(row, policy).toSorted()
    case 'store': {
      // A message that holds nothing but a hash of it has nothing of it to seal.
      const isSealed = row.isOutside !== true && passedOn(row, policy).some((learned) => learned !== 'keyed_hash')
      return [...new Set([...row.store, ...(isSealed ? (['sealed'] as const) : [])])].toSorted()
    }
    case 'log':
      return row.log ?? []
    case 'metrics':
      return row.metrics ?? []
  }
}

function passedOn(row: Row, { privacy, counts }: LedgerPolicy): readonly Learned[] {
  const learned = row.pushService[privacy]
  if (row.isCount !== true) return learned
  if (counts === 'none') return []
  return privacy === 'minimal' && counts === 'badge' ? ['sum_as_badge'] : learned
}
