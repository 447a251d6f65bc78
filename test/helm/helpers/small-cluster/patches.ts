/** What a PATCH makes of an object. Pure. */
import { isJsonObject, type JsonObject, type JsonValue } from '../../../../src/core/json.ts'
import { Refusal } from './objects.ts'

const TYPES = ['application/merge-patch+json', 'application/strategic-merge-patch+json']

/** Both kinds of merge patch mean the same as long as there is no list in it. */
export function merged(object: JsonObject, patch: JsonObject, type: string): JsonObject {
  if (!TYPES.includes(type)) throw new Refusal(415, 'UnsupportedMediaType', `a patch of the type ${type}`)
  const entries = Object.entries(patch).flatMap(([key, value]): (readonly [string, JsonValue | undefined])[] => {
    if (Array.isArray(value) || key.startsWith('$')) throw new Refusal(501, 'NotImplemented', `${key} in a patch`)
    const before = object[key]
    if (isJsonObject(value)) return [[key, merged(isJsonObject(before) ? before : {}, value, type)]]
    return [[key, value === null ? undefined : value]]
  })
  return { ...object, ...Object.fromEntries(entries) }
}
