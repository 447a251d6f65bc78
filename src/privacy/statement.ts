/** What this gateway learns, keeps and passes on, per app: the ledger under the policies in use. Public: holds no secret, no path and no number of users. */
import Type, { type Static } from 'typebox'
import { disclosureNames, DISCLOSURES, fieldNames, FIELDS, type Field } from '../core/disclosure.ts'
import { COUNTS, PRIVACY_MODES, SEALED, type PrivacyPolicy } from '../core/privacy-policy.ts'
import type { PushIdentity, Rendered } from '../core/message.ts'
import type { ProviderDisclosures, PushServiceNames } from '../core/provider.ts'
import type { Push } from '../core/push.ts'
import type { Route } from '../core/route.ts'
import type { Timing } from '../core/timing.ts'
import { learnedOf, PARTIES, PARTY_DESCRIPTIONS, type Party } from './ledger.ts'
import { keptSchema, keptWith } from './retention.ts'

const closed = { additionalProperties: false } as const
const TEXT = Type.String()
const SECONDS = Type.Union([Type.Number(), Type.Null()])
const learns = Type.Array(Type.Enum(disclosureNames()), { uniqueItems: true })

const statedAppSchema = Type.Object(
  {
    app: Type.String({ description: 'As it is configured: what users of the app look for.' }),
    display_name: Type.Union([TEXT, Type.Null()], {
      description: 'What users call it; null where that is not configured.',
    }),
    push_service: TEXT,
    privacy: Type.Enum([...PRIVACY_MODES]),
    counts: Type.Enum([...COUNTS]),
    sealed: Type.Enum([...SEALED]),
    placeholder_ids: Type.Boolean(),
    coalesce_seconds: Type.Union(SECONDS.anyOf, { description: 'Null: each is sent at once.' }),
    release_every_seconds: SECONDS,
    default_payload_allow: Type.Array(TEXT),
    encrypted_for_device: Type.Boolean({
      description: 'What the message holds can be opened by the device alone (RFC 8291), whatever the mode.',
    }),
    webpush_relay: Type.Boolean({
      description:
        'Homeservers may send Web Push messages, encrypted for the device, which are passed on as they are: of those nobody here learns what is in them.',
    }),
    learns: Type.Object(
      byField(() =>
        Type.Object(
          byParty(() => learns),
          closed,
        ),
      ),
      { ...closed, description: 'At most; an empty list is nothing.' },
    ),
  },
  closed,
)
export type StatedApp = Static<typeof statedAppSchema>

/** What `GET /_hushgate/privacy` answers. */
export const privacyStatementSchema = Type.Object(
  {
    version: Type.Literal(1),
    operator: Type.Union([Type.Object({ name: TEXT, contact: TEXT }, closed), Type.Null()], {
      description: 'Who runs it, and a mailto or https address for questions; null where that is not configured.',
    }),
    parties: Type.Object(
      byParty(() => Type.Object({ name: TEXT, kept: TEXT }, closed)),
      closed,
    ),
    words: Type.Object(
      byName(disclosureNames(), () => TEXT),
      closed,
    ),
    fields: Type.Object(
      byField(() => TEXT),
      closed,
    ),
    kept: Type.Array(keptSchema),
    kept_at_most_seconds: Type.Object({ push: Type.Integer(), call: Type.Integer() }, closed),
    apps: Type.Array(statedAppSchema),
  },
  {
    ...closed,
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'What a Hushgate learns, keeps and passes on (GET /_hushgate/privacy)',
  },
)
export type PrivacyStatement = Static<typeof privacyStatementSchema>

export interface StatedRoute extends Pick<Route, 'app' | 'provider'> {
  /** Present where Web Push messages are passed on. */
  readonly relay?: object | undefined
  /** What users call the app. */
  readonly displayName?: string | undefined
  readonly policy: PrivacyPolicy
  readonly timing: Timing
  /** As its provider says. */
  readonly names: PushServiceNames
  readonly disclosures: ProviderDisclosures
  /** As it renders what is sent; for the example. */
  readonly render: (push: Push, identity: PushIdentity) => Rendered
}

export interface StatementInput {
  readonly routes: readonly StatedRoute[]
  /** Who runs the gateway; `contact` is a mailto or https address. */
  readonly operator?: { readonly name: string; readonly contact: string } | undefined
  readonly maxAgeMs: number
  readonly callMaxAgeMs: number
  readonly areReceiptsKept: boolean
  /** Default: no. */
  readonly isTraced?: boolean | undefined
}

export function privacyStatement(input: StatementInput): PrivacyStatement {
  const { routes, operator, maxAgeMs, callMaxAgeMs, areReceiptsKept, isTraced } = input
  return {
    version: 1,
    operator: operator ?? null,
    parties: PARTY_DESCRIPTIONS,
    words: DISCLOSURES,
    fields: FIELDS,
    kept: [...keptWith(areReceiptsKept)],
    kept_at_most_seconds: { push: Math.ceil(maxAgeMs / 1000), call: Math.ceil(callMaxAgeMs / 1000) },
    apps: routes.map((route) => statedApp(route, isTraced)),
  }
}

export function statedApp(
  { app, displayName, provider, policy, timing, disclosures, relay }: StatedRoute,
  isTraced?: boolean,
): StatedApp {
  const ledgerPolicy = { ...policy, ...timing, ...disclosures, isTraced }
  return {
    app,
    display_name: displayName ?? null,
    push_service: provider,
    privacy: policy.privacy,
    counts: policy.counts,
    sealed: policy.sealed,
    placeholder_ids: policy.placeholderIds === true,
    coalesce_seconds: secondsOf(timing.coalesceMs),
    release_every_seconds: secondsOf(timing.releaseEveryMs),
    default_payload_allow: [...policy.defaultPayloadAllow],
    encrypted_for_device: disclosures.outside !== undefined,
    webpush_relay: relay !== undefined,
    learns: byField((field) => byParty((party) => [...learnedOf(field, party, ledgerPolicy)])),
  }
}

function secondsOf(ms: number | undefined): number | null {
  return ms === undefined ? null : ms / 1000
}

function byField<T>(of: (field: Field) => T): Record<Field, T> {
  return byName(fieldNames(), of)
}

function byParty<T>(of: (party: Party) => T): Record<Party, T> {
  return byName(PARTIES, of)
}

function byName<Name extends string, T>(names: readonly Name[], of: (name: Name) => T): Record<Name, T> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- an entry for each name, which Object.fromEntries cannot say
  return Object.fromEntries(names.map((name) => [name, of(name)])) as Record<Name, T>
}
