/** One rendered message for one device, on its way through the queue. Everything in it is sealed at rest. */
import type { Message } from './message.ts'
import type { Secret } from './secret.ts'
import type { TraceContext } from './trace.ts'

/** Calls go first, then events, then badge updates. */
export type Priority = 'call' | 'event' | 'counts'

export interface Delivery {
  /** Random: names this delivery, nothing else. */
  readonly id: string
  /** Name of the route: an app and its push service (core/route.ts). */
  readonly route: string
  readonly priority: Priority
  /** What the sender needs to reach the device: the pushkey, or what the push service made of it and of the pusher's data. */
  readonly target: Secret
  /** When the pusher was registered, in seconds of the homeserver's clock; absent from some homeservers. */
  readonly pushkeyTs?: number | undefined
  readonly message: Message
  /** Keyed hash of the app_id and the target: what the memory of dead pushkeys knows of the device. */
  readonly deviceHash: string
  /** Keyed hash of (app_id, target, pusher data, event_id); absent where the same push may come twice on purpose. */
  readonly deduplicationKey?: string | undefined
  /** A later stored delivery with the same key makes this one pointless: an older badge, or a wake-up that leaves together with others. */
  readonly latestKey?: string | undefined
  /** Sent although its pushkey is held (or suspected) to be dead, to learn whether it is. */
  readonly probesDead?: boolean | undefined
  readonly acceptedAtMs: number
  /** Not handed out before; absent: at once. Only said when it is stored. */
  readonly dueAtMs?: number | undefined
  /** The `latestKey` of others that this one makes pointless if they were stored before. Only said when it is stored. */
  readonly outdates?: readonly string[] | undefined
  readonly expiresAtMs: number
  /** To a device of the operator's own, to see whether it arrives. */
  readonly canary?: true | undefined
  /** The trace that it belongs to; absent where it is not traced. */
  readonly trace?: TraceContext | undefined
}

/** An event is kept for the operator; an old badge or an old ring is of no use to anybody, and must not be sent after newer ones. */
export function isKeptWhenExpired({ priority }: Pick<Delivery, 'priority'>): boolean {
  return priority === 'event'
}
