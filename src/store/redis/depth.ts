/** How much of each route is stored, counted in deliveries. Cheap enough to be asked on every request, and for all routes at once. */
import type { QueueDepth } from '../contract.ts'
import { callRedis } from './call-redis.ts'
import { CountedShards, EMPTY, type Counted } from './counted-shards.ts'
import type { Client } from './connection.ts'
import type { Layouts } from './layouts.ts'

export interface DepthsOptions {
  /** Pipelines what is asked in one turn. */
  readonly client: Client
  readonly layouts: Layouts
  readonly nowMs: () => number
}

/** A count is used again for so long. */
const FRESH_MS = 250
const NOTHING = Promise.resolve(EMPTY)

type Counts = ReadonlyMap<string, Promise<Counted>>

export class Depths {
  readonly #options: DepthsOptions
  readonly #latest = new Map<string, { readonly askedAtMs: number; readonly depth: Promise<QueueDepth> }>()
  /** What is asked in this turn. */
  readonly #asked = new Set<string>()
  #counting: Promise<Counts> | undefined
  readonly #shards: CountedShards

  constructor(options: DepthsOptions) {
    this.#options = options
    this.#shards = new CountedShards(options)
  }

  get(route: string): Promise<QueueDepth> {
    const askedAtMs = performance.now()
    let latest = this.#latest.get(route)
    if (latest === undefined || askedAtMs - latest.askedAtMs > FRESH_MS) {
      latest = { askedAtMs, depth: this.#count(route) }
      this.#latest.set(route, latest)
    }
    return latest.depth
  }

  #count(route: string): Promise<QueueDepth> {
    const { client, layouts, nowMs } = this.#options
    return callRedis(client, async () => {
      const counts = await this.#countTogether(route)
      const ofRoute = await Promise.all(layouts.allShardsOf(route).map(({ id }) => counts.get(id) ?? NOTHING))
      const sum = (field: keyof Counted): number => ofRoute.reduce((total, counted) => total + counted[field], 0)
      const since = (field: 'firstDueAtMs' | 'firstAcceptedAtMs'): number => {
        const times = ofRoute.map((counted) => counted[field]).filter((time) => time > 0)
        return times.length === 0 ? 0 : Math.max(0, nowMs() - Math.min(...times))
      }
      return {
        waiting: sum('waiting'),
        delayed: sum('delayed'),
        active: sum('active'),
        dead: sum('dead'),
        oldestAgeMs: since('firstAcceptedAtMs'),
        overdueMs: since('firstDueAtMs'),
      }
    })
  }

  /** What is asked in one turn is counted together. */
  #countTogether(route: string): Promise<Counts> {
    this.#asked.add(route)
    this.#counting ??= new Promise<void>((resolve) => {
      setImmediate(resolve)
    }).then(() => this.#countAll())
    return this.#counting
  }

  /** What is in each shard, by its id: each by itself, so that a master that is away concerns only its own. */
  async #countAll(): Promise<Counts> {
    const { layouts } = this.#options
    const routes = [...this.#asked]
    this.#asked.clear()
    this.#counting = undefined
    if (!layouts.isLoaded) await layouts.load()
    return this.#shards.count(routes.flatMap((route) => layouts.allShardsOf(route)))
  }
}
