/** What is sent to find out who learns what: an app per policy and push service, and in each field a value that occurs nowhere else. */
import { createECDH, randomBytes } from 'node:crypto'
import type { JsonObject } from '../../src/core/json.ts'
import type { Field } from '../../src/core/disclosure.ts'
import type { LedgerPolicy } from '../../src/privacy/ledger.ts'
import { formsOf } from '../canary/canary.ts'
import type { Needle } from '../canary/needles.ts'
import { disclosuresOf, type Service } from './services.ts'

/** One configured app. */
export interface LedgerCase extends LedgerPolicy, Kind {
  readonly index: number
  /** As it is configured. */
  readonly app: string
}

/** All that an app can say of modes and counts. */
export const POLICIES = (['minimal', 'event_id_only', 'full'] as const).flatMap((privacy) =>
  (['badge', 'exact', 'none'] as const).map((counts) => ({ privacy, counts })),
)

interface Kind extends Pick<LedgerPolicy, 'sealed'> {
  readonly service: Service
  /** False: a UnifiedPush endpoint without keys. */
  readonly isEndToEnd?: boolean
}

/** Web Push never looks at a device's own key. */
const KINDS: readonly Kind[] = [
  { service: 'apns', sealed: 'optional' },
  { service: 'apns', sealed: 'required' },
  { service: 'fcm', sealed: 'optional' },
  { service: 'fcm', sealed: 'required' },
  { service: 'hedwig', sealed: 'optional' },
  { service: 'hedwig', sealed: 'required' },
  { service: 'hms', sealed: 'optional' },
  { service: 'unifiedpush', sealed: 'optional', isEndToEnd: false },
  { service: 'unifiedpush', sealed: 'required', isEndToEnd: false },
  { service: 'declarative', sealed: 'ignored', isEndToEnd: true },
  { service: 'webpush', sealed: 'ignored', isEndToEnd: true },
  { service: 'webpush', sealed: 'ignored', isEndToEnd: false },
]

/** A push that came early in a tick has left early in it, or after its end. */
export const RELEASE_EVERY_MS = 5000

/** Whose pushes leave together. */
const RELEASED: readonly (LedgerPolicy & Kind)[] = KINDS.filter(({ sealed }) => sealed !== 'required').flatMap((kind) =>
  POLICIES.filter(({ counts }) => counts === 'badge').map((policy) => ({
    ...kind,
    ...policy,
    releaseEveryMs: RELEASE_EVERY_MS,
  })),
)

export const CASES: readonly LedgerCase[] = [
  ...KINDS.flatMap((kind) => POLICIES.map((policy): LedgerPolicy & Kind => ({ ...kind, ...policy }))),
  ...RELEASED,
].map((policy, index) => ({
  ...policy,
  isTraced: true,
  ...disclosuresOf(policy.service, policy.isEndToEnd === false),
  index,
  app: `com.example.case${index}.*`,
}))

/** A field's value, for this app alone. */
export function valueOf(field: Field, { index }: LedgerCase): string {
  return `zq${field.replaceAll('_', '')}${index}zq`
}

const UNREAD = 7_391_746_000_000
const MISSED = 5_182_937_000_000
/** In seconds, later than any death, so that a dead pushkey comes back. */
const PUSHKEY_TS = 9_194_837_000

export function numbersOf({
  index,
}: LedgerCase): Readonly<Record<'unread' | 'missed' | 'badge' | 'pushkeyTs', number>> {
  const [unread, missed] = [UNREAD + index, MISSED + index]
  return { unread, missed, badge: unread + missed, pushkeyTs: PUSHKEY_TS + index }
}

export function appIdOf(ledgerCase: LedgerCase): string {
  return ledgerCase.app.replace('*', valueOf('app_id', ledgerCase))
}

/** Notifications, each posted to a device of its own. */
export const NAMES = [
  'event',
  'bare',
  'message',
  'nameless',
  'encrypted',
  'sealed',
  'counts',
  'call',
  'quiet',
  'invitation',
  'otherInvitation',
  'departure',
  'otherShape',
  'dying',
] as const
export type Name = (typeof NAMES)[number]

/** So that not all messages have one length, however they are padded. */
const LONG_CHARACTERS = 500

export function idsOf(ledgerCase: LedgerCase): { readonly event_id: string; readonly room_id: string } {
  return { event_id: `$${valueOf('event_id', ledgerCase)}`, room_id: `!${valueOf('room_id', ledgerCase)}` }
}

