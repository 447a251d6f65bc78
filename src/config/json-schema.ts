/** The configuration file as JSON Schema, for editors and for Helm: made from the schema that the file is checked against. */
import type { TSchema } from 'typebox'
import { isJsonObject, jsonObject, type JsonObject, type JsonValue } from '../core/json.ts'
import type { ProviderKind } from '../core/provider.ts'
import { appSchema, entrySchema, severalSchema } from './app-schema.ts'
import { APPS, fileSchema, type ProviderKinds } from './schema.ts'

/** What has a default is not required. */
export function configSchema(kinds: ProviderKinds): JsonObject {
  // Not `anyOf`: with it a mistake in an app of one kind is reported as missing options of all the others.
  const app = {
    type: 'object',
    properties: { type: typeOf(kinds) },
    allOf: [
      ...byType(kinds, appSchema),
      // oxlint-disable-next-line unicorn/no-thenable -- JSON Schema calls it so
      { if: { required: ['providers'] }, then: several(kinds), else: NEEDS_TYPE },
    ],
  }
  const file = plain(fileSchema)
  const sections = isJsonObject(file['properties']) ? file['properties'] : {}
  return jsonObject([
    ['$schema', 'http://json-schema.org/draft-07/schema#'],
    ['title', 'Hushgate configuration'],
    ['type', 'object'],
    ['required', ['apps']],
    [
      'properties',
      { ...sections, apps: { type: 'object', description: APPS, minProperties: 1, additionalProperties: app } },
    ],
    ['additionalProperties', false],
  ])
}

const NEEDS_TYPE: JsonObject = { required: ['type'] }

function typeOf(kinds: ProviderKinds): JsonObject {
  return { enum: Object.keys(kinds), description: 'The push service.' }
}

function byType(kinds: ProviderKinds, schemaOf: (type: string, kind: ProviderKind) => TSchema): JsonObject[] {
  return Object.entries(kinds).map(([type, kind]) => ({
    if: { properties: { type: { const: type } }, ...NEEDS_TYPE },
    // oxlint-disable-next-line unicorn/no-thenable -- JSON Schema calls it so
    then: plain(schemaOf(type, kind)),
  }))
}

function several(kinds: ProviderKinds): JsonObject {
  const section = plain(severalSchema)
  const properties = isJsonObject(section['properties']) ? section['properties'] : {}
  const providers = isJsonObject(properties['providers']) ? properties['providers'] : {}
  const entry = {
    type: 'object',
    ...NEEDS_TYPE,
    properties: { type: typeOf(kinds) },
    allOf: byType(kinds, entrySchema),
  }
  return { ...section, properties: { ...properties, providers: { ...providers, items: entry } } }
}

/** The schema as JSON, without `required` for what has a default. */
function plain(schema: TSchema): JsonObject {
  const json: unknown = JSON.parse(JSON.stringify(schema))
  return isJsonObject(json) ? relaxed(json) : {}
}

function relaxed(schema: JsonObject): JsonObject {
  const { properties, required, ...rest } = schema
  if (!isJsonObject(properties)) return schema
  const kept = Array.isArray(required) ? required.filter((name: string) => !hasDefault(properties[name])) : []
  return jsonObject([
    ...Object.entries(rest),
    ...(kept.length > 0 ? ([['required', kept]] as const) : []),
    ['properties', jsonObject(Object.entries(properties).map(([name, property]) => [name, inner(property)] as const))],
  ])
}

function inner(property: JsonValue | undefined): JsonValue | undefined {
  return isJsonObject(property) ? relaxed(property) : property
}

function hasDefault(property: JsonValue | undefined): boolean {
  return isJsonObject(property) && property['default'] !== undefined
}
