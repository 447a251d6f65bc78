/** What this gateway learns, keeps and passes on, per app: the ledger under the policies in use. Public: holds no secret, no path and no number of users. */
import { DISCLOSURES, fieldNames, FIELDS, type Disclosure, type Field } from '../core/disclosure.ts'
import type { PrivacyPolicy } from '../core/privacy-policy.ts'
import type { ProviderDisclosures, PushServiceNames } from '../core/provider.ts'
import type { Route } from '../core/route.ts'
import type { Timing } from '../core/timing.ts'
import { learnedOf, PARTIES, PARTY_WORDS, type Party, type PartyWords } from './ledger.ts'
import { KEPT, type Kept } from './retention.ts'

export interface StatedApp {
  /** As it is configured: what users of the app look for. */
  readonly app: string
  readonly push_service: string
  readonly privacy: PrivacyPolicy['privacy']
  readonly counts: PrivacyPolicy['counts']
  readonly sealed: PrivacyPolicy['sealed']
  readonly placeholder_ids: boolean
  /** Null: each is sent at once. */
  readonly coalesce_seconds: number | null
  readonly release_every_seconds: number | null
  readonly default_payload_allow: readonly string[]
  /** What the message holds can be opened by the device alone (RFC 8291), whatever the mode. */
  readonly encrypted_for_device: boolean
  /** At most; an empty list is nothing. */
  readonly learns: Readonly<Record<Field, Readonly<Record<Party, readonly Disclosure[]>>>>
}

export interface PrivacyStatement {
  readonly version: 1
  readonly parties: Readonly<Record<Party, PartyWords>>
  readonly words: Readonly<Record<Disclosure, string>>
  readonly fields: Readonly<Record<Field, string>>
  readonly kept: readonly Kept[]
  readonly kept_at_most_seconds: { readonly push: number; readonly call: number }
  readonly apps: readonly StatedApp[]
}

export interface StatedRoute extends Pick<Route, 'app' | 'provider'> {
  readonly policy: PrivacyPolicy
  readonly timing: Timing
  /** As its provider says. */
  readonly names: PushServiceNames
  readonly disclosures: ProviderDisclosures
}

export interface StatementInput {
  readonly routes: readonly StatedRoute[]
  readonly maxAgeMs: number
  readonly callMaxAgeMs: number
}

export function privacyStatement({ routes, maxAgeMs, callMaxAgeMs }: StatementInput): PrivacyStatement {
  return {
    version: 1,
    parties: PARTY_WORDS,
    words: DISCLOSURES,
    fields: FIELDS,
    kept: KEPT,
    kept_at_most_seconds: { push: Math.ceil(maxAgeMs / 1000), call: Math.ceil(callMaxAgeMs / 1000) },
    apps: routes.map(statedApp),
  }
}

export function statedApp({ app, provider, policy, timing, disclosures }: StatedRoute): StatedApp {
  const ledgerPolicy = { ...policy, ...timing, ...disclosures }
  return {
    app,
    push_service: provider,
    privacy: policy.privacy,
    counts: policy.counts,
    sealed: policy.sealed,
    placeholder_ids: policy.placeholderIds === true,
    coalesce_seconds: secondsOf(timing.coalesceMs),
    release_every_seconds: secondsOf(timing.releaseEveryMs),
    default_payload_allow: policy.defaultPayloadAllow,
    encrypted_for_device: disclosures.outside !== undefined,
    learns: byField((field) => byParty((party) => learnedOf(field, party, ledgerPolicy))),
  }
}

function secondsOf(ms: number | undefined): number | null {
  return ms === undefined ? null : ms / 1000
}

function byField<T>(of: (field: Field) => T): Readonly<Record<Field, T>> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an entry for each field, which Object.fromEntries cannot say
  return Object.fromEntries(fieldNames().map((field) => [field, of(field)])) as Record<Field, T>
}

function byParty<T>(of: (party: Party) => T): Readonly<Record<Party, T>> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an entry for each party, which Object.fromEntries cannot say
  return Object.fromEntries(PARTIES.map((party) => [party, of(party)])) as Record<Party, T>
}

const LEARNED_NAMES = Object.keys(DISCLOSURES)
const LEARNS = { type: 'array', uniqueItems: true, items: { enum: LEARNED_NAMES } } as const
const TEXT = { type: 'string' } as const
const SECONDS = { type: ['number', 'null'] } as const

/** JSON Schema of what `GET /_hushgate/privacy` answers. */
export function privacyStatementSchema(): object {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'What a Hushgate learns, keeps and passes on (GET /_hushgate/privacy)',
    ...object({
      version: { const: 1 },
      parties: object(byParty(() => object({ name: TEXT, kept: TEXT }))),
      words: object(Object.fromEntries(LEARNED_NAMES.map((name) => [name, TEXT]))),
      fields: object(byField(() => TEXT)),
      kept: { type: 'array', items: object({ what: TEXT, readable: TEXT, lifetime: TEXT, why: TEXT }) },
      kept_at_most_seconds: object({ push: { type: 'integer' }, call: { type: 'integer' } }),
      apps: {
        type: 'array',
        items: object({
          app: TEXT,
          push_service: TEXT,
          privacy: { enum: ['minimal', 'event_id_only', 'full'] },
          counts: { enum: ['badge', 'exact', 'none'] },
          sealed: { enum: ['ignored', 'optional', 'required'] },
          placeholder_ids: { type: 'boolean' },
          coalesce_seconds: SECONDS,
          release_every_seconds: SECONDS,
          default_payload_allow: { type: 'array', items: TEXT },
          encrypted_for_device: { type: 'boolean' },
          learns: object(byField(() => object(byParty(() => LEARNS)))),
        }),
      },
    }),
  }
}

function object(properties: Readonly<Record<string, object>>): object {
  return { type: 'object', additionalProperties: false, required: Object.keys(properties), properties }
}
