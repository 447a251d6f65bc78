/**
 * In how many shards each route lies, now and before: remembered in Redis with the names of all routes, so that what was stored before that number changed, or
 * by a version before 0.2, is still found. A process stores by its own configuration. While two differ, because one after the other is restarted, each finds
 * what the other stored.
 */
import type { Owner } from '../contract.ts'
import { compareAndSet } from './compare-and-set.ts'
import { isReady, type Client } from './connection.ts'
import { FORMER_LIFETIME_MS, readLayout, shardCounts, withShards, writeLayout } from './layout.ts'
import { gatewayKey, oldShardOf, shardOf, shardsOf, type Shard } from './shard.ts'

export interface LayoutsOptions {
  readonly client: Client
  readonly prefix: string
  /** The configured number of shards; of a route that is not named, one. */
  readonly shards: ReadonlyMap<string, number>
  readonly nowMs: () => number
  /** How often it is asked whether another process has changed something. */
  readonly lookEveryMs: number
}

/** Where what belongs to a route lies. */
interface RouteShards {
  /** Its deliveries and what is about its devices, now. */
  readonly own: readonly Shard[]
  /** What is about the route itself, however many shards it has. */
  readonly ofRoute: Shard
  /** Where they were before, or are by another configuration: the latest layout first. */
  readonly former: readonly (readonly Shard[])[]
  /** Where all of it was before version 0.2, if something may be left there. */
  readonly old: Shard | undefined
  readonly all: readonly Shard[]
  readonly newest: ReadonlySet<string>
}

/** A hash: the layout of each route, by its name. */
const ROUTES = 'routes'
/** Counts the changes of it. */
const VERSION = 'routes-version'
/** A set: the names of routes, where versions before 0.2 have them. */
const OLD_ROUTES = 'apps'
/** Is there for as long as something may be left that such a version has stored. */
const OLD_SEEN = 'old-shards'
/** The layouts are read anew after so many looks, also if nothing seems to have changed: some may have passed their lifetime. */
const LOOKS_PER_LOAD = 15
/** Somebody else may change the layout of a route at the same time. */
const REGISTER_ATTEMPTS = 3
const NONE: readonly Shard[] = []

export class Layouts {
  readonly #options: LayoutsOptions
  readonly #onChange = new Set<() => void>()
  readonly #registered = new Map<string, Promise<void>>()
  readonly #timer: NodeJS.Timeout
  readonly #onReady = (): void => void this.#tryToLoad()
  #cache = new Map<string, RouteShards>()
  /** As they are in Redis, by route. */
  #stored = new Map<string, string>()
  /** A version before 0.2 stored something, or may have, so lately that some of it may be left. */
  #hasOldShards = false
  #version: string | null = null
  #loading: Promise<void> | undefined
  #isLoaded = false
  #looks = 0

  constructor(options: LayoutsOptions) {
    this.#options = options
    this.#timer = setInterval(() => void this.#look(), options.lookEveryMs).unref()
    options.client.on('ready', this.#onReady)
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#options.client.off('ready', this.#onReady)
  }

  /** Before it is loaded, nothing that was stored before can be found. */
  get isLoaded(): boolean {
    return this.#isLoaded
  }

  /** Calls back each time when the shards of a route may have become others. */
  onChange(listener: () => void): void {
    this.#onChange.add(listener)
  }

  load(): Promise<void> {
    this.#loading ??= this.#load().finally(() => (this.#loading = undefined))
    return this.#loading
  }

  /** Every route that ever was used, configured or not. */
  get routes(): readonly string[] {
    return [...this.#stored.keys()]
  }

  /** Where something about the owner is stored. */
  shardOf(owner: Owner): Shard {
    const { own, ofRoute } = this.#shardsOf(owner.route)
    return shardOf(own, ofRoute, owner)
  }

  /** Where something about the owner may have been stored before: the latest first. */
  formerShardsOf(owner: Owner): readonly Shard[] {
    const { former, old, ofRoute } = this.#shardsOf(owner.route)
    if (former.length === 0 && old === undefined) return NONE
    const shards = owner.deviceHash === undefined ? NONE : former.map((each) => shardOf(each, ofRoute, owner))
    return old === undefined ? shards : [...shards, old]
  }

  /** Where anything of the route may lie. */
  allShardsOf(route: string): readonly Shard[] {
    return this.#shardsOf(route).all
  }

  /** Whether it belongs to the latest layout of its route, which is by the configuration of the process that started last. */
  isNewest(shard: Shard): boolean {
    return this.#shardsOf(shard.route).newest.has(shard.id)
  }

  /** When the number of a route's shards became what it is; epoch ms. */
  sinceMs(route: string): number | undefined {
    const json = this.#stored.get(route)
    return json === undefined ? undefined : readLayout(json)?.sinceMs
  }

  /** Sees to it that others find what is stored for the route by this process's configuration. */
  register(route: string): Promise<void> {
    let registered = this.#registered.get(route)
    if (registered === undefined) {
      registered = this.#register(route)
      this.#registered.set(route, registered)
      registered.catch(() => this.#registered.delete(route))
    }
    return registered
  }

  #shardsOf(route: string): RouteShards {
    let shards = this.#cache.get(route)
    if (shards === undefined) {
      shards = this.#compute(route)
      this.#cache.set(route, shards)
    }
    return shards
  }

  #compute(route: string): RouteShards {
    const { prefix, nowMs } = this.#options
    const json = this.#stored.get(route)
    const layout = json === undefined ? undefined : readLayout(json)
    const ownCount = this.#countOf(route)
    const [own = NONE, ...former] = shardCounts(ownCount, layout, nowMs()).map((count) =>
      shardsOf(prefix, route, count),
    )
    const newest = shardsOf(prefix, route, layout?.shards ?? ownCount)
    const [ofRoute = oldShardOf(prefix, route)] = shardsOf(prefix, route, 1)
    const old = this.#hasOldShards ? oldShardOf(prefix, route) : undefined
    return {
      own,
      ofRoute,
      former,
      old,
      all: [...own, ...former.flat(), ...(old === undefined ? [] : [old])],
      newest: new Set(newest.map(({ id }) => id)),
    }
  }

  #countOf(route: string): number {
    return this.#options.shards.get(route) ?? 1
  }

