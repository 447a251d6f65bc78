import { readFile } from 'node:fs/promises'
import { Value } from 'typebox/value'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { schema } from '../../src/commands/schema.ts'
import { configSchema } from '../../src/config/json-schema.ts'
import { isJsonObject, type JsonObject, type JsonValue } from '../../src/core/json.ts'
import { providers } from '../../src/providers/index.ts'
import { kinds } from '../helpers/config-folder.ts'
import { textSink } from '../helpers/text-sink.ts'

const committed = new URL('../../config/hushgate.schema.json', import.meta.url)
const sample = new URL('../../config/hushgate.sample.yaml', import.meta.url)

describe('hushgate schema', () => {
  it('prints what config/hushgate.schema.json holds; renew that with: npm run schema', async () => {
    const stdout = textSink()
    expect(schema({ kinds: providers, stdout })).toBe(0)
    expect(stdout.text()).toBe(await readFile(committed, 'utf8'))
  })

  it('describes every setting', () => {
    const settings = settingsOf(configSchema(providers), '')
    expect(settings.map(({ path }) => path)).toContain('.apps.apns.key_id')
    expect(settings.filter(({ schema: { description } }) => typeof description !== 'string')).toEqual([])
  })

  it('closes every section to unknown keys', () => {
    const sections = settingsOf(configSchema(providers), '').filter(
      ({ schema: { properties } }) => properties !== undefined,
    )
    expect(sections.length).toBeGreaterThan(5)
    expect(sections.filter(({ schema: { additionalProperties } }) => additionalProperties !== false)).toEqual([])
  })

  it.each([
    ['an app of the right kind', { a: { type: 'pigeon', key_file: 'key' } }, true],
    ['an app of an unknown kind', { a: { type: 'duck', key_file: 'key' } }, false],
    ['an app without type', { a: { key_file: 'key' } }, false],
    ['an option that is missing', { a: { type: 'pigeon' } }, false],
    ['an unknown option', { a: { type: 'pigeon', key_file: 'key', beak: 1 } }, false],
    ['a wrong privacy', { a: { type: 'pigeon', key_file: 'key', privacy: 'none' } }, false],
    ['no app', {}, false],
  ])('says of %s whether it is valid', (_name, apps, isValid) => {
    expect(Value.Check(configSchema(kinds), { apps })).toBe(isValid)
  })

  it('requires nothing that has a default', () => {
    expect(
      Value.Check(configSchema(kinds), { http: {}, queue: {}, apps: { a: { type: 'pigeon', key_file: 'k' } } }),
    ).toBe(true)
    expect(
      Value.Check(configSchema(kinds), { http: { port: 'x' }, apps: { a: { type: 'pigeon', key_file: 'k' } } }),
    ).toBe(false)
  })
})

describe('config/hushgate.sample.yaml', () => {
  it('is valid', async () => {
    expect(Value.Errors(configSchema(providers), parse(await readFile(sample, 'utf8')))).toEqual([])
  })

  it('is valid with each setting that is commented out, too', async () => {
    const text = await readFile(sample, 'utf8')
    // Whole sections are commented out from the first column on.
    const uncommented = text
      .replaceAll(/^( +)# ( *\w+: )/gm, '$1$2')
      .replaceAll(/^# ((?:tracing|canary): | {2})/gm, '$1')
    expect(Object.keys(parse(uncommented))).toEqual(expect.arrayContaining(['tracing', 'canary']))
    expect(Value.Errors(configSchema(providers), parse(uncommented))).toEqual([])
  })

  it('has a line with a comment for every setting', async () => {
    const lines = (await readFile(sample, 'utf8')).split('\n')
    const names = new Set(settingsOf(configSchema(providers), '').map(({ path }) => path.split('.').at(-1)))
    const isThere = (name = ''): boolean =>
      lines.some(
        (line) => new RegExp(`^ *(# *)?${name}: .*# \\S`).test(line) || new RegExp(`^${name}: # \\S`).test(line),
      )
    expect(
      [...names].filter((name) => name !== undefined && !Object.hasOwn(providers, name) && !isThere(name)),
    ).toEqual([])
  })

  it('shows the default of every setting of ours', async () => {
    const text = (await readFile(sample, 'utf8')).replaceAll(/^( +)# (prefix|require_persistence): /gm, '$1$2: ')
    const shown: unknown = parse(text)
    const defaults = settingsOf(configSchema(providers), '').filter(
      ({ path, schema: one }) =>
        !path.startsWith('.apps') && one['default'] !== undefined && one['properties'] === undefined,
    )
    expect(defaults.length).toBeGreaterThan(15)
    expect(defaults.map(({ path }) => [path, valueAt(shown, path)])).toEqual(
      defaults.map(({ path, schema: one }) => [path, one['default']]),
    )
  })
})

interface Setting {
  readonly path: string
  readonly schema: JsonObject
}

/** Every setting of the schema; those of an app under the name of its type. */
function settingsOf(section: JsonObject, path: string): Setting[] {
  const { properties, additionalProperties } = section
  const inApps =
    isJsonObject(additionalProperties) && Array.isArray(additionalProperties['allOf'])
      ? additionalProperties['allOf']
      : []
  const ofApps = inApps.flatMap((one: JsonValue) => {
    const then = isJsonObject(one) && isJsonObject(one['then']) ? one['then'] : {}
    const { type } = isJsonObject(then['properties']) ? then['properties'] : {}
    const name = isJsonObject(type) && typeof type['const'] === 'string' ? type['const'] : undefined
    // Without one, it is an app with several push services.
    if (name === undefined) return settingsOf(then, path)
    return [{ path: `${path}.${name}`, schema: then }, ...settingsOf(then, `${path}.${name}`)]
  })
  const own = Object.entries(isJsonObject(properties) ? properties : {}).flatMap(([name, one]) =>
    isJsonObject(one)
      ? [
          { path: `${path}.${name}`, schema: one },
          ...settingsOf(one, `${path}.${name}`),
          ...settingsOf({ additionalProperties: one['items'] }, `${path}.${name}`),
        ]
      : [],
  )
  return [...own, ...ofApps]
}

function valueAt(value: unknown, path: string): unknown {
  let found = value
  for (const name of path.split('.').slice(1)) found = isJsonObject(found) ? found[name] : undefined
  return found
}
