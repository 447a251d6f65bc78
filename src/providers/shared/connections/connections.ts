/** The connections to one push service: who waits for room on one, and when another is opened. */
import { Deadlines } from '../../../core/deadlines.ts'
import type { Answer, LostRequest } from '../answers.ts'
import type { Attempt } from './attempt.ts'
import { connectErrorOf } from './connect.ts'
import type { Connection, Request } from './connection.ts'

export interface ConnectionLimits {
  readonly maxConnections: number
  /** For room on one of them; undefined where each attempt has a deadline of its own. */
  readonly waitMs?: number | undefined
}

/** The code of a request that waited too long. */
export const NO_ROOM = 'no stream became free'
/** After a further connection could not be opened. */
const PAUSE_MS = 1000
/** One that ends sooner, and before anything was sent on it, is as good as none. */
const SHORT_MS = 1000
/** For each that is allowed: with those that are left and not closed yet, for which a peer may take its time. */
const MAX_SOCKETS = 2

type Lease = Connection | LostRequest

export class Connections {
  readonly #open: () => Promise<Connection>
  readonly #maxConnections: number
  readonly #waits: Deadlines | undefined
  readonly #connections = new Set<Connection>()
  /** In order of arrival. */
  readonly #waiting = new Set<(lease: Lease) => void>()
  readonly #opening = new Set<Promise<void>>()
  /** Whether the last connection takes one request at a time: then others are opened beside each other. */
  #isSingle = false
  #noMoreUntilMs = 0

  constructor(open: () => Promise<Connection>, { maxConnections, waitMs }: ConnectionLimits) {
    this.#open = open
    this.#maxConnections = maxConnections
    this.#waits = waitMs === undefined ? undefined : new Deadlines(waitMs)
  }

  /** A connection on which room is taken for one `exchange`, or why there is none: then nothing was sent. */
  lease(attempt: Attempt): Lease | Promise<Lease> {
    if (attempt.cutOffBy !== undefined) return notSent(attempt.cutOffBy)
    const connection = this.#waiting.size === 0 ? this.#leastBusy() : undefined
    if (connection === undefined) return this.#wait(attempt)
    connection.take()
    return connection
  }

  /** Connections that are open or being opened. */
  get size(): number {
    return this.#connections.size + this.#opening.size
  }

  /** Whether a request is under way, or waits. */
  get isInUse(): boolean {
    if (this.#waiting.size > 0 || this.#opening.size > 0) return true
    return [...this.#connections].some(({ taken }) => taken > 0)
  }

  /** Gives up those on which nothing is under way. How many these were. */
  closeIdle(): number {
    const idle = [...this.#connections].filter(({ taken, isUsable }) => taken === 0 && isUsable)
    for (const connection of idle) connection.leave()
    return idle.length
  }

  /** Sends one request. Always resolves. */
  async post(request: Request, attempt: Attempt): Promise<Answer | LostRequest> {
    const lease = await this.lease(attempt)
    return 'kind' in lease ? lease : lease.exchange(request, attempt)
  }

  async close(): Promise<void> {
    await Promise.all(this.#opening)
    await Promise.all([...this.#connections].map((connection) => connection.close()))
  }

  #wait(attempt: Attempt): Promise<Lease> {
    return new Promise((resolve) => {
      const settle = (lease: Lease): void => {
        deadline?.cancel()
        attempt.onCutOff = undefined
        this.#waiting.delete(settle)
        resolve(lease)
      }
      const deadline = this.#waits?.add(() => settle(notSent(NO_ROOM)))
      attempt.onCutOff = (code) => settle(notSent(code))
      this.#waiting.add(settle)
      this.#serve()
    })
  }

  #serve(): void {
    for (const settle of this.#waiting) {
      const connection = this.#leastBusy()
      if (connection === undefined) break
      connection.take()
      settle(connection)
    }
    if (this.#waiting.size > 0) this.#grow()
  }

  #leastBusy(): Connection | undefined {
    let best: Connection | undefined
    for (const connection of this.#connections)
      if (connection.hasRoom && (best === undefined || connection.taken < best.taken)) best = connection
    return best
  }

  /**
   * One at a time, but for those that take one request each: of these as many as have somebody waiting. None beside a cold one, which takes more as
   * soon as its first request is accepted; none beside one that takes nothing though nothing is under way on it.
   */
  #grow(): void {
    const usable = [...this.#connections].filter((connection) => connection.isUsable)
    if (usable.some(({ isWarm, taken, hasRoom }) => !isWarm || (taken === 0 && !hasRoom))) return
    if (usable.length + this.#opening.size > 0 && performance.now() < this.#noMoreUntilMs) return
    const most = this.#isSingle ? this.#waiting.size : 1
    const hasRoom = (): boolean =>
      usable.length + this.#opening.size < this.#maxConnections && this.size < this.#maxConnections * MAX_SOCKETS
    while (this.#opening.size < most && hasRoom()) {
      const opening = this.#openOne().finally(() => {
        this.#opening.delete(opening)
        this.#serve()
      })
      this.#opening.add(opening)
    }
  }

  async #openOne(): Promise<void> {
    // Until it has ended, this one is among those that are being opened.
    let own = 1
    try {
      const connection = await this.#open()
      const openedAtMs = performance.now()
      this.#isSingle = connection.isSingle
      this.#connections.add(connection)
      connection.onChange = () => {
        if (connection.isClosed) this.#connections.delete(connection)
        const isVain = !connection.isUsable && !connection.isUsed && performance.now() - openedAtMs < SHORT_MS
        if (isVain) this.#giveUp({ kind: 'lost', code: 'connection closed', written: false }, own)
        this.#serve()
      }
      // It may have ended already.
      connection.onChange()
      own = 0
    } catch (error) {
      this.#giveUp(connectErrorOf(error).loss, own)
    }
  }

  /** There is no further connection now. With another one at work, or being opened, the waiting have one to wait for. */
  #giveUp(loss: LostRequest, own: number): void {
    this.#noMoreUntilMs = performance.now() + PAUSE_MS
    setTimeout(() => this.#serve(), PAUSE_MS + 1).unref()
    if (this.#opening.size > own || [...this.#connections].some((connection) => connection.isUsable)) return
    for (const settle of this.#waiting) settle(loss)
  }
}

function notSent(code: string): LostRequest {
  return { kind: 'lost', code, written: false }
}
