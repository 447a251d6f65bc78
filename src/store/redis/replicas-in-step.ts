/**
 * How many replicas have to confirm a write where the operator does not say it: all that are in step with its master, and at least one. So whichever replica takes
 * over has what was accepted (docs/decisions.md#all-replicas-that-are-in-step-confirm). Masters have the names of connection.ts.
 */
import { fieldOf } from './info.ts'

/**
 * A replica that went counts for so long. It may be about to take over: in a planned failover the old master goes on to take writes, for about ten seconds at most
 * (redis/src/sentinel.c: four times SENTINEL_PUBLISH_PERIOD). After that it is behind those that stayed, and Sentinel chooses the one that has most.
 */
export const GONE_COUNTS_MS = 30_000
/**
 * After the restart of a master its replicas count for so long, unless they are there before: until a replica has fetched everything anew it says how much it had of
 * the master from before, which can look like more than the others have.
 */
export const RESTART_COUNTS_MS = 5 * 60_000
/** A replica that has not confirmed anything for longer is not in step; each does once a second. */
const LONGEST_LAG_SECONDS = 5

interface Seen {
  /** Redis' name for the sequence of writes that the replicas follow. */
  readonly history: string
  /** For each number of replicas in step when (steady, ms) there were so many last. */
  readonly lastAtMs: Map<number, number>
  /** How many there were before the master was started again, and until when they count. */
  readonly before: { readonly count: number; readonly untilMs: number } | undefined
}

export class ReplicasInStep {
  readonly #masters = new Map<string, Seen>()

  /** `steadyMs`: now, on a clock that never leaps. */
  acksFor(master: string, steadyMs: number): number {
    const seen = this.#masters.get(master)
    if (seen === undefined) return 1
    const recent = [...seen.lastAtMs].flatMap(([count, atMs]) => (steadyMs - atMs <= GONE_COUNTS_MS ? [count] : []))
    const { count = 0, untilMs = 0 } = seen.before ?? {}
    return Math.max(1, ...recent, steadyMs < untilMs ? count : 0)
  }

  /** `info`: what the master says of its replicas (INFO replication); undefined where it does not tell. */
  told(master: string, info: string | undefined, steadyMs: number): void {
    const history = fieldOf(info, 'master_replid')
    // While it is a replica, which takes no writes, it says nothing about those of others.
    if (history === undefined || fieldOf(info, 'role') !== 'master') return
    const count = countIn(info)
    const known = this.#masters.get(master)
    const seen = known?.history === history ? known : this.#begin(master, history, info, steadyMs)
    seen.lastAtMs.set(count, steadyMs)
    if (seen.before !== undefined && count >= seen.before.count)
      this.#masters.set(master, { ...seen, before: undefined })
  }

  /** Only these are masters. */
  keep(masters: ReadonlySet<string> | ReadonlyMap<string, unknown>): void {
    for (const master of this.#masters.keys()) if (!masters.has(master)) this.#masters.delete(master)
  }

  /** A replica that took over goes on with the history of its master, and says so; what counted for that one does not count any more. */
  #begin(master: string, history: string, info: string | undefined, steadyMs: number): Seen {
    const known = this.#masters.get(master)
    const isNewMaster = known === undefined || fieldOf(info, 'master_replid2') === known.history
    const before = isNewMaster
      ? undefined
      : { count: this.acksFor(master, steadyMs), untilMs: steadyMs + RESTART_COUNTS_MS }
    const seen = { history, lastAtMs: new Map<number, number>(), before }
    this.#masters.set(master, seen)
    return seen
  }
}

function countIn(info: string | undefined): number {
  const replicas = info?.match(/^slave\d+:.*$/gm) ?? []
  return replicas.filter(
    (line) => line.includes(',state=online') && Number(/,lag=(\d+)/.exec(line)?.[1]) <= LONGEST_LAG_SECONDS,
  ).length
}
