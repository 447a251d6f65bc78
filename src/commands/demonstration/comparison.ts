/** What a homeserver sent, field by field, beside what somebody saw of it. Found by looking for the values themselves. Pure. */
import { isJsonObject, type JsonObject, type JsonValue } from '../../core/json.ts'

/** A push as it arrived at a simulated push service or browser. */
export interface Seen {
  readonly who: string
  /** What it answered; absent where it did not. */
  readonly status: number | undefined
  readonly headers: Readonly<Record<string, string>>
  /** What it can read. */
  readonly body: JsonObject
  /** What only the device can read, where that is more. */
  readonly opened?: JsonObject | undefined
}

export interface ComparedField {
  readonly field: string
  readonly sent: string
  /** Where it was seen; undefined: nowhere. */
  readonly seenAs: string | undefined
}

/** Of priority only numbers are passed on, so its word would not be found: nothing is claimed of it. Devices are the push service's own. */
const NOT_COMPARED = ['devices', 'prio']
/** Numbers are compared where a number of unread messages may stand. */
const COUNT = /badge|unread|missed/

export function compare(notification: JsonObject, { headers, body }: Pick<Seen, 'headers' | 'body'>): ComparedField[] {
  const seen = [...Object.entries(headers), ...leaves(body)]
  return leaves(notification)
    .filter(([field]) => !NOT_COMPARED.includes(field.split('.')[0] ?? ''))
    .map(([field, value]) => {
      const found = seen.find(([place, leaf]) => isShownIn(value, place, leaf))
      return { field, sent: typeof value === 'string' ? value : JSON.stringify(value), seenAs: found?.[0] }
    })
}

function isShownIn(value: JsonValue, place: string, leaf: JsonValue): boolean {
  if (typeof value === 'number') return COUNT.test(place) && (leaf === value || leaf === `${value}`)
  return typeof value === 'string' && typeof leaf === 'string' && leaf.includes(value)
}

function leaves(object: JsonObject, path = ''): (readonly [string, JsonValue])[] {
  return Object.entries(object).flatMap(([key, value]) => leavesOf(value, path === '' ? key : `${path}.${key}`))
}

function leavesOf(value: JsonValue | undefined, path: string): (readonly [string, JsonValue])[] {
  if (isJsonObject(value)) return leaves(value, path)
  if (Array.isArray(value)) return value.flatMap((each, index) => leavesOf(each, `${path}.${index}`))
  return value === undefined ? [] : [[path, value]]
}
