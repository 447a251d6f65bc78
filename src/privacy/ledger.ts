/**
 * What each party can learn of a notification, field by field and mode by mode, and for how long: the one table from which the privacy page, the
 * documentation and `hushgate render` speak, and which the tests hold against what is observed (test/ledger/observed.int.test.ts). Data, no behaviour.
 */
import {
  always,
  onlyFull,
  unlessMinimal,
  type Disclosure,
  type DisclosureByMode,
  type DisclosureOfFields,
  type Field,
} from '../core/disclosure.ts'
import type { PrivacyMode, PrivacyPolicy } from '../core/privacy-policy.ts'
import type { ProviderDisclosures } from '../core/provider.ts'
import type { Timing } from '../core/timing.ts'

/** What the settings of an app decide of what is learned. */
export interface LedgerPolicy
  extends Pick<PrivacyPolicy, 'privacy' | 'counts' | 'sealed'>, Timing, ProviderDisclosures {
  /** Whether the gateway exports traces; default: no. */
  readonly isTraced?: boolean | undefined
}

export const PARTIES = ['gateway_memory', 'store', 'log', 'metrics', 'traces', 'push_service'] as const
export type Party = (typeof PARTIES)[number]

export interface PartyDescription {
  readonly name: string
  /** Who that is, and what it keeps for how long. */
  readonly kept: string
}

export const PARTY_DESCRIPTIONS: Readonly<Record<Party, PartyDescription>> = {
  gateway_memory: {
    name: 'gateway (memory)',
    kept: 'until the homeserver has its answer; what is passed on, until it is sent; of an address a keyed hash, for a minute, where http.limit_per_source is set; for the operator, until it ends, of the last 20 failures of each app the time, the reason and 8 digits of a keyed hash of the device, and up to 50 app_ids that are not configured',
  },
  store: { name: 'store (SQLite or Redis)', kept: 'as the list of what is kept says' },
  log: { name: 'log', kept: 'as long as the operator keeps logs' },
  metrics: { name: 'metrics', kept: 'as long as the operator keeps metrics; numbers for all users of an app together' },
  traces: {
    name: 'traces (only where tracing is set)',
    kept: "as long as the operator's collector keeps them; of a push by chance, as often as tracing.sample_ratio says",
  },
  push_service: {
    name: 'push service',
    kept: 'not in our hands; Apple and Google keep an undelivered push for up to 30 days by their own documentation',
  },
}

const KEEPS = { counts: 'none', sealed: 'ignored' } as const

interface Row {
  /** What is passed on of it, in the message or by sending one at all, unless its provider says otherwise of its push service. */
  readonly passedOn: DisclosureByMode
  /** Not in the message: whoever is sent anything at all sees it, however the message is encrypted. */
  readonly isBeside?: true
  /** The setting that can keep it in the gateway's memory. */
  readonly setting?: keyof typeof KEEPS
  /** In the store beside what is passed on, which is there sealed. */
  readonly store?: readonly Disclosure[]
  readonly log?: readonly Disclosure[]
  readonly metrics?: readonly Disclosure[]
  /** Where these are exported. */
  readonly traces?: readonly Disclosure[]
  readonly why: string
}

const IN_FULL: Row = {
  passedOn: onlyFull('as_sent'),
  why: 'Only an app that shows the message without asking the homeserver needs it',
}
const IGNORED = 'Nothing needs it'

const COUNT: Row = {
  passedOn: always('as_sent'),
  setting: 'counts',
  why: 'The number on the app icon; in minimal mode nothing but that, unless the app is set to counts: exact',
}

