/**
 * What each party can learn of a notification, field by field and mode by mode, and for how long: the one table from which the privacy page, the
 * documentation and `hushgate render` speak, and which the tests hold against what is observed (test/ledger/observed.int.test.ts). Data, no behaviour.
 */
import type { PrivacyMode, PrivacyPolicy } from '../core/privacy-policy.ts'
import type { LedgerService, ProviderLedger } from '../core/provider.ts'
import type { Timing } from '../core/timing.ts'

/** What the settings of an app decide of what is learned. */
export interface LedgerPolicy extends Pick<PrivacyPolicy, 'privacy' | 'counts' | 'sealed'>, Timing, ProviderLedger {}

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
  sealed: 'what is passed on of it, encrypted; unreadable without the key file',
  category: 'at most of which kind it is: a call, an invitation, something else',
  tick: 'when it left, together with all others of that moment; only of a call, when it came',
  rounded: 'only rounded up to whole KiB',
  aggregate: 'only as a part of counts and histograms of the whole app',
} as const
export type Learned = keyof typeof LEARNED

type Modes = Readonly<Record<PrivacyMode, readonly Learned[]>>

const NEVER: Modes = { minimal: [], event_id_only: [], full: [] }
const ONLY_FULL: Modes = { minimal: [], event_id_only: [], full: ['as_sent'] }
const ONLY_FULL_KIND: Modes = { minimal: [], event_id_only: [], full: ['category'] }
const UNLESS_MINIMAL: Modes = { minimal: [], event_id_only: ['as_sent'], full: ['as_sent'] }
const ALWAYS = always('as_sent')

const KEEPS = { counts: 'none', sealed: 'ignored' } as const

interface Row {
  /** In words that a user understands. */
  readonly what: string
  /** What is passed on of it: in the message, or by sending one at all. */
  readonly passedOn: Modes
  /** The same for push services to which it is something else. */
  readonly differs?: Readonly<Partial<Record<LedgerService, Modes>>>
  /** What shows of it though the message is encrypted for the device; nothing where it does not say. */
  readonly outside?: Modes
  /** Not in the message: seen by whoever is sent anything at all. */
  readonly isBeside?: true
  /** The setting that can keep it in the gateway's memory. */
  readonly setting?: keyof typeof KEEPS
  /** In the store beside what is passed on, which is there sealed. */
  readonly store?: readonly Learned[]
  readonly log?: readonly Learned[]
  readonly metrics?: readonly Learned[]
  readonly why: string
}

const IN_FULL = {
  passedOn: ONLY_FULL,
  why: 'Only an app that shows the message without asking the homeserver needs it',
} as const
const IGNORED = 'Nothing needs it'

const COUNT = {
  passedOn: ALWAYS,
  differs: { apns: always('as_sent', 'sum_as_badge') },
  setting: 'counts',
  why: 'The number on the app icon; in minimal mode nothing but that, unless the app is set to counts: exact',
} as const

