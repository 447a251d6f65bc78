/**
 * In how many shards each route lies, now and before: remembered in Redis with the names of all routes, so that what was stored before that number changed, or
 * by a version before 0.2, is still found. A process stores deliveries by its own configuration; facts, all processes store in the same place. While two differ,
 * because one after the other is restarted, each finds what the other stored.
 */
import { StoreUnavailableError } from '../../core/errors.ts'
import type { Owner } from '../contract.ts'
import { isReady, type Client } from './connection.ts'
import { FORMER_LIFETIME_MS, isRemembered, readLayout, withShards, writeLayout, type Layout } from './layout.ts'
import { elsewhereOf, routeShards, type RouteShards } from './route-shards.ts'
import { gatewayKey, shardOf, type Shard } from './shard.ts'
import { adoptRoutes, registerLayout } from './write-layouts.ts'

export interface LayoutsOptions {
  readonly client: Client
  readonly prefix: string
  /** The configured number of shards; of a route that is not named, one. */
  readonly shards: ReadonlyMap<string, number>
  readonly nowMs: () => number
  /** How often it is asked whether another process has changed something. */
  readonly lookEveryMs: number
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
/** After so many looks every process knows of a change: one may have failed. */
const SETTLE_LOOKS = 2.5
/** Somebody else may change the layout of a route at the same time. */
const REGISTER_ATTEMPTS = 3
const REGISTERED = Promise.resolve()

export class Layouts {
  readonly #options: LayoutsOptions
  readonly #onChange = new Set<() => void>()
  readonly #registering = new Map<string, Promise<void>>()
  /** The routes that are registered: others find what this process stores for them. */
  readonly #registered = new Set<string>()
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

  /** Where a delivery to the owner is stored. */
  shardOf(owner: Owner): Shard {
    const { own, ofRoute } = this.#shardsOf(owner.route)
    return shardOf(own, ofRoute, owner)
  }

  /** Where deliveries to the owner may have been stored before: the latest first. */
  formerShardsOf(owner: Owner): readonly Shard[] {
    return elsewhereOf(this.#shardsOf(owner.route), 'former', owner)
  }

  /** Where it is remembered what is about the owner: the same for all processes, once the route is known. */
  factShardOf(owner: Owner): Shard {
    const { facts, ofRoute } = this.#shardsOf(owner.route)
    return shardOf(facts, ofRoute, owner)
  }

  /** Where else that may be: the latest first. */
  otherFactShardsOf(owner: Owner): readonly Shard[] {
    return elsewhereOf(this.#shardsOf(owner.route), 'otherFacts', owner)
  }

  /** Whether it is registered, by whichever process. */
  isKnown(route: string): boolean {
    return this.#stored.has(route)
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
    return this.#layoutOf(route)?.sinceMs
  }

  /** Sees to it that all processes also look where routes lay before version 0.2. */
  async lookInOldShards(): Promise<void> {
    const { client } = this.#options
    await client.set(this.#key(OLD_SEEN), '', 'PX', FORMER_LIFETIME_MS)
    await client.incr(this.#key(VERSION))
    await this.load()
  }

  /** Sees to it that others find what is stored for the route by this process's configuration. */
  register(route: string): Promise<void> {
    if (this.#registered.has(route)) return REGISTERED
    let registering = this.#registering.get(route)
    if (registering === undefined) {
      registering = this.#register(route).finally(() => this.#registering.delete(route))
      this.#registering.set(route, registering)
    }
    return registering
  }

  #shardsOf(route: string): RouteShards {
    const cached = this.#cache.get(route)
    if (cached !== undefined && this.#options.nowMs() < cached.untilMs) return cached
    const shards = this.#compute(route)
    this.#cache.set(route, shards)
    return shards
  }

  #compute(route: string): RouteShards {
    const { prefix, lookEveryMs, nowMs } = this.#options
    const [layout, ownCount, hasOld] = [this.#layoutOf(route), this.#countOf(route), this.#hasOldShards]
    const settleMs = SETTLE_LOOKS * lookEveryMs
    return routeShards({ prefix, route, layout, ownCount, hasOld, settleMs }, nowMs())
  }

  #layoutOf(route: string): Layout | undefined {
    const json = this.#stored.get(route)
    return json === undefined ? undefined : readLayout(json)
  }

  #countOf(route: string): number {
    return this.#options.shards.get(route) ?? 1
  }

  async #register(route: string): Promise<void> {
    for (let attempt = 1; attempt <= REGISTER_ATTEMPTS; attempt += 1) {
      // The next attempt: another process was faster.
      if (attempt > 1 || !this.#isLoaded) await this.load()
      const layout = withShards(this.#layoutOf(route), this.#countOf(route), this.#options.nowMs())
      if (layout === undefined || (await this.#write(route, layout))) {
        this.#registered.add(route)
        return
      }
    }
    throw new StoreUnavailableError('other processes register an app at the same time')
  }

  /** False where another process was faster. */
  async #write(route: string, layout: Layout): Promise<boolean> {
    const { client, nowMs } = this.#options
    const [layoutsKey, versionKey, before] = [this.#key(ROUTES), this.#key(VERSION), this.#stored.get(route)]
    const after = writeLayout(layout)
    const change = { layoutsKey, versionKey, route, before, after, nowMs: nowMs() }
    if (!(await registerLayout(client, change))) return false
    this.#stored.set(route, after)
    this.#cache.delete(route)
    return true
  }

  /** What Redis has lost: it came back without what it had, or was emptied. */
  #registerAgain(): void {
    const nowMs = this.#options.nowMs()
    for (const route of this.#registered) {
      if (isRemembered(this.#layoutOf(route), this.#countOf(route), nowMs)) continue
      this.#registered.delete(route)
      this.register(route).catch(() => {})
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
    const adopted = oldRoutes
      .filter((route) => !Object.hasOwn(stored, route))
      .map((route) => this.#adoptedLayoutOf(route))
    this.#stored = new Map([...Object.entries(stored), ...adopted])
    this.#hasOldShards = oldRoutes.length > 0 || oldSeen === 1
    this.#version = version
    this.#cache = new Map()
    this.#isLoaded = true
    this.#registerAgain()
    for (const listener of this.#onChange) listener()
    // What cannot be written down now, because Redis is full, is again there at the next load.
    if (oldRoutes.length > 0) await this.#adopt(oldRoutes, adopted).catch(() => {})
  }

  /** Of a route that has none yet. */
  #adoptedLayoutOf(route: string): readonly [string, string] {
    const layout = { shards: this.#countOf(route), sinceMs: this.#options.nowMs(), former: [] }
    return [route, writeLayout(layout)]
  }

  async #adopt(oldRoutes: readonly string[], layouts: readonly (readonly [string, string])[]): Promise<void> {
    const [layoutsKey, oldRoutesKey, oldSeenKey] = [this.#key(ROUTES), this.#key(OLD_ROUTES), this.#key(OLD_SEEN)]
    await adoptRoutes(this.#options.client, { layoutsKey, oldRoutesKey, oldSeenKey, oldRoutes, layouts })
  }

  #key(name: string): string {
    return gatewayKey(this.#options.prefix, name)
  }
}