export const LEDGER: Readonly<Record<Field, Row>> = {
  event_id: {
    passedOn: unlessMinimal('as_sent'),
    store: ['keyed_hash'],
    why: 'The hash tells a repeated push from a new one; it is made anew for each device',
  },
  room_id: {
    passedOn: unlessMinimal('as_sent'),
    why: 'An app that is told fetches the message faster',
  },
  type: {
    passedOn: onlyFull('as_sent'),
    store: ['category'],
    metrics: ['aggregate'],
    why: 'A call goes first and is worth nothing later; of each app it is counted how long calls take',
  },
  sender: IN_FULL,
  sender_display_name: IN_FULL,
  room_name: IN_FULL,
  room_alias: IN_FULL,
  membership: IN_FULL,
  user_is_target: IN_FULL,
  content: {
    passedOn: onlyFull('as_sent'),
    why: `${IN_FULL.why}; in encrypted rooms it is not readable for the homeserver either`,
  },
  unread: COUNT,
  missed_calls: COUNT,
  prio: {
    passedOn: always('as_sent'),
    why: 'The phone wakes up for it, or not',
  },
  encrypted: {
    passedOn: always('as_sent'),
    why: 'Only your device can open it',
  },
  app_id: {
    passedOn: always(),
    store: ['app_name', 'keyed_hash'],
    log: ['app_name'],
    metrics: ['app_name'],
    traces: ['app_name'],
    why: 'Each app has its own credentials and queue; its push service knows the app as its own customer',
  },
  pushkey: {
    passedOn: always('as_sent'),
    isBeside: true,
    store: ['keyed_hash', 'sealed'],
    log: ['short_hash'],
    why: 'The push service gave it to the device; by its hash a dead one is remembered',
  },
  pushkey_ts: {
    passedOn: always(),
    store: ['keyed_hash', 'sealed'],
    why: 'Tells a device that came back from one that is gone',
  },
  default_payload_allowed: {
    passedOn: always('as_sent'),
    why: 'By them the app finds its account; short, and chosen by the app',
  },
  default_payload: {
    passedOn: unlessMinimal('as_sent'),
    why: 'The app asked for it when it registered',
  },
  device_key: {
    passedOn: always('as_sent'),
    setting: 'sealed',
    metrics: ['aggregate'],
    why: 'By it the app finds the account to which a push belongs; the key itself goes nowhere',
  },
  pusher_data: {
    passedOn: always(),
    store: ['keyed_hash'],
    why: 'The hash tells two accounts on one device apart, so that each is told',
  },
  tweaks: { passedOn: always(), why: IGNORED },
  unknown: {
    passedOn: always(),
    why: IGNORED,
  },
  source_address: {
    passedOn: always(),
    isBeside: true,
    why: 'It is answered and forgotten, but for a keyed hash of the address in memory for a minute, where the operator limits what one source may send (http.limit_per_source); there is no access log',
  },
  time: {
    passedOn: always('as_sent'),
    isBeside: true,
    store: ['as_sent'],
    log: ['as_sent'],
    metrics: ['aggregate'],
    traces: ['as_sent'],
    why: 'A push that is not sent at once is useless; whoever passes it on sees when',
  },
  length: {
    passedOn: always('as_sent'),
    isBeside: true,
    store: ['rounded'],
    metrics: ['aggregate'],
    why: 'In minimal mode it tells nothing: every push of a device is the same but for the badge',
  },
}

/** What a party learns of a field at most, under this policy; sorted. */
export function learnedOf(field: Field, party: Party, policy: LedgerPolicy): readonly Disclosure[] {
  if (party === 'gateway_memory') return ['as_sent']
  const row = LEDGER[field]
  if (row.setting !== undefined && policy[row.setting] === KEEPS[row.setting]) return []
  const mode = policy.sealed === 'required' ? 'minimal' : policy.privacy
  switch (party) {
    case 'push_service': {
      const seen =
        policy.outside === undefined ? passedOn(field, mode, policy) : shownOutside(field, policy.outside)[mode]
      return delayed(field, seen, policy).toSorted()
    }
    case 'store': {
      // A message that holds nothing but a hash of it has nothing of it to seal.
      const isSealed =
        row.isBeside !== true && passedOn(field, mode, policy).some((learned) => learned !== 'keyed_hash')
      return [...new Set([...(row.store ?? []), ...(isSealed ? (['sealed'] as const) : [])])].toSorted()
    }
    case 'log':
      return row.log ?? []
    case 'metrics':
      return row.metrics ?? []
    case 'traces':
      return policy.isTraced ? (row.traces ?? []) : []
  }
}

/** Where pushes wait, a call is known by not doing so. */
function delayed(
  field: Field,
  seen: readonly Disclosure[],
  { coalesceMs, releaseEveryMs }: Timing,
): readonly Disclosure[] {
  if (field === 'time' && releaseEveryMs !== undefined) return ['tick']
  const isDelayed = coalesceMs !== undefined || releaseEveryMs !== undefined
  return field === 'type' && isDelayed && seen.length === 0 ? ['category'] : seen
}

function passedOn(field: Field, mode: PrivacyMode, policy: LedgerPolicy): readonly Disclosure[] {
  const row = LEDGER[field]
  const learned = (policy.passedOn?.[field] ?? row.passedOn)[mode]
  const isBadge = row.setting === 'counts' && mode === 'minimal' && policy.counts === 'badge'
  return isBadge ? learned.filter((each) => each !== 'as_sent') : learned
}

function shownOutside(field: Field, outside: DisclosureOfFields): DisclosureByMode {
  const { isBeside, passedOn: beside } = LEDGER[field]
  return outside[field] ?? (isBeside === true ? beside : always())
}