export function notificationsOf(ledgerCase: LedgerCase): Readonly<Record<Name, JsonObject>> {
  const of = (field: Field): string => valueOf(field, ledgerCase)
  const { unread, missed } = numbersOf(ledgerCase)
  const counts = { unread, missed_calls: missed }
  const event = {
    ...idsOf(ledgerCase),
    type: of('type'),
    sender: `@${of('sender')}`,
    sender_display_name: of('sender_display_name'),
    room_name: of('room_name'),
    room_alias: of('room_alias'),
    membership: of('membership'),
    user_is_target: true,
    content: { msgtype: 'm.text', body: of('content') },
    counts,
    prio: 'high',
    unknown: of('unknown'),
  }
  const { type: _type, content: _content, ...bare } = event
  const message = { ...event, type: 'm.room.message' }
  const invitation = { ...event, type: 'm.room.member', membership: 'invite' }
  const encrypted = Object.fromEntries(
    ['ephemeral', 'ciphertext', 'mac'].map((name) => [name, `${of('encrypted')}${name}`.padEnd(LONG_CHARACTERS, '.')]),
  )
  return {
    event,
    bare: { ...bare, prio: 'high' },
    message,
    nameless: { ...message, sender_display_name: undefined, room_name: undefined },
    encrypted: { ...event, ...encrypted },
    sealed: event,
    counts: { counts },
    call: { ...event, type: 'm.call.invite' },
    quiet: { ...event, prio: 'low' },
    invitation,
    otherInvitation: { ...invitation, user_is_target: false },
    departure: { ...invitation, membership: 'leave' },
    otherShape: event,
    dying: event,
  }
}

/** Pairs that differ in one field alone: what has no text of its own is known by whether they become different. */
export const PAIRS: Readonly<Partial<Record<Field, readonly [Name, Name]>>> = {
  type: ['event', 'call'],
  membership: ['invitation', 'departure'],
  user_is_target: ['invitation', 'otherInvitation'],
  prio: ['event', 'quiet'],
  pusher_data: ['event', 'otherShape'],
}

/** What the pusher of that device holds, but for what is its address. */
export function pusherDataOf(ledgerCase: LedgerCase, name: Name): JsonObject {
  const of = (field: Field): string => valueOf(field, ledgerCase)
  return {
    brand: of('pusher_data'),
    client_name: of('pusher_data'),
    data_message: name === 'otherShape' ? 'ios' : 'android',
    only_last_per_room: true,
    // Of such an app other browsers get their pushes as ever, badge updates among them.
    ...(ledgerCase.service === 'declarative' ? { declarative: name !== 'counts' } : {}),
    ...(name === 'sealed' ? { hushgate_key: deviceKeyOf(ledgerCase) } : {}),
    default_payload: { cs: of('default_payload_allowed'), other: of('default_payload') },
  }
}

const keyOfDevice = {
  v: 1,
  p256dh: createECDH('prime256v1').generateKeys('base64url'),
  auth: randomBytes(16).toString('base64url'),
}

/** Its name has exactly 22 characters, the last of which carries four bits of nothing. */
function deviceKeyOf(ledgerCase: LedgerCase): JsonObject {
  return { ...keyOfDevice, kid: valueOf('device_key', ledgerCase).padEnd(22, 'A') }
}

/** `key`: the app's index, the field, and what was found of it. */
export interface FieldNeedle extends Needle {
  readonly key: string
}

/** By what each field of an app is found, in every form in which a text can lie about. `addresses`: those of its devices. */
export function needlesOf(ledgerCase: LedgerCase, addresses: readonly string[]): readonly FieldNeedle[] {
  const { unread, missed, badge, pushkeyTs } = numbersOf(ledgerCase)
  const texts: readonly (readonly [Field, string, readonly string[]])[] = [
    ...TEXT_FIELDS.map((field) => [field, 'value', [valueOf(field, ledgerCase)]] as const),
    ['pushkey', 'value', [valueOf('pushkey', ledgerCase), ...addresses]],
    ['unread', 'value', [String(unread)]],
    ['missed_calls', 'value', [String(missed)]],
    ['unread', 'sum', [String(badge)]],
    ['missed_calls', 'sum', [String(badge)]],
    ['pushkey_ts', 'value', [String(pushkeyTs)]],
    ['source_address', 'value', [SOURCE_ADDRESS, valueOf('source_address', ledgerCase)]],
  ]
  return texts.flatMap(([field, what, each]) =>
    each.flatMap(formsOf).map(({ name, needle, isCaseSensitive = false }) => ({
      name,
      key: `${ledgerCase.index} ${field} ${what}`,
      bytes: isCaseSensitive ? needle : needle.toLowerCase(),
      isCaseSensitive,
    })),
  )
}

/** Where the homeserver of the test posts from. */
export const SOURCE_ADDRESS = '127.0.0.77'

const TEXT_FIELDS = [
  'event_id',
  'room_id',
  'type',
  'sender',
  'sender_display_name',
  'room_name',
  'room_alias',
  'membership',
  'content',
  'encrypted',
  'app_id',
  'default_payload_allowed',
  'default_payload',
  'device_key',
  'pusher_data',
  'tweaks',
  'unknown',
] as const

/** What a push service is told to answer: what it refuses for good stays in the store, where it can be looked at. */
export function scriptOf(service: Service, name: Name): string {
  if (service === 'apns') return name === 'dying' ? 'rUnregistered' : 's400.rBadMessageId'
  if (service === 'hms') return name === 'dying' ? 'r80300007' : 'r80100003'
  if (service === 'webpush' || service === 'declarative' || service === 'unifiedpush')
    return name === 'dying' ? 's410' : 's400'
  return name === 'dying' ? 'rUNREGISTERED' : 's400.rINVALID_ARGUMENT'
}
