/** The apps of the configuration: their names, and the push service of each, or several. */
import { Value } from 'typebox/value'
import { isGlob, overlap } from '../core/app-match.ts'
import { isJsonObject, jsonObject, type JsonObject } from '../core/json.ts'
import { routeName } from '../core/route.ts'
import { readRoute, type RouteRules } from './app-route.ts'
import { checkValue } from './check-value.ts'
import type { RouteConfig } from './config.ts'
import type { Loading } from './loading.ts'
import { findUnreachable } from './pusher-samples.ts'
import { severalSchema } from './app-schema.ts'
import { appCommon, type ProviderKinds } from './schema.ts'

/** Names become metric labels and parts of keys in the store; an app_id itself has at most 64 characters by the spec. */
const MAX_NAME_CHARACTERS = 128

export interface AppsRules extends RouteRules {
  /** Two globs may match the same app_id. */
  readonly mayOverlap: boolean
}

export async function readApps(
  value: unknown,
  rules: AppsRules,
  kinds: ProviderKinds,
  loading: Loading,
): Promise<readonly RouteConfig[]> {
  if (!isJsonObject(value)) return []
  const names = Object.keys(value)
  if (names.length === 0 && !loading.isReported(['apps'])) loading.report(['apps'], 'has no app; name at least one')
  for (const name of names) checkName(name, loading)
  reportOverlaps(names.filter(isGlob), rules.mayOverlap, loading)
  const apps = await Promise.all(names.map((name) => readApp(name, value[name], rules, kinds, loading)))
  return apps.flat()
}

function checkName(name: string, loading: Loading): void {
  if (name.length > MAX_NAME_CHARACTERS) loading.report(['apps', name], `longer than ${MAX_NAME_CHARACTERS} characters`)
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u0020\u007f]/.test(name))
    loading.report(['apps', name], 'an app_id has no spaces or control characters')
}

function reportOverlaps(globs: readonly string[], areAllowed: boolean, loading: Loading): void {
  for (const [index, later] of globs.entries())
    for (const earlier of globs.slice(0, index)) {
      const example = overlap(earlier, later)
      if (example === undefined) continue
      const both = `${JSON.stringify(earlier)} and ${JSON.stringify(later)} both match ${JSON.stringify(example)}`
      if (areAllowed) loading.warn(['apps', later], `${both}; such an app_id is treated as unknown`)
      else loading.report(['apps', later], `${both}; it must be clear whose push that is`)
    }
}

async function readApp(
  name: string,
  section: unknown,
  rules: AppsRules,
  kinds: ProviderKinds,
  loading: Loading,
): Promise<readonly RouteConfig[]> {
  const at = ['apps', name]
  if (isJsonObject(section) && Object.hasOwn(section, 'providers'))
    return readSeveral(name, section, rules, kinds, loading)
  const route = await readRoute({ at, section, isEntry: false }, rules, kinds, loading)
  return route === undefined ? [] : [{ name, app: name, ...route }]
}

/** What all of an app's push services have in common is said once, beside `providers`; an entry may say otherwise. */
async function readSeveral(
  name: string,
  section: JsonObject,
  rules: AppsRules,
  kinds: ProviderKinds,
  loading: Loading,
): Promise<readonly RouteConfig[]> {
  const at = ['apps', name]
  const common = commonOf(section, checkValue(severalSchema, section, at, loading))
  const { providers } = section
  if (!Array.isArray(providers)) return []
  const routes = await Promise.all(
    providers.map(async (entry: unknown, index) => {
      const merged = isJsonObject(entry) ? { ...common, ...entry } : entry
      return readRoute({ at: [...at, 'providers', index], section: merged, isEntry: true }, rules, kinds, loading)
    }),
  )
  const found = routes.map((route) => (route === undefined ? undefined : { ...route, app: name }))
  reportEntries(found, kinds, at, loading)
  const isOnly = providers.length === 1
  return found.flatMap((route) =>
    route === undefined ? [] : [{ ...route, name: routeName(name, route.provider, isOnly) }],
  )
}

/** The common settings that are given, but for those that are wrong, which are reported. */
function commonOf(section: JsonObject, checked: unknown): JsonObject {
  if (!isJsonObject(checked)) return {}
  return jsonObject(
    Object.entries(appCommon.properties).flatMap(([key, schema]) =>
      Object.hasOwn(section, key) && Value.Check(schema, checked[key]) ? [[key, checked[key]] as const] : [],
    ),
  )
}

function reportEntries(
  entries: readonly (Pick<RouteConfig, 'provider' | 'when'> | undefined)[],
  kinds: ProviderKinds,
  at: readonly string[],
  loading: Loading,
): void {
  const found = entries.filter((entry) => entry !== undefined)
  for (const [index, entry] of entries.entries()) {
    const isAgain =
      entry !== undefined && found.indexOf(entry) !== found.findIndex((other) => other.provider === entry.provider)
    if (isAgain)
      loading.report([...at, 'providers', index, 'type'], 'is there twice; an app has each push service once')
  }
  // Where one is missing, who gets what is not known.
  if (found.length < entries.length) return
  for (const { index, by } of findUnreachable(found, kinds))
    loading.report(
      [...at, 'providers', index],
      `gets no pusher: all that it could get are for ${by}, which stands before it; give one of them a when, or change their order`,
    )
}
