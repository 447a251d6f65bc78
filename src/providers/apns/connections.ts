/** The connections to one APNs environment: who waits for a stream, and when another connection is opened. */
import { RECONNECT_MS, type Outcome } from '../../core/outcome.ts'
import { connectErrorOf } from './connect.ts'
import type { Session } from './session.ts'

export interface ConnectionLimits {
  readonly maxSessions: number
  /** For a stream to become free. */
  readonly waitMs: number
}

/** After a further connection could not be opened. */
const PAUSE_MS = 1000

/** Either a session on which a stream is reserved, or why there is none: then nothing was sent. */
export type Lease = { readonly session: Session } | { readonly outcome: Outcome }

export class Connections {
  readonly #open: () => Promise<Session>
  readonly #limits: ConnectionLimits
  readonly #sessions = new Set<Session>()
  /** In order of arrival. */
  readonly #waiting = new Set<(lease: Lease) => void>()
  #opening: Promise<void> | undefined
  #noMoreUntilMs = 0

  constructor(open: () => Promise<Session>, limits: ConnectionLimits) {
    this.#open = open
    this.#limits = limits
  }

  lease(signal: AbortSignal): Promise<Lease> {
    if (signal.aborted) return Promise.resolve(notSent('aborted', 'delivery'))
    return new Promise((resolve) => {
      const settle = (lease: Lease): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', onAbort)
        this.#waiting.delete(settle)
        resolve(lease)
      }
      const onAbort = (): void => settle(notSent('aborted', 'delivery'))
      const timer = setTimeout(() => settle(notSent('no stream became free', 'app')), this.#limits.waitMs)
      signal.addEventListener('abort', onAbort, { once: true })
      this.#waiting.add(settle)
      this.#serve()
    })
  }

  async close(): Promise<void> {
    await this.#opening
    await Promise.all([...this.#sessions].map((session) => session.close()))
  }

  #serve(): void {
    for (const settle of this.#waiting) {
      const session = this.#leastBusy()
      if (session === undefined) break
      session.take()
      settle({ session })
    }
    if (this.#waiting.size > 0) this.#grow()
  }

  #leastBusy(): Session | undefined {
    let best: Session | undefined
    for (const session of this.#sessions)
      if (session.hasRoom && (best === undefined || session.taken < best.taken)) best = session
    return best
  }

  /** One at a time; and none beside a cold one, which takes more as soon as its first push is accepted. */
  #grow(): void {
    const usable = [...this.#sessions].filter((session) => session.isUsable)
    if (this.#opening !== undefined || usable.length >= this.#limits.maxSessions) return
    if (usable.some((session) => !session.isWarm)) return
    if (usable.length > 0 && performance.now() < this.#noMoreUntilMs) return
    this.#opening = this.#openOne().finally(() => {
      this.#opening = undefined
      this.#serve()
    })
  }

  async #openOne(): Promise<void> {
    try {
      const session = await this.#open()
      this.#sessions.add(session)
      session.onChange = () => {
        if (session.isClosed) this.#sessions.delete(session)
        this.#serve()
      }
      // It may have ended already.
      session.onChange()
    } catch (error) {
      // With another connection at work, the waiting have one to wait for.
      this.#noMoreUntilMs = performance.now() + PAUSE_MS
      if ([...this.#sessions].some((session) => session.isUsable)) return
      const { message, isRefused } = connectErrorOf(error)
      const lease: Lease = isRefused
        ? { outcome: { kind: 'blocked', reason: message } }
        : notSent(message, 'app', RECONNECT_MS)
      for (const settle of this.#waiting) settle(lease)
    }
  }
}

function notSent(reason: string, scope: 'delivery' | 'app', afterMs?: number): Lease {
  return { outcome: { kind: 'retry', reason, scope, ambiguous: false, afterMs } }
}
