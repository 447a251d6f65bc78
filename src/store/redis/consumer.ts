/** The consumer of one route: hands out what is fetched from its shards, as far as its gate and its free slots allow, and applies the dispositions. */
import { waitAtMost } from '../../core/time-limit.ts'
import {
  HANDLER_FAILURE_DELAY_MS,
  FIRST_STALL_PAUSE_MS,
  MAX_STALLS,
  MAX_STALLS_ALONE,
  MAX_STALLS_OF_BATCH,
  type Consumer,
  type Disposition,
  type GateState,
  type Handler,
} from '../contract.ts'
import { dispositionOfUnreadable, UNREADABLE_DELAY_MS } from '../expiry.ts'
import { Allowance } from './allowance.ts'
import { applyDispositions, moveToDeadLetters, splitJob, type DispositionParts } from './apply-dispositions.ts'
import { deadLetterOf, deadLetterOfJob } from './dead-letter.ts'
import type { FetchedJob } from './fetched-job.ts'
import type { FreshDeliveries } from './fresh-deliveries.ts'
import { openRecord, type JobItem } from './job.ts'
import { Parking } from './parking.ts'
import type { Shard } from './shard.ts'
import { Source, type SourceOptions } from './source.ts'

export interface ConsumerOptions
  extends
    Pick<DispositionParts, 'keyring' | 'nowMs'>,
    Pick<SourceOptions, 'lockMs' | 'createWorker' | 'onReleased' | 'onFetchFailed'> {
  readonly route: string
  readonly concurrency: number
  readonly handler: Handler
  /** How dispositions are applied to what lies in a shard. */
  readonly dispositionParts: (shard: Shard) => Omit<DispositionParts, 'onParked'>
  readonly fresh: FreshDeliveries
  readonly onUnreadable: () => void
  readonly onBug: (error: unknown) => void
  readonly onStopped: () => void
}

/** So long may handlers take that were told to abort. */
const ABORT_GRACE_MS = 500

const HOLD: Disposition = { kind: 'hold' }

export class RedisConsumer implements Consumer {
  readonly #options: ConsumerOptions
  readonly #allowance: Allowance
  readonly #sources = new Map<string, Source>()
  readonly #running = new Map<FetchedJob, Promise<void>>()
  readonly #parking = new Parking((shardId, jobIds) => void this.#sources.get(shardId)?.promote(jobIds))
  /** Aborts the handlers when the grace is over. */
  readonly #abort = new AbortController()
  #stopped: Promise<void> | undefined
  /** How often the gate was set from outside. */
  #gateTurn = 0

  constructor(options: ConsumerOptions) {
    this.#options = options
    this.#allowance = new Allowance(options.concurrency)
  }

  get route(): string {
    return this.#options.route
  }

  setGate(state: GateState): void {
    this.#gateTurn += 1
    this.#allowance.setGate(state)
  }

