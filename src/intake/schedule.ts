/** When a push that has come in may leave, where its app wants that to be later (`coalesce`, `release_every`). */
import { isCall } from '../core/call.ts'
import type { Identities, Recipient } from '../core/identities.ts'
import type { Notification } from '../core/notification.ts'
import { isTestPush } from '../core/privacy-policy.ts'
import type { Push } from '../core/push.ts'
import { nextRelease, type Timing } from '../core/timing.ts'
import type { WakeUps } from '../memory/wake-ups.ts'

export interface Schedule {
  /** Undefined: at once. */
  readonly dueAtMs?: number | undefined
  /** The push service may be told of this time, but not of when the push came. */
  readonly shownAtMs: number
  /** Of all deliveries with the same one, the last that was stored is sent. */
  readonly latestKey?: string | undefined
  /** The `latestKey` of deliveries that wait and need not be sent any more. */
  readonly outdates?: string | undefined
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

/** A push on its way to a device. */
export interface Departing {
  readonly push: Push
  /** What concerns this push (`timingFor`). */
  readonly timing: Timing
  readonly recipient: Recipient
  readonly deviceHash: string
  readonly pushkeyTs: number | undefined
}

/** When what is ready then leaves, of an app whose pushes leave together, and the time that may be told. */
export function releaseOf(
  deviceHash: string,
  readyAtMs: number,
  releaseEveryMs: number,
  identities: Pick<Identities, 'releaseFraction'>,
): { readonly atMs: number; readonly tickMs: number } {
  const { tickMs } = nextRelease(readyAtMs, releaseEveryMs, 0)
  const { atMs } = nextRelease(readyAtMs, releaseEveryMs, identities.releaseFraction(deviceHash, tickMs))
  return { atMs, tickMs }
}

export class Scheduler {
  readonly #wakeUps: WakeUps
  readonly #identities: Identities

  constructor(wakeUps: WakeUps, identities: Identities) {
    this.#wakeUps = wakeUps
    this.#identities = identities
  }

  /** Never rejects. */
  async schedule(departing: Departing, nowMs: number): Promise<Schedule> {
    const { push, timing, deviceHash } = departing
    const { coalesceMs, releaseEveryMs } = timing
    const { atMs: readyAtMs, ...keys } =
      coalesceMs === undefined ? { atMs: nowMs } : await this.#coalesce(departing, coalesceMs, nowMs)
    const behindMs = push.kind === 'counts' ? BEHIND_MS : 0
    if (releaseEveryMs === undefined)
      return { dueAtMs: readyAtMs > nowMs ? readyAtMs + behindMs : undefined, shownAtMs: readyAtMs, ...keys }
    const { atMs, tickMs } = releaseOf(deviceHash, readyAtMs, releaseEveryMs, this.#identities)
    return { dueAtMs: atMs + behindMs, shownAtMs: tickMs, ...keys }
  }

  /** Per registration, as two accounts on one phone each have their own; and per priority, as a silent one is no substitute for one that rings. */
  async #coalesce(
    { push: { kind, prio }, recipient, deviceHash, pushkeyTs }: Departing,
    windowMs: number,
    nowMs: number,
  ): Promise<Pick<Schedule, 'latestKey' | 'outdates'> & { readonly atMs: number }> {
    const owner = { route: recipient.route, deviceHash }
    const keyOf = (priority: Push['prio']): string => this.#identities.wakeUp(recipient, priority)
    const latestKeyOf = (priority: Push['prio'], atMs: number): string =>
      this.#identities.trailingWakeUp(keyOf(priority), atMs, pushkeyTs)
    // Never longer than the window, like all that is planned (core/timing.ts).
    const waitedFor = (plannedMs = nowMs): number => Math.min(Math.max(plannedMs, nowMs), nowMs + windowMs)
    if (kind === 'counts') {
      // Not before a wake-up that waits: its badge is older, and must not be the one that stays.
      const planned = await Promise.all(
        (['high', 'low'] as const).map((priority) => this.#wakeUps.plannedMs(owner, keyOf(priority))),
      )
      return { atMs: Math.max(...planned.map(waitedFor)) }
    }
    const [plannedMs, otherMs] = await Promise.all([
      this.#wakeUps.plan(owner, keyOf(prio), nowMs, windowMs),
      this.#wakeUps.plannedMs(owner, keyOf(prio === 'high' ? 'low' : 'high')),
    ])
    // A silent one waits for one that rings, which in its turn is as good as the silent one: so here, too, the newer badge stays.
    const atMs = prio === 'low' ? Math.max(plannedMs, waitedFor(otherMs)) : plannedMs
    return {
      atMs,
      latestKey: atMs > nowMs ? latestKeyOf(prio, atMs) : undefined,
      outdates: prio === 'high' && otherMs !== undefined && otherMs > atMs ? latestKeyOf('low', otherMs) : undefined,
    }
  }
}
