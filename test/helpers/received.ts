/** What a queue handed out, and promises for what it will: so that tests wait for deliveries and not for time. */
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
    this.handler = async (batch, signal) => {
      this.signal = signal
      this.inFlight += batch.length
      this.mostInFlight = Math.max(this.mostInFlight, this.inFlight)
      this.all.push(...batch)
      for (const { count, resolve } of this.#waiting) if (this.all.length >= count) resolve()
      this.#waiting = this.#waiting.filter(({ count }) => this.all.length < count)
      const dispositions = await Promise.all(batch.map(async (handed) => decide(handed)))
      this.inFlight -= batch.length
      return dispositions
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

/** Polls what nothing signals. Fails with the sentence before the time limit of a test does (vitest.config.ts). */
export async function until(
  sentence: string,
  condition: () => Promise<boolean> | boolean,
  withinMs = 28_000,
): Promise<void> {
  const deadlineMs = Date.now() + withinMs
  while (!(await condition())) {
    if (Date.now() > deadlineMs) throw new Error(`still waiting until ${sentence}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
