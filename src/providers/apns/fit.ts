/** Makes a payload fit into APNs' limit, in linear time: first shorter texts, then fewer keys, at last a bare wake-up. */
import { isJsonObject, type JsonObject, type JsonValue } from '../../core/json.ts'
import { jsonBytes, truncate } from '../../core/text.ts'

/** What gives way, in this order, each only as far as needed: what people miss least first, what the app cannot do without last. */
const ORDER: readonly ((draft: Draft) => void)[] = [
  (draft) => draft.shorten(draft.args, bodyArgument(draft)),
  (draft) => draft.shortenAll(draft.args),
  (draft) => draft.shorten(draft.alert, 'body'),
  (draft) => draft.shorten(draft.aps, 'alert'),
  (draft) => draft.shortenAll(draft.alert, ['loc-key']),
  (draft) => draft.dropAll(draft.payload, ['aps', 'room_id', 'event_id', 'unread_count', 'missed_calls']),
  (draft) => draft.dropAll(draft.aps, ['alert', 'badge', 'mutable-content', 'content-available']),
  (draft) => draft.dropAll(draft.alert, ['loc-key']),
  // Longer than any real ID (255 bytes, Matrix specification, appendix "Identifier grammar"), or it would have fitted by now.
  (draft) => draft.dropAll(draft.payload, ['aps', 'unread_count', 'missed_calls']),
]

/** The JSON of what is left of `payload`: never more than `maxBytes`, provided that `lastResort` is not. */
export function fit(payload: JsonObject, maxBytes: number, lastResort: JsonObject): string {
  const draft = new Draft(payload, maxBytes)
  for (const giveWay of ORDER) {
    if (draft.excessBytes <= 0) break
    giveWay(draft)
  }
  const fitted = draft.toJson()
  return Buffer.byteLength(fitted) <= maxBytes ? fitted : JSON.stringify(lastResort)
}

type Editable = Record<string, JsonValue | undefined>

/** A copy that may be edited, and by how much it is still too large. */
class Draft {
  readonly payload: Editable
  readonly aps: Editable
  readonly alert: Editable
  /** The loc-args by their index; empty when there are none. */
  readonly args: Editable
  excessBytes: number

  constructor(payload: JsonObject, maxBytes: number) {
    this.excessBytes = Buffer.byteLength(JSON.stringify(payload)) - maxBytes
    this.payload = { ...payload }
    this.aps = editableIn(this.payload, 'aps')
    this.alert = editableIn(this.aps, 'alert')
    const args = this.alert['loc-args']
    this.args = Array.isArray(args) ? Object.fromEntries(args.entries()) : {}
  }

  toJson(): string {
    if (Array.isArray(this.alert['loc-args']))
      this.alert['loc-args'] = Object.values(this.args).map((arg) => arg ?? null)
    return JSON.stringify(this.payload)
  }

  shorten(holder: Editable, key: string): void {
    const text = holder[key]
    if (this.excessBytes <= 0 || typeof text !== 'string') return
    const bytes = jsonBytes(text)
    const shortened = truncate(text, Math.max(0, bytes - this.excessBytes), jsonBytes)
    holder[key] = shortened
    this.excessBytes -= bytes - jsonBytes(shortened)
  }

  /** The last first. */
  shortenAll(holder: Editable, except: readonly string[] = []): void {
    for (const key of Object.keys(holder).toReversed()) if (!except.includes(key)) this.shorten(holder, key)
  }

  /** The last first. */
  dropAll(holder: Editable, except: readonly string[]): void {
    for (const key of Object.keys(holder).toReversed()) {
      if (this.excessBytes <= 0) return
      if (except.includes(key)) continue
      // Without the comma: there is none beside an only key.
      this.excessBytes -= jsonBytes(key) + 3 + Buffer.byteLength(JSON.stringify(holder[key] ?? null))
      delete holder[key]
    }
  }
}

/** A copy of the object under `key`, put in its place; one that is in no payload when there is no object. */
function editableIn(holder: Editable, key: string): Editable {
  const value = holder[key]
  if (!isJsonObject(value)) return {}
  const copy = { ...value }
  holder[key] = copy
  return copy
}

/** The index of the message's text among the loc-args (alert.ts): it is last, but for pictures in rooms. */
function bodyArgument(draft: Draft): string {
  if (draft.alert['loc-key'] === 'IMAGE_FROM_USER_IN_ROOM') return '1'
  return String(Object.keys(draft.args).length - 1)
}
