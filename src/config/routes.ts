/** The configured routes, opened: what each provider makes of its options, and which route a device belongs to. Sends nothing. */
import { compileApps } from '../core/app-match.ts'
import type { CountsPer } from '../core/identities.ts'
import type { JsonObject } from '../core/json.ts'
import type { PushIdentity, Rendered } from '../core/message.ts'
import type { ProviderDisclosures, PushServiceNames, TargetVerdict } from '../core/provider.ts'
import type { Push } from '../core/push.ts'
import type { Route } from '../core/route.ts'
import type { RouteConfig } from './config.ts'
import { kindOf, type ProviderKinds } from './schema.ts'

export interface OpenRoute extends Route, Pick<RouteConfig, 'displayName' | 'policy' | 'timing'> {
  /** Every push makes the phone ring. */
  readonly alwaysRings: boolean
  readonly countsPer: CountsPer
  readonly names: PushServiceNames
  /** What the push service learns under these options. */
  readonly disclosures: ProviderDisclosures
  /** What the sender needs to reach a device. */
  readonly targetOf: (pushkey: string, data: JsonObject) => string
  readonly checkTarget: (target: string) => TargetVerdict
  /** What an operator is told of targets that are `not_allowed`. */
  readonly notAllowed: string | undefined
  readonly render: (push: Push, identity: PushIdentity) => Rendered
  /** What the app needs to register its pusher, where there is such a thing (Web Push). */
  readonly publicKey: string | undefined
}

export class Routes {
  readonly all: readonly OpenRoute[]
  readonly #match: (appId: string) => string | undefined

  constructor(all: readonly OpenRoute[]) {
    this.all = all
    this.#match = compileApps(all.map(({ app }) => app))
  }

  /** The route of a device with this app_id; undefined when no app is configured for it. */
  routeFor(appId: string): OpenRoute | undefined {
    const app = this.#match(appId)
    return this.all.find((route) => route.app === app)
  }
}

/** Rejects when a file that an app's options name cannot be used any more. */
export async function openRoutes(configs: readonly RouteConfig[], kinds: ProviderKinds): Promise<Routes> {
  return new Routes(await Promise.all(configs.map((config) => openRoute(config, kinds))))
}

async function openRoute(
  { name, app, provider, options, displayName, policy, timing }: RouteConfig,
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
    alwaysRings: kind.rings?.(options) !== undefined,
    countsPer: kind.countsPer,
    names: kind.names,
    disclosures: kind.disclosures(options),
    targetOf: (pushkey, data) => kind.targetOf?.(pushkey, data) ?? pushkey,
    checkTarget: kind.targetCheck?.(options) ?? (() => 'possible'),
    notAllowed: kind.notAllowed,
    render: kind.renderer(options),
    publicKey: await kind.publicKey?.(options),
  }
}
