/**
 * Every keyed hash by which a device or a push is recognised again, with what it is made of: so what can be linked, and by whom. None can be turned
 * back, and nobody without the key file can compute one. A push service gets the push ID and the collapse IDs, the log 8 digits of the device; the rest
 * stays in the store, or is used at once and forgotten. A purpose (the first word of each hash) is never renamed: what is stored is found by it.
 */
import { hash as hashOf } from 'node:crypto'
import type { JsonObject } from './json.ts'
import type { Keyring } from './keyring.ts'
import type { Counts } from './push.ts'

/** A device as a pusher names it, on one route. */
export interface Recipient {
  /** Name of the route. */
  readonly route: string
  readonly appId: string
  /** What the sender needs to reach the device: the pushkey, or what the push service made of it and of the pusher's data. */
  readonly target: string
  /** The pusher's data: two accounts on one phone have one pushkey, and mostly data of their own. */
  readonly data: JsonObject
}

/** Counts-only pushes replace each other per pushkey, or per pushkey and pusher data. */
export type CountsPer = 'pushkey' | 'pusher'

/** The alphabet and length that every push service takes (RFC 8030 §5.4 is the strictest). */
const COLLAPSE_ID_CHARACTERS = 32
const COLLAPSE_ID_BYTES = 24
const UUID_BYTES = 16
const HOUR_MS = 3600_000
const DAY_MS = 24 * HOUR_MS
/** Homeservers that get no answer try again after seconds, then ever less often (docs/facts/homeservers.md#what-an-answer-does). */
const REPEAT_MS = 10 * 60_000

export class Identities {
  readonly #keyring: Pick<Keyring, 'hash' | 'derive'>
  #hourKey: { readonly hour: number; readonly key: string } | undefined
  readonly #dayKeys = new Map<number, string>()

  constructor(keyring: Pick<Keyring, 'hash' | 'derive'>) {
    this.#keyring = keyring
  }

  /** The device: dead pushkeys, the log's 8 digits, `forget`. Of the whole target: who knows only a part of it cannot have it called dead. */
  device({ appId, target }: Pick<Recipient, 'appId' | 'target'>): string {
    return this.#hash('device', appId, target)
  }

  /** The device as it was registered at that time. Of the device too, so that equal times of two devices do not show. */
  registration(deviceHash: string, pushkeyTs: number): string {
    return this.#hash('registration', deviceHash, String(pushkeyTs))
  }

  /** What is remembered of the device's death, so that nobody without the key file can make it up. */
  death(deviceHash: string, text: string): string {
    return this.#hash('death', deviceHash, text)
  }

  /** The event on the device: one push for it (deduplication). */
  event({ appId, target, data }: Recipient, eventId: string): string {
    return this.#hash('event', appId, target, JSON.stringify(data), eventId)
  }

  /** What the push service gets of an event: the same for each attempt, and for the same event posted twice. Two pieces of one hash have nothing in common. */
  push(deduplicationKey: string): PushIds {
    const bytes = this.#keyring.derive('push', deduplicationKey)
    return {
      id: uuidOf(bytes),
      collapseId: bytes.toString('base64url', UUID_BYTES, UUID_BYTES + COLLAPSE_ID_BYTES),
    }
  }

  /** What the push service gets to let a push take the place of another, of something that is itself a hash. */
  collapse(name: string): string {
    return this.#hash('collapse', name).slice(0, COLLAPSE_ID_CHARACTERS)
  }