export const FIELDS = {
  event_id: {
    what: 'which message it is (event ID)',
    passedOn: UNLESS_MINIMAL,
    differs: { apns: withHash({ minimal: ['keyed_hash'] }) },
    store: ['keyed_hash'],
    why: 'The hash tells a repeated push from a new one; it is made anew for each device',
  },
  room_id: {
    what: 'which room (room ID)',
    passedOn: UNLESS_MINIMAL,
    differs: { webpush: withHash({ minimal: [] }) },
    outside: { minimal: [], event_id_only: ['keyed_hash'], full: ['keyed_hash'] },
    why: 'An app that is told fetches the message faster',
  },
  type: {
    what: 'what kind of event it is',
    passedOn: ONLY_FULL,
    differs: { apns: ONLY_FULL_KIND },
    // A call's TTL.
    outside: ONLY_FULL_KIND,
    store: ['category'],
    why: 'A call goes first and is worth nothing later',
  },
  sender: { what: 'who wrote (Matrix ID)', ...IN_FULL },
  sender_display_name: { what: 'the name of who wrote', ...IN_FULL },
  room_name: { what: 'the name of the room', ...IN_FULL },
  room_alias: { what: 'the address of the room', ...IN_FULL },
  membership: { what: 'whether it is an invitation', ...IN_FULL, differs: { apns: ONLY_FULL_KIND, hedwig: NEVER } },
  user_is_target: { what: 'whether it is about you', ...IN_FULL, differs: { fcm: NEVER } },
  content: {
    what: 'what was written',
    passedOn: ONLY_FULL,
    why: `${IN_FULL.why}; in encrypted rooms it is not readable for the homeserver either`,
  },
  unread: { what: 'how many unread messages you have', ...COUNT },
  missed_calls: { what: 'how many calls you missed', ...COUNT },
  prio: {
    what: 'whether it should make a sound',
    passedOn: ALWAYS,
    outside: ALWAYS,
    why: 'The phone wakes up for it, or not',
  },
  encrypted: {
    what: 'what your homeserver encrypted for your device (MSC3013)',
    passedOn: ALWAYS,
    why: 'Only your device can open it',
  },
  app_id: {
    what: 'the name by which your homeserver knows your app (app_id)',
    passedOn: NEVER,
    store: ['app_name', 'keyed_hash'],
    log: ['app_name'],
    metrics: ['app_name'],
    why: 'Each app has its own credentials and queue; its push service knows the app as its own customer',
  },
  pushkey: {
    what: 'the address of your device at the push service (pushkey; of a browser, the endpoint)',
    passedOn: ALWAYS,
    outside: ALWAYS,
    isBeside: true,
    store: ['keyed_hash', 'sealed'],
    log: ['short_hash'],
    why: 'The push service gave it to the device; by its hash a dead one is remembered',
  },
  pushkey_ts: {
    what: 'when your device registered',
    passedOn: NEVER,
    store: ['keyed_hash', 'sealed'],
    why: 'Tells a device that came back from one that is gone',
  },
  default_payload_allowed: {
    what: "fixed values of your app's choice, as far as the gateway's list allows them (default_payload)",
    passedOn: ALWAYS,
    why: 'By them the app finds its account; short, and chosen by the app',
  },
  default_payload: {
    what: 'whatever else your app asked to be passed on (default_payload)',
    passedOn: UNLESS_MINIMAL,
    why: 'The app asked for it when it registered',
  },
  device_key: {
    what: 'the random name of the key that your device made for its pushes (hushgate_key)',
    passedOn: ALWAYS,
    setting: 'sealed',
    metrics: ['aggregate'],
    why: 'By it the app finds the account to which a push belongs; the key itself goes nowhere',
  },
  pusher_data: {
    what: 'the other settings with which your app registered (the data of its pusher)',
    passedOn: NEVER,
    differs: { apns: always('keyed_hash'), hedwig: ALWAYS, webpush: always('keyed_hash') },
    outside: always('keyed_hash'),
    store: ['keyed_hash'],
    why: 'The hash tells two accounts on one device apart, so that each is told',
  },
  tweaks: { what: 'how your push rules want it shown (tweaks)', passedOn: NEVER, why: IGNORED },
  unknown: {
    what: 'anything that the Matrix specification does not know',
    passedOn: NEVER,
    why: IGNORED,
  },
  source_address: {
    what: "your homeserver's network address and the headers of its request",
    passedOn: NEVER,
    isBeside: true,
    why: 'It is answered and forgotten; there is no access log',
  },
  time: {
    what: 'when it came',
    passedOn: ALWAYS,
    outside: ALWAYS,
    isBeside: true,
    store: ['as_sent'],
    log: ['as_sent'],
    metrics: ['aggregate'],
    why: 'A push that is not sent at once is useless; whoever passes it on sees when',
  },
  length: {
    what: 'how long the message for the push service is',
    passedOn: ALWAYS,
    outside: ALWAYS,
    isBeside: true,
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
  if (party === 'gateway_memory') return ['as_sent']
  const row = ROWS[field]
  if (row.setting !== undefined && policy[row.setting] === KEEPS[row.setting]) return []
  const mode = policy.sealed === 'required' ? 'minimal' : policy.privacy
  switch (party) {
    case 'push_service': {
      const seen = policy.isEndToEnd === true ? (row.outside ?? NEVER)[mode] : passedOn(row, mode, policy)
      return delayed(field, seen, policy).toSorted()
    }
    case 'store': {
      // A message that holds nothing but a hash of it has nothing of it to seal.
      const isSealed = row.isBeside !== true && passedOn(row, mode, policy).some((learned) => learned !== 'keyed_hash')
      return [...new Set([...(row.store ?? []), ...(isSealed ? (['sealed'] as const) : [])])].toSorted()
    }
    case 'log':
      return row.log ?? []
    case 'metrics':
      return row.metrics ?? []
  }
}

/** Where pushes wait, a call is known by not doing so. */
function delayed(field: Field, seen: readonly Learned[], { coalesceMs, releaseEveryMs }: Timing): readonly Learned[] {
  if (field === 'time' && releaseEveryMs !== undefined) return ['tick']
  const isDelayed = coalesceMs !== undefined || releaseEveryMs !== undefined
  return field === 'type' && isDelayed && seen.length === 0 ? ['category'] : seen
}

function passedOn(row: Row, mode: PrivacyMode, { service, counts }: LedgerPolicy): readonly Learned[] {
  const learned = (row.differs?.[service] ?? row.passedOn)[mode]
  const isBadge = row.setting === 'counts' && mode === 'minimal' && counts === 'badge'
  return isBadge ? learned.filter((each) => each !== 'as_sent') : learned
}

function always(...learned: readonly Learned[]): Modes {
  return { minimal: learned, event_id_only: learned, full: learned }
}

function withHash({ minimal }: Pick<Modes, 'minimal'>): Modes {
  return { minimal, event_id_only: ['as_sent', 'keyed_hash'], full: ['as_sent', 'keyed_hash'] }
}
