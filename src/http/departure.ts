/** When a push that has come in may leave, where its app wants that to be later (`coalesce`, `release_every`). */
import type { Device } from '../core/notification.ts'
import type { Push } from '../core/push.ts'
import { nextRelease, type Timing, type WakeUp } from '../core/release.ts'

/** Keyed hash of the parts, for this purpose. */
export type Hash = (purpose: string, ...parts: readonly string[]) => string

export interface DeparturePorts {
  readonly hash: Hash
  /** When a wake-up of this registration leaves, and from then on is remembered to leave. Never rejects. */
  readonly planWakeUp: (key: string, nowMs: number, windowMs: number) => Promise<WakeUp>
}

export interface Departure {
  /** Undefined: at once. */
  readonly dueAtMs?: number | undefined
  /** The push service may be told of this time, but not of when the push came. */
  readonly shownAtMs: number
  /** Of all with the same one, the last that was stored is sent. */
  readonly latestKey?: string | undefined
}

interface Recipient {
  readonly device: Pick<Device, 'appId' | 'data'>
  readonly target: string
  /** Keyed hash of the device. */
  readonly name: string
  readonly timing: Timing
}

/** For everything but calls and the apps' test push. */
export async function departureOf(
  push: Push,
  recipient: Recipient,
  nowMs: number,
  ports: DeparturePorts,
): Promise<Departure> {
  const { coalesceMs, releaseEveryMs } = recipient.timing
  const departure =
    coalesceMs === undefined || !isWakeUp(push)
      ? { shownAtMs: nowMs }
      : await coalesced(push, recipient, coalesceMs, nowMs, ports)
  if (releaseEveryMs === undefined) return departure
  const { tickMs } = nextRelease(departure.shownAtMs, releaseEveryMs, 0)
  // By the device, so that devices are shuffled anew at each tick, but what one of them gets (badges!) stays in its order.
  const random = fractionOf(ports.hash('release', recipient.name, String(tickMs)))
  return { ...departure, dueAtMs: nextRelease(departure.shownAtMs, releaseEveryMs, random).atMs, shownAtMs: tickMs }
}

/** One is as good as the next: there is nothing in it but the badge, of which the latest counts. */
function isWakeUp(push: Push): boolean {
  const isMinimalEvent = push.detail === 'minimal' && push.kind === 'event'
  return isMinimalEvent && push.sealed === undefined && push.encrypted === undefined
}

/** Per registration, as two accounts on one phone each have their own; and per priority, as a silent one is no substitute for one that rings. */
async function coalesced(
  { prio }: Push,
  { device: { appId, data }, target }: Recipient,
  windowMs: number,
  nowMs: number,
  { hash, planWakeUp }: DeparturePorts,
): Promise<Departure> {
  const key = wakeHash({ appId, data }, target, prio, hash)
  const { atMs, isTrailing } = await planWakeUp(key, nowMs, windowMs)
  if (!isTrailing) return { shownAtMs: nowMs }
  return { dueAtMs: atMs, shownAtMs: atMs, latestKey: hash('wake', key, String(atMs)) }
}

export function wakeHash({ appId, data }: Recipient['device'], target: string, prio: Push['prio'], hash: Hash): string {
  return hash('wake', appId, target, JSON.stringify(data), prio)
}

/** In [0, 1), of the first 32 bits of a hash. */
function fractionOf(hash: string): number {
  return Buffer.from(hash, 'base64url').readUInt32BE() / 2 ** 32
}