  /** The same for a room. Of the target too: a push service that knows a room must not find it on other devices (docs/facts/peers.md#topic-of-a-room). */
  roomCollapse({ appId, target }: Recipient, roomId: string): string {
    return this.collapse(this.#hash('room', appId, target, roomId))
  }

  /** A Web Push message that is relayed to the device: the same bytes are the same message, as each is encrypted anew. */
  relayed({ appId, target }: Pick<Recipient, 'appId' | 'target'>, record: string): string {
    return this.#hash('relayed-message', appId, target, record)
  }

  /** What its sender calls its topic, of which the last is sent: of one registration, so that nobody finds a topic on other devices. */
  relayedTopic(
    { route, appId, target }: Pick<Recipient, 'route' | 'appId' | 'target'>,
    registration: string,
    topic: string,
  ): string {
    return this.#hash('relayed-topic', route, appId, target, registration, topic)
  }

  /** What its sender gets as the name of the message: of another purpose than what the push service gets, so that the two cannot compare them. */
  relayedLocation(deduplicationKey: string): string {
    return this.#hash('relayed-location', deduplicationKey)
  }

  /** The endpoints of a device for one sender (its key of RFC 8292), of which some were revoked. */
  revoked(deviceHash: string, vapidKey: string): string {
    return this.#hash('revoked-endpoints', deviceHash, vapidKey)
  }

  /** What is remembered of that, so that nobody without the key file can make it up: homeservers delete pushers by it. */
  revocation(revokedHash: string, text: string): string {
    return this.#hash('revocation', revokedHash, text)
  }

  /** The device's badge: only the latest is sent. With the route's name: each has an order of its own. */
  badge({ route, appId, target, data }: Recipient, countsPer: CountsPer): string {
    return this.#hash('latest', route, appId, target, countsPer === 'pusher' ? JSON.stringify(data) : '')
  }

  /**
   * Counts that were told to the device whose badge that is: what a homeserver repeats, because it got no answer, is the same push, and so is what it says again
   * in the same ten minutes.
   */
  counts(badgeHash: string, { unread, missedCalls }: Counts, nowMs: number): string {
    return this.#hash('counts', badgeHash, String(unread), String(missedCalls), String(Math.floor(nowMs / REPEAT_MS)))
  }

  /** When the next wake-up of a registration leaves (`coalesce`). With the route's name: what waits under another is not handed out. */
  wakeUp({ route, appId, target, data }: Recipient, prio: 'high' | 'low'): string {
    return this.#hash('wake', route, appId, target, JSON.stringify(data), prio)
  }

  /** Wake-ups that leave together: only the latest is sent. Not with one registered at another time, which may be dead while this one is not. */
  trailingWakeUp(wakeUpHash: string, atMs: number, pushkeyTs: number | undefined): string {
    return this.#hash('trailing-wake', wakeUpHash, String(atMs), String(pushkeyTs))
  }

  /** Where in the time after a tick the device's pushes leave, in [0, 1): shuffled anew at each tick, while what one device gets keeps its order. */
  releaseFraction(deviceHash: string, tickMs: number): number {
    return Buffer.from(this.#hash('release', deviceHash, String(tickMs)), 'base64url').readUInt32BE() / 2 ** 32
  }

  /**
   * The device as the rejection guard counts it. Another each hour: Redis' append-only file would else hold when each device was sent something. By a key of
   * the hour, as a hash of key and device is enough where both have a fixed length, and costs a third of an HMAC.
   */
  counted(deviceHash: string, nowMs: number): string {
    const hour = Math.floor(nowMs / HOUR_MS)
    if (this.#hourKey?.hour !== hour) this.#hourKey = { hour, key: this.#hash('breaker', String(hour)) }
    return hashOf('sha256', `${this.#hourKey.key}${deviceHash}`, 'base64url')
  }

  /**
   * What is kept of the last push to the device. Of a purpose of its own, so that it leads to none of the other hashes; and another each day, as Redis'
   * append-only file holds each time that it is written. Made as `counted` is.
   */
  receipt(deviceHash: string, atMs: number): string {
    const day = Math.floor(atMs / DAY_MS)
    let key = this.#dayKeys.get(day)
    if (key === undefined) {
      key = this.#hash('receipt', String(day))
      // Two days are asked for.
      if (this.#dayKeys.size > 2) this.#dayKeys.clear()
      this.#dayKeys.set(day, key)
    }
    return hashOf('sha256', `${key}${deviceHash}`, 'base64url')
  }

  /** A push as the log names it at level debug: of the random id of its delivery, which stands in the store beside the hash of its event. */
  logged(deliveryId: string): string {
    return shortHash(this.#hash('logged', deliveryId))
  }

  #hash(purpose: string, ...parts: readonly string[]): string {
    return this.#keyring.hash(purpose, ...parts)
  }

  /** Everything that can be looked up of a device without knowing its events: what `forget` removes. */
  ofDevice(recipient: Recipient, countsPer: CountsPer): DeviceIdentities {
    return {
      device: this.device(recipient),
      badge: this.badge(recipient, countsPer),
      wakeUps: (['high', 'low'] as const).map((prio) => this.wakeUp(recipient, prio)),
    }
  }
}

export interface PushIds {
  /** A UUID. */
  readonly id: string
  readonly collapseId: string
}

export interface DeviceIdentities {
  readonly device: string
  readonly badge: string
  readonly wakeUps: readonly string[]
}

/** 8 hex digits of a keyed hash: all that the log shows of a device. */
export function shortHash(hash: string): string {
  return Buffer.from(hash, 'base64url').toString('hex', 0, 4)
}

/** A version 8 UUID (RFC 9562 §5.8) of the first 16 bytes. */
function uuidOf(bytes: Buffer): string {
  const hex = bytes.toString('hex', 0, 16)
  const variant = ((bytes.readUInt8(8) & 0x3f) | 0x80).toString(16)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-8${hex.slice(13, 16)}-${variant}${hex.slice(18, 20)}-${hex.slice(20)}`
}
