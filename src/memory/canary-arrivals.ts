/** When a canary push of each route last arrived: in the store, so that each process says the same of it, also after a restart. */
import { isJsonObject } from '../core/json.ts'
import type { Memory } from '../store/contract.ts'

/** The push service took it at `atMs` (epoch), so long after it was accepted. */
export interface CanaryArrival {
  readonly atMs: number
  readonly roundTripMs: number
}

/** Longer than any interval at which they are sent. */
const LIFETIME_MS = 24 * 3600_000

export class CanaryArrivals {
  readonly #memory: Pick<Memory, 'get' | 'set'>

  constructor(memory: Pick<Memory, 'get' | 'set'>) {
    this.#memory = memory
  }

  /** Rejects when the store does not take it; the next one is kept in its place. */
  keep(route: string, { atMs, roundTripMs }: CanaryArrival): Promise<void> {
    return this.#memory.set({ route }, keyOf(route), JSON.stringify({ atMs, roundTripMs }), LIFETIME_MS)
  }

  /** The last one, of the last day. Rejects when the store does not answer. */
  async find(route: string): Promise<CanaryArrival | undefined> {
    const text = await this.#memory.get({ route }, keyOf(route))
    const value: unknown = text === undefined ? undefined : JSON.parse(text)
    if (!isJsonObject(value)) return undefined
    const { atMs, roundTripMs } = value
    return typeof atMs === 'number' && typeof roundTripMs === 'number' ? { atMs, roundTripMs } : undefined
  }
}

function keyOf(route: string): string {
  return `canary-arrived:${route}`
}
