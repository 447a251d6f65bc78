/** A push service that is in the test's hand: when a sender opens, what it answers, what was asked of it in which order. */
import Type, { type Static } from 'typebox'
import type { ProviderKinds } from '../../src/config/schema.ts'
import type { Outcome } from '../../src/core/outcome.ts'
import type { ProviderKind } from '../../src/core/provider.ts'

const options = Type.Object(
  { label: Type.String({ description: 'Tells one configuration of an app from another.' }) },
  { additionalProperties: false },
)

export interface SteeredProvider {
  /** An app of it: `{ type: steered, label: some }`. */
  readonly kinds: ProviderKinds
  /** `open LABEL`, `send PUSHKEY by LABEL`, `close LABEL` as they happened. */
  readonly events: string[]
  /** A sender is open when this resolves. */
  opening: (label: string) => Promise<unknown>
  /** What the push service answers. */
  answer: (label: string, pushkey: string) => Promise<Outcome>
}

export function createSteeredProvider(): SteeredProvider {
  const events: string[] = []
  const kind: ProviderKind<Static<typeof options>> = {
    options,
    files: [],
    countsPer: 'pushkey',
    names: { through: 'the steered push service', who: 'The push service' },
    disclosures: () => ({}),
    inspect: async () => [],
    renderer: () => (push, identity) => ({
      kind: 'message',
      message: { headers: {}, body: JSON.stringify({ push, identity }) },
      truncated: false,
    }),
    async open({ label }) {
      await provider.opening(label)
      events.push(`open ${label}`)
      const inFlight = new Set<Promise<Outcome>>()
      return {
        async send(_message, target) {
          events.push(`send ${target.reveal()} by ${label}`)
          const answer = provider.answer(label, target.reveal())
          inFlight.add(answer)
          return answer
        },
        check: async () => ({ ok: true }),
        credentialExpiresAtMs: Number.parseInt(label, 10) || undefined,
        async close() {
          await Promise.all(inFlight)
          events.push(`close ${label}`)
        },
      }
    },
  }
  const provider: SteeredProvider = {
    kinds: { steered: kind },
    events,
    opening: async () => {},
    answer: async () => ({ kind: 'delivered' }),
  }
  return provider
}
