/** JSON as a type, and the few questions that are asked of it everywhere. */

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject
export interface JsonObject {
  readonly [key: string]: JsonValue | undefined
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Text from outside that ought to be an object; undefined for anything else. */
export function jsonObjectOf(text: string): JsonObject | undefined {
  // Most answers of push services are empty, and an error costs more than all else that is done with one.
  if (text === '') return undefined
  try {
    const value: unknown = JSON.parse(text)
    return isJsonObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

/** A new object of the entries whose value is defined; safe for a key named `__proto__`. */
export function jsonObject(entries: Iterable<readonly [string, JsonValue | undefined]>): JsonObject {
  const kept: [string, JsonValue][] = []
  for (const [key, value] of entries) if (value !== undefined) kept.push([key, value])
  return Object.fromEntries(kept)
}
