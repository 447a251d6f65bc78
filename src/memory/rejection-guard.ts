/**
 * Does not believe a push service that suddenly calls most of a route's pushkeys dead: then it is the topic, project or environment that is wrong, and
 * telling homeservers would unregister every user. Counted over all replicas; the tombstones of such a window are *suspected* until the operator
 * says, or until a delivery to that pushkey succeeds.
 */
import type { Memory } from '../store/contract.ts'

/** A time in which too many pushkeys were called dead; open while `untilMs` is absent. */
export interface SuspectedWindow {
  readonly sinceMs: number
  readonly untilMs?: number | undefined
  /** The operator said that these tombstones are wrong. */
  readonly isDiscarded?: boolean | undefined
}

const BUCKET_MS = 60_000
const BUCKETS = 5
const WINDOW_MS = BUCKETS * BUCKET_MS
const LEAST_REJECTED = 20
const GREATEST_SHARE = 0.5
const LIFETIME_MS = 30 * 24 * 3600_000

export class RejectionGuard {
  readonly #memory: Memory
  readonly #nowMs: () => number
  /** Told when the tombstones of a route become suspected, and when they are released. */
  readonly #onChange: (route: string, isSuspected: boolean) => void

  constructor(memory: Memory, nowMs: () => number, onChange: (route: string, isSuspected: boolean) => void) {
    this.#memory = memory
    this.#nowMs = nowMs
    this.#onChange = onChange
  }

  /** A push service gave a verdict about a device. `countedAs`: a keyed hash of it that stays the same for much longer than the window. */
  async record(route: string, countedAs: string, isRejected: boolean): Promise<void> {
    const owner = { route }
    const bucket = Math.floor(this.#nowMs() / BUCKET_MS)
    const attempted = this.#memory.addMember(
      owner,
      setName('attempted', route, bucket),
      countedAs,
      WINDOW_MS + BUCKET_MS,
    )
    if (!isRejected) return attempted
    await Promise.all([
      attempted,
      this.#memory.addMember(owner, setName('rejected', route, bucket), countedAs, WINDOW_MS + BUCKET_MS),
    ])
    return this.#evaluate(route, bucket)
  }

  async windows(route: string): Promise<readonly SuspectedWindow[]> {
    const text = await this.#memory.get({ route }, windowsKey(route))
    return text === undefined ? [] : decodeWindows(text)
  }

  /** The operator's word on a route's suspected tombstones: true, the pushkeys are dead; or wrong, forget them. Resolves with how many windows that were. */
  async release(route: string, verdict: 'confirm' | 'discard'): Promise<number> {
    const windows = await this.windows(route)
    const suspected = windows.filter(isSuspectedWindow)
    const kept =
      verdict === 'confirm'
        ? windows.filter((window) => window.isDiscarded === true)
        : windows.map((window) => ({ ...window, untilMs: window.untilMs ?? this.#nowMs(), isDiscarded: true }))
    await this.#write(route, kept)
    if (suspected.length > 0) this.#onChange(route, false)
    return suspected.length
  }

  async #evaluate(route: string, bucket: number): Promise<void> {
    const owner = { route }
    const buckets = Array.from({ length: BUCKETS }, (_, age) => bucket - age)
    const [rejected, attempted, windows] = await Promise.all([
      this.#memory.countMembers(
        owner,
        buckets.map((each) => setName('rejected', route, each)),
      ),
      this.#memory.countMembers(
        owner,
        buckets.map((each) => setName('attempted', route, each)),
      ),
      this.windows(route),
    ])
    const isTripped = rejected >= LEAST_REJECTED && rejected > attempted * GREATEST_SHARE
    const last = windows.at(-1)
    const isOpen = last !== undefined && last.untilMs === undefined
    if (isTripped && !isOpen) {
      await this.#write(route, [...windows, { sinceMs: this.#nowMs() - WINDOW_MS }])
      this.#onChange(route, true)
    } else if (!isTripped && isOpen)
      await this.#write(route, [...windows.slice(0, -1), { ...last, untilMs: this.#nowMs() }])
  }

  #write(route: string, windows: readonly SuspectedWindow[]): Promise<void> {
    const fresh = windows.filter(
      (window) => window.untilMs === undefined || window.untilMs > this.#nowMs() - LIFETIME_MS,
    )
    return fresh.length === 0
      ? this.#memory.delete({ route }, windowsKey(route))
      : this.#memory.set({ route }, windowsKey(route), JSON.stringify(fresh), LIFETIME_MS)
  }
}

/** Whether the operator has still to say what becomes of the tombstones of any of them. */
export function areSuspected(windows: readonly SuspectedWindow[]): boolean {
  return windows.some(isSuspectedWindow)
}

function isSuspectedWindow({ isDiscarded }: SuspectedWindow): boolean {
  return isDiscarded !== true
}

/** What the windows make of a tombstone that was written down at `recordedMs`. */
export function opinionOf(
  windows: readonly SuspectedWindow[],
  recordedMs: number,
): 'believed' | 'suspected' | 'discarded' {
  const window = windows.findLast(
    ({ sinceMs, untilMs }) => recordedMs >= sinceMs && (untilMs === undefined || recordedMs <= untilMs),
  )
  if (window === undefined) return 'believed'
  return window.isDiscarded === true ? 'discarded' : 'suspected'
}

/** `breaker`: names in the store, which are never changed. */
function setName(what: string, route: string, bucket: number): string {
  return `breaker:${what}:${route}:${bucket}`
}

function windowsKey(route: string): string {
  return `breaker:windows:${route}`
}

function decodeWindows(text: string): readonly SuspectedWindow[] {
  const value: unknown = JSON.parse(text)
  return Array.isArray(value) ? value.filter(isWindow) : []
}

function isWindow(value: unknown): value is SuspectedWindow {
  return typeof value === 'object' && value !== null && 'sinceMs' in value && typeof value.sinceMs === 'number'
}
