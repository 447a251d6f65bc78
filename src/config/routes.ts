/** The configured routes, opened: what each provider makes of its options, and which route a device belongs to. Sends nothing. */
import { compileApps, isPossibleAppId } from '../core/app-match.ts'
import type { CountsPer } from '../core/identities.ts'
import type { JsonObject } from '../core/json.ts'
import type { PushIdentity, Rendered } from '../core/message.ts'
import type { ProviderDisclosures, ProviderKind, PushServiceNames, TargetVerdict } from '../core/provider.ts'
import type { Push } from '../core/push.ts'
import { isMatch, type PusherMatch } from '../core/pusher-match.ts'
import type { Relay } from '../core/relay.ts'
import type { Route } from '../core/route.ts'
import type { Secret } from '../core/secret.ts'
import type { RouteConfig } from './config.ts'
import { kindOf, type ProviderKinds } from './schema.ts'

/** Whether a pusher is for a route. */
type IsFor = (pushkey: string, data: JsonObject) => boolean

export interface OpenRoute extends Route, Pick<RouteConfig, 'displayName' | 'policy' | 'timing'> {
  /** Which pushers of the app are for this route; undefined: all of them. */
  readonly isFor?: IsFor | undefined
  /** Pushers of app_ids that no app is configured for, which this route takes; undefined: none. */
  readonly catches?: IsFor | undefined
  /** Every push makes the phone ring. */
  readonly alwaysRings: boolean
  readonly countsPer: CountsPer
  readonly names: PushServiceNames
  /** What the push service learns under these options. */
  readonly disclosures: ProviderDisclosures
  /** What the sender needs to reach a device. */
  readonly targetOf: (pushkey: string, data: JsonObject) => string
  readonly checkTarget: (target: Secret) => TargetVerdict
  /** What an operator is told of targets that are `not_allowed`. */
  readonly notAllowed: string | undefined
  readonly render: (push: Push, identity: PushIdentity, target?: string) => Rendered
  /** Undefined where no Web Push messages are passed on to its devices. */
  readonly relay?: Relay | undefined
  /** What the app needs to register its pusher, where there is such a thing (Web Push). */
  readonly publicKey: string | undefined
}

export class Routes {
  readonly all: readonly OpenRoute[]
  readonly #match: (appId: string) => string | undefined
  readonly #byApp: ReadonlyMap<string, readonly OpenRoute[]>
  readonly #catching: readonly OpenRoute[]

  constructor(all: readonly OpenRoute[]) {
    this.all = all
    this.#match = compileApps(all.map(({ app }) => app))
    this.#byApp = Map.groupBy(all, ({ app }) => app)
    this.#catching = all.filter(({ catches }) => catches !== undefined)
  }

  /** The route of a device with this app_id; undefined when no app is configured for it, or the app has no push service for such a pusher. */
  routeFor(appId: string, pushkey: string, data: JsonObject): OpenRoute | undefined {
    const own = this.ofApp(appId)
    if (own.length > 0) return own.find(({ isFor }) => isFor === undefined || isFor(pushkey, data))
    if (this.#catching.length === 0 || !isPossibleAppId(appId)) return undefined
    return this.#catching.find(({ catches }) => catches?.(pushkey, data))
  }

  /** The key that an app subscribes with; undefined where there is none. */
  publicKeyFor(appId: string): string | undefined {
    return this.ofApp(appId).find(({ publicKey }) => publicKey !== undefined)?.publicKey
  }

  /** All routes of the app that is configured for this app_id. */
  ofApp(appId: string): readonly OpenRoute[] {
    const app = this.#match(appId)
    return app === undefined ? [] : this.named(app)
  }

  /** All routes of the app that is configured under this very name. */
  named(app: string): readonly OpenRoute[] {
    return this.#byApp.get(app) ?? []
  }
}

/** Rejects when a file that an app's options name cannot be used any more. */
export async function openRoutes(configs: readonly RouteConfig[], kinds: ProviderKinds): Promise<Routes> {
  return new Routes(await Promise.all(configs.map((config) => openRoute(config, kinds))))
}

async function openRoute(
  { name, app, provider, when, options, displayName, policy, timing }: RouteConfig,
  kinds: ProviderKinds,
): Promise<OpenRoute> {
  const kind = kindOf(kinds, provider)
  return {
    name,
    app,
    provider,
    displayName,
    policy,
    timing,
    isFor: name === app && when === undefined ? undefined : isForOf(kind, when),
    catches: kind.catches?.(options),
    alwaysRings: kind.rings?.(options) !== undefined,
    countsPer: kind.countsPer,
    names: kind.names,
    disclosures: kind.disclosures(options),
    targetOf: (pushkey, data) => kind.targetOf?.(pushkey, data) ?? pushkey,
    checkTarget: kind.targetCheck?.(options) ?? (() => 'possible'),
    notAllowed: kind.notAllowed,
    render: kind.renderer(options),
    relay: kind.relay?.(options),
    publicKey: await kind.publicKey?.(options),
  }
}

/** Of one of several push services of an app. */
function isForOf(kind: ProviderKind, when: PusherMatch | undefined): IsFor {
  return (pushkey, data) => (when === undefined ? (kind.isOwn?.(pushkey, data) ?? true) : isMatch(when, pushkey, data))
}
