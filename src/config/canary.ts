/** Canary pushes to devices of the operator's own: the section `canary`. */
import type { Static } from 'typebox'
import { Value } from 'typebox/value'
import { compileApps } from '../core/app-match.ts'
import { isJsonObject, type JsonObject } from '../core/json.ts'
import { Secret } from '../core/secret.ts'
import { canaryEntrySchema } from './canary-schema.ts'
import type { CanaryConfig, RouteConfig } from './config.ts'
import type { Loading } from './loading.ts'
import { openRoutes, type Routes } from './routes.ts'
import type { ProviderKinds } from './schema.ts'
import { parseDurationMs } from './units.ts'

const DEFAULT_EVERY = '5m'

/** Those of the list that are right; what is wrong is reported. */
export async function readCanaries(
  { canary: section, apps }: JsonObject,
  configured: readonly RouteConfig[],
  kinds: ProviderKinds,
  loading: Loading,
): Promise<readonly CanaryConfig[]> {
  if (!Array.isArray(section) || section.length === 0) return []
  // It rejects because of files that are wrong, which is reported already.
  const routes = await openRoutes(configured, kinds).catch(() => undefined)
  const nameOf = compileApps(isJsonObject(apps) ? Object.keys(apps) : [])
  const canaries: CanaryConfig[] = []
  for (const [index, entry] of section.entries()) {
    if (!Value.Check(canaryEntrySchema, entry)) continue
    // Of an app that is wrong itself nothing can be said.
    const isWrong = routes?.ofApp(entry.app).length === 0 && nameOf(entry.app) !== undefined
    const read = await readCanary(entry, ['canary', index], isWrong ? undefined : routes, loading)
    if (read === undefined) continue
    if (canaries.some(({ route }) => route === read.route))
      loading.report(['canary', index, 'app'], 'has a canary already; give one for each app and push service')
    else canaries.push(read)
  }
  return canaries
}

async function readCanary(
  { app: appId, pushkey_file: file, data = {}, every = DEFAULT_EVERY }: Static<typeof canaryEntrySchema>,
  at: readonly (string | number)[],
  routes: Routes | undefined,
  loading: Loading,
): Promise<CanaryConfig | undefined> {
  const pushkey = (await loading.read(loading.resolve(file), [...at, 'pushkey_file']))?.trim()
  if (pushkey === undefined || routes === undefined) return undefined
  const plain: JsonObject = JSON.parse(JSON.stringify(data))
  const route = routes.routeFor(appId, pushkey, plain)
  if (route === undefined) {
    const isKnown = routes.ofApp(appId).length > 0
    loading.report(
      [...at, isKnown ? 'pushkey_file' : 'app'],
      isKnown ? 'is for none of the push services of this app' : 'no app is configured for this app_id',
    )
    return undefined
  }
  const verdict = route.checkTarget(new Secret(route.targetOf(pushkey, plain)))
  if (verdict !== 'possible') {
    const impossible =
      'holds what can be no pushkey of this app; of Web Push it is the whole subscription as JSON, or data names the endpoint'
    loading.report([...at, 'pushkey_file'], verdict === 'impossible' ? impossible : (route.notAllowed ?? impossible))
    return undefined
  }
  return {
    appId,
    route: route.name,
    pushkey: new Secret(pushkey),
    data: new Secret(JSON.stringify(data)),
    everyMs: parseDurationMs(every) ?? 0,
  }
}