  /** Fetches also from this shard, if it is not one of its own yet. `until`: nothing before. */
  addShard(shard: Shard, until?: Promise<unknown>): void {
    if (this.#sources.has(shard.id) || this.#allowance.isStopping) return
    const { lockMs, nowMs, createWorker, onReleased, onFetchFailed } = this.#options
    const source = new Source({
      shard,
      allowance: this.#allowance,
      lockMs,
      nowMs,
      createWorker,
      onReleased,
      onFetchFailed,
      until,
      shardCount: () => this.#sources.size,
      slotsOf: (job) => this.#slotsOf(job),
      onJob: (job) => this.#start(job, shard),
    })
    this.#sources.set(shard.id, source)
  }

  get shards(): readonly Shard[] {
    return [...this.#sources.values()].map(({ shard }) => shard)
  }

  /**
   * Something in the shard may be fetched from this time on (epoch ms); undefined: now. False when others should know, too: it is not one of its shards, nothing
   * may be handed out, or much is in flight.
   */
  wake(shardId: string, dueAtMs?: number): boolean {
    const source = this.#sources.get(shardId)
    if (source === undefined) return false
    if (dueAtMs === undefined) source.wake()
    else source.wakeAt(dueAtMs)
    return this.#allowance.needsNoHelp
  }

  /** What processes left behind that died is looked for, and all else that nobody told of. */
  async recover(shardId: string): Promise<void> {
    await this.#sources.get(shardId)?.recover()
  }

  release(group?: string): void {
    this.#parking.release(group)
  }

  stop(graceMs: number): Promise<void> {
    this.#stopped ??= this.#stop(graceMs)
    return this.#stopped
  }

  /** A job of more deliveries than may be in flight takes all slots, and is handed out in slices. One with which processes died takes them to be alone. */
  #slotsOf({ record, stalls }: FetchedJob): number {
    const { concurrency } = this.#options
    return stalls >= MAX_STALLS ? concurrency : Math.min(record?.count ?? 1, concurrency)
  }

  #start(job: FetchedJob, shard: Shard): void {
    const slots = this.#slotsOf(job)
    const probe = this.#allowance.gate === 'one' ? this.#gateTurn : undefined
    if (probe !== undefined) this.#allowance.setGate('closed')
    this.#allowance.take(slots)
    const { park: onParked, end } = this.#parking.begin(shard, job.id)
    const running = this.#run(job, { ...this.#options.dispositionParts(shard), onParked }, probe).finally(() => {
      end()
      this.#allowance.giveBack(slots)
      this.#running.delete(job)
    })
    this.#running.set(job, running)
  }

  /** `probe`: the turn of the gate for which it is the one that is handed out; undefined where it is not. */
  async #run(job: FetchedJob, parts: DispositionParts, probe: number | undefined): Promise<void> {
    const { keyring, route, fresh } = this.#options
    try {
      if (job.isFollowed && (await isStillFollowed(job, parts))) {
        await job.complete()
        return this.#probeAgain(probe)
      }
      const items = openRecord(keyring, route, job.id, job.record, fresh.takeKept(job.record?.sealed))
      if (items !== undefined && mayBeHandedOut(job, items.length))
        await applyDispositions(parts, job, items, await this.#handOut(items, job.lost, probe !== undefined))
      else {
        await (items === undefined ? this.#keepUnreadable(job, parts) : this.#putAside(job, parts, items))
        this.#probeAgain(probe)
      }
    } catch (error) {
      this.#options.onBug(error)
      await job.delay(HANDLER_FAILURE_DELAY_MS)
    }
  }

  /** The handler was given nothing, so the next job is the probe. */
  #probeAgain(probe: number | undefined): void {
    // Meanwhile an operator may have paused the route.
    if (probe === this.#gateTurn && this.#allowance.gate === 'closed') this.#allowance.setGate('one')
  }

  async #handOut(items: readonly JobItem[], lost: AbortSignal, isProbe: boolean): Promise<readonly Disposition[]> {
    const { handler, concurrency } = this.#options
    const signal = AbortSignal.any([lost, this.#abort.signal])
    const dispositions: Disposition[] = []
    while (dispositions.length < items.length) {
      const isFirst = dispositions.length === 0
      if (!isFirst && (this.#allowance.isStopping || this.#allowance.gate !== 'open')) dispositions.push(HOLD)
      else {
        const start = dispositions.length
        const slice = items.slice(start, start + (isFirst && isProbe ? 1 : concurrency))
        dispositions.push(...(await Promise.all(slice.map((item) => handler(item, signal)))))
      }
    }
    return dispositions
  }

  /** Too many processes have died with it. */
  #putAside(job: FetchedJob, parts: DispositionParts, items: readonly JobItem[]): Promise<void> {
    const [only] = items
    if (items.length > 1 || only === undefined) return splitJob(parts, job, items)
    const stallsAlone = job.stalls - MAX_STALLS
    return stallsAlone < MAX_STALLS_ALONE
      ? job.putAside(FIRST_STALL_PAUSE_MS * 2 ** stallsAlone)
      : moveToDeadLetters(parts, job, deadLetterOf(parts.keyring, only, 'stalled'))
  }

  async #keepUnreadable(job: FetchedJob, parts: DispositionParts): Promise<void> {
    const { onUnreadable, nowMs } = this.#options
    onUnreadable()
    const { id, record } = job
    const disposition = dispositionOfUnreadable(record?.expiresAtMs ?? Infinity, nowMs())
    if (record !== undefined && disposition.kind === 'dead-letter')
      await moveToDeadLetters(parts, job, deadLetterOfJob(id, record, disposition.reason))
    else await job.delay(UNREADABLE_DELAY_MS)
  }

  async #stop(graceMs: number): Promise<void> {
    this.#allowance.stop()
    const sources = [...this.#sources.values()]
    const fetching = sources.map((source) => source.stop())
    await this.#waitForRunning(graceMs)
    if (this.#running.size > 0) {
      this.#abort.abort()
      await this.#waitForRunning(ABORT_GRACE_MS)
    }
    const released = [...this.#running.keys()].map((job) => job.release())
    await waitAtMost(ABORT_GRACE_MS, Promise.all([...fetching, ...released]))
    await Promise.all(sources.map((source) => source.close()))
    this.#options.onStopped()
  }

  #waitForRunning(limitMs: number): Promise<void> {
    return waitAtMost(limitMs, Promise.all(this.#running.values()))
  }
}

/** A process stored what follows it, and died, or went, before it removed it. False where that is lost; true also where the lock is: then it is for another process to see. */
async function isStillFollowed(job: FetchedJob, { isFollowed }: DispositionParts): Promise<boolean> {
  return (await job.retryUntilStored(() => isFollowed(job.id))) !== false
}

/** A single delivery with which too many processes died is put aside once after each. */
function mayBeHandedOut({ stalls, record }: FetchedJob, count: number): boolean {
  return count > 1 ? stalls < MAX_STALLS_OF_BATCH : stalls < MAX_STALLS || record?.putAsideAfter === stalls
}
