/**
 * Does not believe a push service that suddenly calls most of an app's pushkeys dead: then it is the topic, project or environment that is wrong, and
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

export class Breaker {
  readonly #memory: Memory
  readonly #nowMs: () => number
  readonly #onChange: (app: string, isOpen: boolean) => void

  constructor(memory: Memory, nowMs: () => number, onChange: (app: string, isOpen: boolean) => void) {
    this.#memory = memory
    this.#nowMs = nowMs
    this.#onChange = onChange
  }

  /** A push service gave a verdict about this device (a keyed hash that stays the same for much longer than the window). */
  async onVerdict(app: string, device: string, isRejected: boolean): Promise<void> {
    const bucket = Math.floor(this.#nowMs() / BUCKET_MS)
    const attempted = this.#memory.addMember(setName('attempted', app, bucket), device, WINDOW_MS + BUCKET_MS)
    if (!isRejected) return attempted
    await Promise.all([
      attempted,
      this.#memory.addMember(setName('rejected', app, bucket), device, WINDOW_MS + BUCKET_MS),
    ])
    return this.#evaluate(app, bucket)
  }

  async windows(app: string): Promise<readonly SuspectedWindow[]> {
    const text = await this.#memory.get(windowsKey(app))
    return text === undefined ? [] : decodeWindows(text)
  }

  /** The operator's word on an app's suspected tombstones: true, the pushkeys are dead; or wrong, forget them. Resolves with how many windows that were. */
  async release(app: string, verdict: 'confirm' | 'discard'): Promise<number> {
    const windows = await this.windows(app)
    const suspected = windows.filter((window) => window.isDiscarded !== true)
    const kept =
      verdict === 'confirm'
        ? windows.filter((window) => window.isDiscarded === true)
        : windows.map((window) => ({ ...window, untilMs: window.untilMs ?? this.#nowMs(), isDiscarded: true }))
    await this.#write(app, kept)
    if (suspected.length > 0) this.#onChange(app, false)
    return suspected.length
  }

  async #evaluate(app: string, bucket: number): Promise<void> {
    const buckets = Array.from({ length: BUCKETS }, (_, age) => bucket - age)
    const [rejected, attempted, windows] = await Promise.all([
      this.#memory.countMembers(buckets.map((each) => setName('rejected', app, each))),
      this.#memory.countMembers(buckets.map((each) => setName('attempted', app, each))),
      this.windows(app),
    ])
    const isTripped = rejected >= LEAST_REJECTED && rejected > attempted * GREATEST_SHARE
    const last = windows.at(-1)
    const isOpen = last !== undefined && last.untilMs === undefined
    if (isTripped && !isOpen) {
      await this.#write(app, [...windows, { sinceMs: this.#nowMs() - WINDOW_MS }])
      this.#onChange(app, true)
    } else if (!isTripped && isOpen)
      await this.#write(app, [...windows.slice(0, -1), { ...last, untilMs: this.#nowMs() }])
  }

  #write(app: string, windows: readonly SuspectedWindow[]): Promise<void> {
    const fresh = windows.filter(
      (window) => window.untilMs === undefined || window.untilMs > this.#nowMs() - LIFETIME_MS,
    )
    return fresh.length === 0
      ? this.#memory.delete(windowsKey(app))
      : this.#memory.set(windowsKey(app), JSON.stringify(fresh), LIFETIME_MS)
  }
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

function setName(what: string, app: string, bucket: number): string {
  return `breaker:${what}:${app}:${bucket}`
}

function windowsKey(app: string): string {
  return `breaker:windows:${app}`
}

function decodeWindows(text: string): readonly SuspectedWindow[] {
  const value: unknown = JSON.parse(text)
  return Array.isArray(value) ? value.filter(isWindow) : []
}

function isWindow(value: unknown): value is SuspectedWindow {
  return typeof value === 'object' && value !== null && 'sinceMs' in value && typeof value.sinceMs === 'number'
}
