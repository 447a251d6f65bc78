/** What is cut off from a notification when it is read, once for all its devices: what no push service could take, and no event can hold. Pure. */
import { jsonObject, type JsonObject, type JsonValue } from './json.ts'

/** No push service takes more than about 5 KiB, so what is beyond this never goes anywhere. */
const MAX_TEXT_UNITS = 8192
const MAX_ENTRIES = 512
/** Matrix specification, "Size limits": of a whole event. So no content that is larger is one of an event. */
export const MAX_CONTENT_BYTES = 65_536

export function boundedText(text: string): string {
  return isLong(text) ? text.slice(0, MAX_TEXT_UNITS).toWellFormed() : text
}

/** With no more entries and no longer texts than any push service takes. What is nested stays as it is. */
export function boundedEntries(object: JsonObject): JsonObject {
  const keys = Object.keys(object)
  if (keys.length <= MAX_ENTRIES && !keys.some((key) => isLong(object[key]))) return object
  return jsonObject(keys.slice(0, MAX_ENTRIES).map((key) => [key, shortened(object[key])] as const))
}

/**
 * The same for the content of an event, and with all that is nested in it no larger than an event: of what is larger the largest entries go first. `bodyBytes`:
 * of the request, which is at least as long.
 */
export function boundedContent(object: JsonObject, bodyBytes: number): JsonObject {
  const content = boundedEntries(object)
  if (bodyBytes <= MAX_CONTENT_BYTES) return content
  const sized = Object.entries(content).map(([key, value = null]) => ({ key, value, bytes: bytesOf(key, value) }))
  let bytes = sized.reduce((sum, entry) => sum + entry.bytes, 0)
  if (bytes <= MAX_CONTENT_BYTES) return content
  const dropped = new Set<string>()
  for (const entry of sized.toSorted((a, b) => b.bytes - a.bytes)) {
    if (bytes <= MAX_CONTENT_BYTES) break
    dropped.add(entry.key)
    bytes -= entry.bytes
  }
  return jsonObject(sized.filter(({ key }) => !dropped.has(key)).map(({ key, value }) => [key, value] as const))
}

/** As JSON, with its comma. */
function bytesOf(key: string, value: JsonValue): number {
  return Buffer.byteLength(JSON.stringify(key)) + Buffer.byteLength(JSON.stringify(value)) + 2
}

function shortened(value: JsonValue | undefined): JsonValue | undefined {
  return isLong(value) ? boundedText(value) : value
}

function isLong(value: JsonValue | undefined): value is string {
  return typeof value === 'string' && value.length > MAX_TEXT_UNITS
}
