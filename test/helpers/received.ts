/** What a queue handed out, and promises for what it will: so that tests wait for deliveries and not for time. */
import { once, type EventEmitter } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import type { DeliveryQueue, Disposition, HandedOut, Handler } from '../../src/store/contract.ts'

type Decide = (handed: HandedOut) => Disposition | Promise<Disposition>

export const ACKNOWLEDGE: Disposition = { kind: 'acknowledge' }

export class Received {
  readonly all: HandedOut[] = []
  /** Deliveries that are with the handler at this moment, and the most there ever were. */
  inFlight = 0
  mostInFlight = 0
  signal: AbortSignal | undefined
  readonly handler: Handler
  #waiting: { readonly count: number; readonly resolve: () => void }[] = []

  constructor(decide: Decide = () => ACKNOWLEDGE) {
    this.handler = async (handed, signal) => {
      this.signal = signal
      this.inFlight += 1
      this.mostInFlight = Math.max(this.mostInFlight, this.inFlight)
      this.all.push(handed)
      for (const { count, resolve } of this.#waiting) if (this.all.length >= count) resolve()
      this.#waiting = this.#waiting.filter(({ count }) => this.all.length < count)
      const disposition = await decide(handed)
      this.inFlight -= 1
      return disposition
    }
  }

  get ids(): string[] {
    return this.all.map(({ delivery }) => delivery.id)
  }

  /** Resolves with everything handed out so far, once that is at least `count`. */
  async atLeast(count: number): Promise<readonly HandedOut[]> {
    if (this.all.length < count)
      await new Promise<void>((resolve) => {
        this.#waiting.push({ count, resolve })
      })
    return this.all
  }
}

/** Takes everything out of a route's queue that is due by now, in the order in which it is handed out. */
export async function takeAll(queue: Pick<DeliveryQueue, 'depth' | 'consume'>, route: string): Promise<HandedOut[]> {
  const { waiting } = await queue.depth(route)
  const received = new Received()
  const consumption = queue.consume(route, 100, received.handler)
  await received.atLeast(waiting)
  await consumption.stop(60_000)
  return received.all
}

/** A disposition that a test gives when it likes. */
export function createGate<T = void>(): { readonly passed: Promise<T>; readonly open: (value: T) => void } {
  const { promise, resolve } = Promise.withResolvers<T>()
  return { passed: promise, open: resolve }
}

/** A hang, not a slow machine; less than a fast test has, so that the sentence is what is read of it. */
const HANG_MS = 50_000
const FIRST_LOOK_MS = 5
/** Asking takes its part of a busy machine, too. */
const LONGEST_LOOK_MS = 100

/** Polls what nothing signals; fails with the sentence when the time is over. */
export async function until(
  sentence: string,
  condition: () => Promise<boolean> | boolean,
  withinMs = HANG_MS,
): Promise<void> {
  const deadlineMs = Date.now() + withinMs
  for (let pauseMs = FIRST_LOOK_MS; !(await condition()); pauseMs = Math.min(pauseMs * 1.5, LONGEST_LOOK_MS)) {
    if (Date.now() > deadlineMs) throw new Error(`still waiting until ${sentence}`)
    await delay(pauseMs)
  }
}

/**
 * Waits, from one sign to the next, until nothing of what is awaited is `left`; fails with the sentence when it did not become less for a minute: what comes
 * slowly still comes. `emitter` emits `sign` after each change.
 */
export async function untilNoneIsLeft(
  emitter: EventEmitter,
  sign: string,
  left: () => number,
  sentence: () => string,
): Promise<void> {
  let signal = AbortSignal.timeout(HANG_MS)
  for (let before = left(); before > 0;) {
    await once(emitter, sign, { signal }).catch(() => {
      throw new Error(sentence())
    })
    const now = left()
    if (now < before) signal = AbortSignal.timeout(HANG_MS)
    before = now
  }
}
