/**
 * Does not believe a push service that suddenly calls most of a route's pushkeys dead: then it is the topic, project or environment that is wrong, and
 * telling homeservers would unregister every user. Counted over all replicas; the tombstones of such a window are *suspected* until the operator
 * says, or until a delivery to that pushkey succeeds. Who asks leaves out devices that nothing was ever delivered to (dead-pushkeys.ts).
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
const WRITE_EVERY_MS = 1000
/** Devices that are noted before they are written. */
const MAX_NOTED = 1000
const LIFETIME_MS = 30 * 24 * 3600_000
/** Of a route; the oldest two become one, as it is worse to believe a false rejection than to ask the operator about a true one. */
const MAX_WINDOWS = 50

export class RejectionGuard {
  readonly #memory: Memory
  readonly #nowMs: () => number
  /** By the name of the set to which they are to be added. */
  readonly #attempted = new Map<string, { readonly route: string; readonly members: Set<string> }>()
  #timer: NodeJS.Timeout | undefined
  /** Of each route the last evaluation that began, and the next one: one after the other, so that a window is opened, and told of, once. */
  readonly #evaluating = new Map<string, Promise<void>>()
  readonly #nextEvaluation = new Map<string, Promise<void>>()
  /** Told when the tombstones of a route become suspected, and when they are released. */
  readonly #onChange: (route: string, isSuspected: boolean) => void

  constructor(memory: Memory, nowMs: () => number, onChange: (route: string, isSuspected: boolean) => void) {
    this.#memory = memory
    this.#nowMs = nowMs
    this.#onChange = onChange
  }

  /**
   * A push service gave a verdict about a device. `countedAs`: a keyed hash of it that stays the same for much longer than the window. Deliveries are counted
   * together within a second: what a crash forgets of them only makes the guard more careful.
   */
  async record(route: string, countedAs: string, isRejected: boolean): Promise<void> {
    const bucket = Math.floor(this.#nowMs() / BUCKET_MS)
    this.#noteAttempted(route, bucket, countedAs)
    if (!isRejected) return
    await Promise.all([
      this.#writeAttempted(),
      this.#memory.addMembers({ route }, setName('rejected', route, bucket), [countedAs], WINDOW_MS + BUCKET_MS),
    ])
    await this.#evaluateSoon(route)
  }

  #noteAttempted(route: string, bucket: number, countedAs: string): void {
    const set = setName('attempted', route, bucket)
    const { members } = this.#attempted.get(set) ?? { members: new Set<string>() }
    this.#attempted.set(set, { route, members })
    members.add(countedAs)
    if (members.size >= MAX_NOTED) void this.#writeAttempted().catch(() => {})
    else this.#timer ??= setTimeout(() => void this.#writeAttempted().catch(() => {}), WRITE_EVERY_MS).unref()
  }

  async #writeAttempted(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const noted = [...this.#attempted]
    this.#attempted.clear()
    await Promise.all(
      noted.map(([set, { route, members }]) =>
        this.#memory.addMembers({ route }, set, [...members], WINDOW_MS + BUCKET_MS),
      ),
    )
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

  /** What is asked while one runs is answered by the next one together. */
  #evaluateSoon(route: string): Promise<void> {
    let next = this.#nextEvaluation.get(route)
    if (next === undefined) {
      const before = this.#evaluating.get(route) ?? Promise.resolve()
      next = before
        .catch(() => {})
        .then(() => {
          this.#nextEvaluation.delete(route)
          return this.#evaluate(route)
        })
      this.#nextEvaluation.set(route, next)
      this.#evaluating.set(route, next)
    }
    return next
  }

  async #evaluate(route: string): Promise<void> {
    const owner = { route }
    const bucket = Math.floor(this.#nowMs() / BUCKET_MS)
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
      await this.#write(route, withOpened(windows, this.#nowMs() - WINDOW_MS))
      if (!areSuspected(windows)) this.#onChange(route, true)
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

/** One that begins before the last one ended goes on with it: a push service that changes its mind again and again must not fill the store. */
function withOpened(windows: readonly SuspectedWindow[], sinceMs: number): readonly SuspectedWindow[] {
  const last = windows.at(-1)
  const isSame = last?.untilMs !== undefined && isSuspectedWindow(last) && last.untilMs >= sinceMs
  const next = isSame ? [...windows.slice(0, -1), { sinceMs: last.sinceMs }] : [...windows, { sinceMs }]
  if (next.length <= MAX_WINDOWS) return next
  const [first, second, ...rest] = next
  return first === undefined || second === undefined ? next : [{ ...second, sinceMs: first.sinceMs }, ...rest]
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