  async #register(route: string): Promise<void> {
    const { client, nowMs } = this.#options
    for (let attempt = 1; attempt <= REGISTER_ATTEMPTS; attempt += 1) {
      // The next attempt: another process was faster.
      if (attempt > 1 || !this.#isLoaded) await this.load()
      const before = this.#stored.get(route)
      const layout = withShards(before === undefined ? undefined : readLayout(before), this.#countOf(route), nowMs())
      if (layout === undefined) return
      const after = writeLayout(layout)
      const isOurs =
        before === undefined
          ? (await client.hsetnx(this.#key(ROUTES), route, after)) === 1
          : await compareAndSet(client, { key: this.#key(ROUTES), field: route, before, after })
      if (isOurs) {
        this.#stored.set(route, after)
        this.#cache.delete(route)
        await client.incr(this.#key(VERSION))
        return
      }
    }
  }

  async #look(): Promise<void> {
    const { client } = this.#options
    this.#looks += 1
    if (!isReady(client)) return
    const version = await client.get(this.#key(VERSION)).catch(() => this.#version)
    if (version !== this.#version || this.#looks % LOOKS_PER_LOAD === 0) await this.#tryToLoad()
  }

  /** Redis is away, or too busy: it is tried again at the next look, or by whoever needs it. */
  async #tryToLoad(): Promise<void> {
    await this.load().catch(() => {})
  }

  async #load(): Promise<void> {
    const { client } = this.#options
    const version = await client.get(this.#key(VERSION))
    const [stored, oldRoutes, oldSeen] = await Promise.all([
      client.hgetall(this.#key(ROUTES)),
      client.smembers(this.#key(OLD_ROUTES)),
      client.exists(this.#key(OLD_SEEN)),
    ])
    const adopted = oldRoutes.filter((route) => !Object.hasOwn(stored, route)).map((route) => this.#layoutOf(route))
    this.#stored = new Map([...Object.entries(stored), ...adopted])
    this.#hasOldShards = oldRoutes.length > 0 || oldSeen === 1
    this.#version = version
    this.#cache = new Map()
    this.#isLoaded = true
    for (const listener of this.#onChange) listener()
    // What cannot be written down now, because Redis is full, is again there at the next load.
    if (oldRoutes.length > 0) await this.#adopt(oldRoutes, adopted).catch(() => {})
  }

  /** Of a route that has none yet. */
  #layoutOf(route: string): readonly [string, string] {
    const layout = { shards: this.#countOf(route), sinceMs: this.#options.nowMs(), former: [] }
    return [route, writeLayout(layout)]
  }

  /**
   * A process of a version before 0.2 has been here; it adds the names of its routes again as long as it runs. Their removal comes last, so that a crash in
   * between loses none.
   */
  async #adopt(oldRoutes: readonly string[], layouts: readonly (readonly [string, string])[]): Promise<void> {
    const { client } = this.#options
    for (const [route, layout] of layouts) await client.hsetnx(this.#key(ROUTES), route, layout)
    await client.set(this.#key(OLD_SEEN), '', 'PX', FORMER_LIFETIME_MS)
    await client.srem(this.#key(OLD_ROUTES), ...oldRoutes)
  }

  #key(name: string): string {
    return gatewayKey(this.#options.prefix, name)
  }
}
