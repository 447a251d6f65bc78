/** JSON as a type, and the few questions that are asked of it everywhere. */

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject
export interface JsonObject {
  readonly [key: string]: JsonValue | undefined
}

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A new object of the entries whose value is defined; safe for a key named `__proto__`. */
export function jsonObject(entries: Iterable<readonly [string, JsonValue | undefined]>): JsonObject {
  const kept: [string, JsonValue][] = []
  for (const [key, value] of entries) if (value !== undefined) kept.push([key, value])
  return Object.fromEntries(kept)
}
