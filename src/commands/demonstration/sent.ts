/** What was sent to the demonstration's devices and not yet seen: a push of the least privacy names no event, so what it belongs to is found by comparing. */
import { isJsonObject, type JsonObject } from '../../core/json.ts'
import { compare, type ComparedField, type Seen } from './comparison.ts'

interface Sent {
  readonly id: number
  readonly notification: JsonObject
}

/** Some are never seen: FCM is told no badges. */
const MOST_REMEMBERED = 10

export class SentNotifications {
  readonly #devices: Readonly<Record<string, JsonObject>>
  readonly #unseen = new Map<string, Sent[]>()
  #lastId = 0

  /** The devices by who wakes them. */
  constructor(devices: Readonly<Record<string, JsonObject>>) {
    this.#devices = devices
  }

  /** Its number. */
  add(notification: JsonObject): number {
    const sent = { id: (this.#lastId += 1), notification }
    const { devices } = notification
    const pushkeys = Array.isArray(devices) ? devices.map((each) => isJsonObject(each) && each['pushkey']) : []
    for (const [who, { pushkey = null }] of Object.entries(this.#devices))
      if (pushkeys.includes(pushkey))
        this.#unseen.set(who, [sent, ...(this.#unseen.get(who) ?? [])].slice(0, MOST_REMEMBERED))
    return sent.id
  }

  /** The one of which most was seen, or else the latest; it is not looked for again. Undefined: it did not come by here. */
  match(seen: Seen): { readonly id: number; readonly compared: readonly ComparedField[] } | undefined {
    const unseen = this.#unseen.get(seen.who) ?? []
    const candidates = unseen.map(({ id, notification }) => ({ id, compared: compare(notification, seen) }))
    const found = ({ compared }: (typeof candidates)[number]): number =>
      compared.filter(({ seenAs }) => seenAs !== undefined).length
    const [best] = candidates.toSorted((one, other) => found(other) - found(one))
    this.#unseen.set(
      seen.who,
      unseen.filter(({ id }) => id !== best?.id),
    )
    return best
  }
}
