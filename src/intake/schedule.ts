/** When a push that has come in may leave, where its app wants that to be later (`coalesce`, `release_every`). */
import type { Device, Notification } from '../core/notification.ts'
import { isCall, isTestPush } from '../core/privacy-policy.ts'
import type { Push } from '../core/push.ts'
import { nextRelease, type Timing } from '../core/timing.ts'

/** Keyed hash of the parts, for this purpose. */
export type Hash = (purpose: string, ...parts: readonly string[]) => string

export interface DeparturePorts {
  readonly hash: Hash
  /** When a wake-up of this registration leaves, and from then on is remembered to leave. Never rejects. */
  readonly planWakeUp: (key: string, nowMs: number, windowMs: number) => Promise<number>
  /** When the latest of this registration leaves or left, as far as is known. Never rejects. */
  readonly plannedWakeUpMs: (key: string) => Promise<number | undefined>
}

export interface Departure {
  /** Undefined: at once. */
  readonly dueAtMs?: number | undefined
  /** The push service may be told of this time, but not of when the push came. */
  readonly shownAtMs: number
  /** Of all with the same one, the last that was stored is sent. */
  readonly latestKey?: string | undefined
  /** The `latestKey` of what waits and needs not be sent any more. */
  readonly outdates?: string | undefined
}

interface Recipient {
  /** The app's configured name. */
  readonly app: string
  readonly device: Pick<Device, 'appId' | 'data' | 'pushkeyTs'>
  readonly target: string
  /** Keyed hash of the device. */
  readonly deviceName: string
}

/** A badge update leaves a little after the pushes of its time, so that its number, which is newer, arrives later. */
const BEHIND_MS = 250

/** What of an app's timing concerns this push: nothing, for a call and the apps' test push. */
export function timingFor(push: Push, notification: Notification, timing: Timing): Timing {
  if (isCall(notification) || isTestPush(notification)) return {}
  // One is as good as the next where there is nothing in it but the badge, of which the latest counts.
  const isBare = push.detail === 'minimal' && push.sealed === undefined && push.encrypted === undefined
  return isBare ? timing : { releaseEveryMs: timing.releaseEveryMs }
}

export async function departureOf(
  push: Push,
  { coalesceMs, releaseEveryMs }: Timing,
  recipient: Recipient,
  nowMs: number,
  ports: DeparturePorts,
): Promise<Departure> {
  const { atMs: readyAtMs, ...keys } =
    coalesceMs === undefined ? { atMs: nowMs } : await coalesced(push, recipient, coalesceMs, nowMs, ports)
  const behindMs = push.kind === 'counts' ? BEHIND_MS : 0
  if (releaseEveryMs === undefined)
    return { dueAtMs: readyAtMs > nowMs ? readyAtMs + behindMs : undefined, shownAtMs: readyAtMs, ...keys }
  const { tickMs } = nextRelease(readyAtMs, releaseEveryMs, 0)
  // By the device, so that devices are shuffled anew at each tick, but what one of them gets (badges!) stays in its order.
  const random = fractionOf(ports.hash('release', recipient.deviceName, String(tickMs)))
  const { atMs } = nextRelease(readyAtMs, releaseEveryMs, random)
  return { dueAtMs: atMs + behindMs, shownAtMs: tickMs, ...keys }
}

interface Ready extends Pick<Departure, 'latestKey' | 'outdates'> {
  readonly atMs: number
}

/** Per registration, as two accounts on one phone each have their own; and per priority, as a silent one is no substitute for one that rings. */
async function coalesced(
  { kind, prio }: Push,
  { app, device, target }: Recipient,
  windowMs: number,
  nowMs: number,
  { hash, planWakeUp, plannedWakeUpMs }: DeparturePorts,
): Promise<Ready> {
  const keyOf = (priority: Push['prio']): string => wakeHash(app, device, target, priority, hash)
  // Not for one registered at another time, which may be dead while this one is not (memory/tombstone.ts).
  const latestKeyOf = (priority: Push['prio'], atMs: number): string =>
    hash('wake', keyOf(priority), String(atMs), String(device.pushkeyTs))
  // Never longer than the window, like all that is planned (core/timing.ts).
  const waitedFor = (plannedMs = nowMs): number => Math.min(Math.max(plannedMs, nowMs), nowMs + windowMs)
  if (kind === 'counts') {
    // Not before a wake-up that waits: its badge is older, and must not be the one that stays.
    const planned = await Promise.all((['high', 'low'] as const).map((priority) => plannedWakeUpMs(keyOf(priority))))
    return { atMs: Math.max(...planned.map(waitedFor)) }
  }
  const [plannedMs, otherMs] = await Promise.all([
    planWakeUp(keyOf(prio), nowMs, windowMs),
    plannedWakeUpMs(keyOf(prio === 'high' ? 'low' : 'high')),
  ])
  // A silent one waits for one that rings, which in its turn is as good as the silent one: so here, too, the newer badge stays.
  const atMs = prio === 'low' ? Math.max(plannedMs, waitedFor(otherMs)) : plannedMs
  return {
    atMs,
    latestKey: atMs > nowMs ? latestKeyOf(prio, atMs) : undefined,
    outdates: prio === 'high' && otherMs !== undefined && otherMs > atMs ? latestKeyOf('low', otherMs) : undefined,
  }
}

/** With the app's configured name, like `latestHash`: what waits under another name is not handed out, and must not stand for what is. */
export function wakeHash(
  app: string,
  { appId, data }: Pick<Device, 'appId' | 'data'>,
  target: string,
  prio: Push['prio'],
  hash: Hash,
): string {
  return hash('wake', app, appId, target, JSON.stringify(data), prio)
}

/** In [0, 1), of the first 32 bits of a hash. */
function fractionOf(hash: string): number {
  return Buffer.from(hash, 'base64url').readUInt32BE() / 2 ** 32
}
