/** A route to a push service that exists only here: what it would be sent is what its renderer was given, as JSON. */
import { randomUUID } from 'node:crypto'
import type { OpenRoute } from '../../src/config/routes.ts'
import type { Delivery } from '../../src/core/delivery.ts'
import { isJsonObject, type JsonObject } from '../../src/core/json.ts'
import type { PrivacyPolicy } from '../../src/core/privacy-policy.ts'

export interface RouteOptions extends Partial<Omit<OpenRoute, 'policy'>> {
  readonly policy?: Partial<PrivacyPolicy>
}

/** Minimal, with counts as a badge, leaving at once, unless told otherwise. Each call is a route of its own. */
export function createRoute({ policy, ...overrides }: RouteOptions = {}): OpenRoute {
  const app = overrides.app ?? `com.example.app-${randomUUID()}`
  return {
    name: app,
    app,
    provider: 'made-up',
    policy: { privacy: 'minimal', counts: 'badge', defaultPayloadAllow: [], sealed: 'optional', ...policy },
    timing: {},
    alwaysRings: false,
    countsPer: 'pushkey',
    names: { through: 'the made-up push service', who: 'The push service' },
    disclosures: {},
    targetOf: (pushkey) => pushkey,
    checkTarget: () => 'possible',
    notAllowed: undefined,
    render: (push, identity) => ({
      kind: 'message',
      message: { headers: {}, body: JSON.stringify({ push, identity }) },
      truncated: false,
    }),
    publicKey: undefined,
    ...overrides,
  }
}

/** What the renderer of such a route was given. */
export function renderedFrom({ message }: Pick<Delivery, 'message'>): {
  readonly push: JsonObject
  readonly identity: JsonObject
} {
  const { push, identity } = JSON.parse(message.body)
  if (!isJsonObject(push) || !isJsonObject(identity)) throw new Error('this was rendered by something else')
  return { push, identity }
}
