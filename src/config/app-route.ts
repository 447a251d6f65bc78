/** A section that says how an app is pushed to by one push service: against its own kind's schema, then what only its files can tell. */
import { Value } from 'typebox/value'
import { isJsonObject, jsonObject, type JsonObject } from '../core/json.ts'
import type { PrivacyMode, PrivacyPolicy } from '../core/privacy-policy.ts'
import { checkValue } from './check-value.ts'
import type { ProviderOptions, RouteConfig } from './config.ts'
import type { SettingPath } from './config-error.ts'
import type { Loading } from './loading.ts'
import { appSchema, entrySchema, WHEN, whenSchema } from './app-schema.ts'
import { appCommon, type ProviderKinds } from './schema.ts'
import { didYouMean } from './sentences.ts'
import { reportTimingMistakes, timingOf } from './timing.ts'

export interface RouteRules {
  /** Of apps that do not say. */
  readonly privacy: PrivacyMode
  /** Undefined where it is wrong, which is reported. */
  readonly maxAgeMs: number | undefined
}

export interface RouteSection {
  readonly at: SettingPath
  readonly section: unknown
  /** It is one of several, in `providers`. */
  readonly isEntry: boolean
}

/** But for its names. Undefined where that cannot be said, which is reported. */
export async function readRoute(
  { at, section: written, isEntry }: RouteSection,
  { privacy: defaultPrivacy, maxAgeMs }: RouteRules,
  kinds: ProviderKinds,
  loading: Loading,
): Promise<Omit<RouteConfig, 'name' | 'app'> | undefined> {
  const stated = typeOf(written, kinds, at, loading)
  // A wrong type must not hide what else is wrong.
  const type = stated ?? likelyType(written, kinds)
  const kind = type === undefined ? undefined : kinds[type]
  if (type === undefined || kind === undefined) return undefined
  const section = stated === undefined && isJsonObject(written) ? { ...written, type } : written
  const schema = isEntry ? entrySchema(type, kind) : appSchema(type, kind)
  const checked = checkValue(schema, section, at, loading)
  if (!isJsonObject(checked)) return undefined

  const { privacy = defaultPrivacy, [WHEN]: when } = checked
  const ringing = kind.rings?.(checked)
  if (ringing !== undefined && privacy === 'minimal')
    loading.report(
      [...at, 'privacy' in checked ? 'privacy' : ringing.option],
      `${ringing.whyNotMinimal}; set privacy: event_id_only`,
    )
  reportTimingMistakes(checked, { at, isMinimal: privacy === 'minimal', ringing, maxAgeMs }, loading)
  const common = new Set(['type', WHEN, ...Object.keys(appCommon.properties)])
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
  const policy: PrivacyPolicy = {
    privacy: checked.privacy ?? defaultPrivacy,
    counts,
    defaultPayloadAllow,
    sealed,
    placeholderIds,
  }
  for (const { option, message } of kind.warnings?.(options, policy) ?? []) loading.warn([...at, option], message)
  return {
    provider: type,
    ...(Value.Check(whenSchema, when) ? { when } : {}),
    options,
    displayName: checked.display_name,
    policy,
    timing: timingOf(checked),
    files: files.paths,
  }
}

function typeOf(section: unknown, kinds: ProviderKinds, at: SettingPath, loading: Loading): string | undefined {
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

async function readFiles(options: JsonObject, fileOptions: readonly string[], at: SettingPath, loading: Loading) {
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
