/** The apps of the configuration: each section against its own kind's schema, then what only its files and the other apps can tell. */
import { Value } from 'typebox/value'
import { isJsonObject, jsonObject, type JsonObject } from '../core/json.ts'
import type { PrivacyMode } from '../core/privacy-policy.ts'
import { isGlob, overlap } from '../core/app-match.ts'
import { checkValue } from './check-value.ts'
import type { ProviderOptions, RouteConfig } from './config.ts'
import type { Loading } from './loading.ts'
import { appCommon, appSchema, type ProviderKinds } from './schema.ts'
import { didYouMean } from './sentences.ts'
import { reportTimingMistakes, timingOf } from './timing.ts'

/** Names become metric labels and parts of keys in the store; an app_id itself has at most 64 characters by the spec. */
const MAX_NAME_CHARACTERS = 128

export interface AppsRules {
  /** Of apps that do not say. */
  readonly privacy: PrivacyMode
  /** Undefined where it is wrong, which is reported. */
  readonly maxAgeMs: number | undefined
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
  return apps.filter((app) => app !== undefined)
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
  written: unknown,
  { privacy: defaultPrivacy, maxAgeMs }: AppsRules,
  kinds: ProviderKinds,
  loading: Loading,
): Promise<RouteConfig | undefined> {
  const at = ['apps', name]
  const stated = typeOf(written, kinds, at, loading)
  // A wrong type must not hide what else is wrong.
  const type = stated ?? likelyType(written, kinds)
  const kind = type === undefined ? undefined : kinds[type]
  if (type === undefined || kind === undefined) return undefined
  const section = stated === undefined && isJsonObject(written) ? { ...written, type } : written
  const schema = appSchema(type, kind)
  const checked = checkValue(schema, section, at, loading)
  if (!isJsonObject(checked)) return undefined

  const { privacy = defaultPrivacy } = checked
  const ringing = kind.rings?.(checked)
  if (ringing !== undefined && privacy === 'minimal')
    loading.report(
      [...at, 'privacy' in checked ? 'privacy' : ringing.option],
      `${ringing.whyNotMinimal}; set privacy: event_id_only`,
    )
  reportTimingMistakes(checked, { at, isMinimal: privacy === 'minimal', ringing, maxAgeMs }, loading)
  const common = new Set(['type', ...Object.keys(appCommon.properties)])
  const own = jsonObject(Object.entries(checked).filter(([key]) => !common.has(key)))
  const resolved = withAbsolutePaths(own, kind.files, loading)
  const files = await readFiles(resolved, kind.files, at, loading)
  if (!Value.Check(schema, checked) || !Value.Check(appCommon, checked)) return undefined
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- they fit their kind's schema, which is all the compiler cannot see
  const options = resolved as ProviderOptions
  // A file that cannot be read is reported already, with the same words for every provider.
  if (files.areReadable)
    for (const { option, message } of await kind.inspect(options))
      loading.report([...at, ...option.split('.')], message)
  if (stated === undefined) return undefined
  const { counts, default_payload_allow: defaultPayloadAllow, placeholder_ids: placeholderIds } = checked
  const sealed = kind.isEndToEnd === true ? 'ignored' : checked.sealed
  return {
    name,
    app: name,
    provider: type,
    options,
    displayName: checked.display_name,
    policy: { privacy: checked.privacy ?? defaultPrivacy, counts, defaultPayloadAllow, sealed, placeholderIds },
    timing: timingOf(checked),
    files: files.paths,
  }
}

function typeOf(section: unknown, kinds: ProviderKinds, at: readonly string[], loading: Loading): string | undefined {
  const known = Object.keys(kinds)
  const oneOf = `one of ${known.map((name) => JSON.stringify(name)).join(', ')}`
  if (!isJsonObject(section)) loading.report(at, `expected a section of settings with a type, ${oneOf}`)
  else if (!Object.hasOwn(section, 'type')) loading.report([...at, 'type'], `is missing: ${oneOf}`)
  else if (typeof section['type'] !== 'string') loading.report([...at, 'type'], `expected ${oneOf}`)
  else if (Object.hasOwn(kinds, section['type'])) return section['type']
  else {
    const hint = didYouMean(section['type'], known)
    loading.report([...at, 'type'], `unknown push service, expected ${oneOf}${hint === undefined ? '' : `; ${hint}`}`)
  }
  return undefined
}

/** The one of whose options the section has the most; undefined where it has none of any. */
function likelyType(section: unknown, kinds: ProviderKinds): string | undefined {
  if (!isJsonObject(section)) return undefined
  const counted = Object.entries(kinds).map(([type, { options }]) => {
    const own = Object.keys(section).filter((key) => Object.hasOwn(options.properties, key))
    return { type, count: own.length }
  })
  const [best] = counted.filter(({ count }) => count > 0).toSorted((one, other) => other.count - one.count)
  return best?.type
}

function withAbsolutePaths(options: JsonObject, fileOptions: readonly string[], loading: Loading): JsonObject {
  const paths = fileOptions.flatMap((option) => {
    const value = options[option]
    return typeof value === 'string' && value !== '' ? [[option, loading.resolve(value)] as const] : []
  })
  return jsonObject([...Object.entries(options), ...paths])
}

async function readFiles(options: JsonObject, fileOptions: readonly string[], at: readonly string[], loading: Loading) {
  const paths: string[] = []
  let areReadable = true
  for (const option of fileOptions) {
    const path = options[option]
    if (typeof path !== 'string' || path === '') continue
    paths.push(path)
    if ((await loading.read(path, [...at, option])) === undefined) areReadable = false
  }
  return { paths, areReadable }
}
