/** Makes a payload fit into APNs' limit, in linear time: first shorter texts, then fewer keys, at last a bare wake-up. */
import { isJsonObject, jsonObject, type JsonObject, type JsonValue } from '../../core/json.ts'
import { jsonBytes, truncate } from '../../core/text.ts'

const SEALED = ['hushgate_kid', 'hushgate_sealed']

/** What gives way, in this order, each only as far as needed: what people miss least first, what the app cannot do without last. */
const ORDER: readonly ((draft: Draft) => void)[] = [
  // A fixed text of the pusher's, which nobody sees beside a loc-key.
  (draft) => draft.shorten('alert', 'body'),
  (draft) => draft.shorten('args', bodyArgument(draft)),
  (draft) => draft.shortenAll('args'),
  // An alert that is nothing but its text.
  (draft) => draft.shorten('aps', 'alert'),
  (draft) => draft.shortenAll('alert', ['loc-key']),
  (draft) => draft.drop('payload', ['aps', 'room_id', 'event_id', 'unread_count', 'missed_calls', ...SEALED]),
  (draft) => draft.drop('aps', ['alert', 'badge', 'mutable-content', 'content-available']),
  (draft) => draft.drop('alert', ['loc-key']),
  // Longer than any real ID (255 bytes; Matrix specification, "Identifier Grammar"), or it would have fitted by now.
  (draft) => draft.drop('payload', ['aps', 'unread_count', 'missed_calls', ...SEALED]),
]

/** `payload`, which takes `bytes` as JSON, as JSON of at most `maxBytes`; `lastResort` where nothing else helps. */
export function fit(payload: JsonObject, bytes: number, maxBytes: number, lastResort: JsonObject): string {
  const draft = new Draft(payload, bytes, maxBytes)
  for (const giveWay of ORDER) {
    if (draft.excessBytes <= 0) break
    giveWay(draft)
  }
  const fitted = JSON.stringify(draft.assemble())
  return Buffer.byteLength(fitted) <= maxBytes ? fitted : JSON.stringify(lastResort)
}

type Entries = Readonly<Record<string, JsonValue | undefined>>

/** A payload taken apart. A part that is no object is empty here, and stays as it is. */
interface Parts {
  readonly payload: Entries
  readonly aps: Entries
  readonly alert: Entries
  /** The loc-args by their index. */
  readonly args: Entries
}

class Draft {
  /** How much too large it still is. */
  excessBytes: number
  parts: Parts
  readonly #maxBytes: number

  constructor(payload: JsonObject, bytes: number, maxBytes: number) {
    this.excessBytes = bytes - maxBytes
    this.#maxBytes = maxBytes
    const aps = objectOf(payload['aps'])
    const alert = objectOf(aps['alert'])
    const args = alert['loc-args']
    this.parts = { payload, aps, alert, args: Array.isArray(args) ? Object.fromEntries(args.entries()) : {} }
  }

  assemble(): JsonObject {
    const { payload, aps, alert, args } = this.parts
    const locArgs = Array.isArray(alert['loc-args']) ? Object.values(args).map((arg) => arg ?? null) : undefined
    const wholeAlert = locArgs === undefined ? alert : { ...alert, 'loc-args': locArgs }
    const wholeAps = isJsonObject(aps['alert']) ? { ...aps, alert: wholeAlert } : aps
    return isJsonObject(payload['aps']) ? { ...payload, aps: wholeAps } : payload
  }

  shorten(part: keyof Parts, key: string): void {
    const entries = this.parts[part]
    const text = entries[key]
    if (this.excessBytes <= 0 || typeof text !== 'string') return
    const bytes = jsonBytes(text)
    const shortened = truncate(text, Math.max(0, bytes - this.excessBytes), jsonBytes)
    this.excessBytes -= bytes - jsonBytes(shortened)
    this.parts = { ...this.parts, [part]: { ...entries, [key]: shortened } }
  }

  /** The last first. */
  shortenAll(part: keyof Parts, except: readonly string[] = []): void {
    const keys = Object.keys(this.parts[part]).toReversed()
    // Even empty, each would take three bytes: shortening so many is of no use.
    if (keys.length * 3 > this.#maxBytes) return
    for (const key of keys) if (!except.includes(key)) this.shorten(part, key)
  }

  /** Drops what is not needed, but keeps of it what fits. */
  drop(part: keyof Parts, needed: readonly string[]): void {
    const entries = Object.entries(this.parts[part])
    const isNeeded = ([key]: readonly [string, unknown]): boolean => needed.includes(key)
    const kept = entries.filter(isNeeded)
    this.parts = { ...this.parts, [part]: jsonObject(kept) }
    let roomBytes = this.#maxBytes - this.#bytes()
    for (const entry of entries) {
      const [key, value = null] = entry
      // Most of a hundred thousand keys need not be measured to see that they are too long.
      const leastBytes = key.length + (typeof value === 'string' ? value.length : 1)
      if (isNeeded(entry) || leastBytes > roomBytes) continue
      const bytes = jsonBytes(key) + Buffer.byteLength(JSON.stringify(value)) + '"":,'.length
      if (bytes > roomBytes) continue
      roomBytes -= bytes
      kept.push(entry)
    }
    this.parts = { ...this.parts, [part]: jsonObject(kept) }
    this.excessBytes = this.#bytes() - this.#maxBytes
  }

  #bytes(): number {
    return Buffer.byteLength(JSON.stringify(this.assemble()))
  }
}

function objectOf(value: JsonValue | undefined): Entries {
  return isJsonObject(value) ? value : {}
}

/** The index of the message's text among the loc-args (alert.ts): it is last, but for pictures in rooms. */
function bodyArgument({ parts }: Draft): string {
  if (parts.alert['loc-key'] === 'IMAGE_FROM_USER_IN_ROOM') return '1'
  return String(Object.keys(parts.args).length - 1)
}
