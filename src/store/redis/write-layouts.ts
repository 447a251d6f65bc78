/** How the layouts of routes are written to Redis. */
import type { Client } from './connection.ts'
import { FORMER_LIFETIME_MS } from './layout.ts'

/**
 * Writes the layout of a route, and tells the others that layouts have changed: in one step, so that no crash comes between. KEYS: the layouts, their version. ARGV: route, its layout as it was read (empty: none), its new one, the time. A version that is gone, because Redis lost what it
 * had, begins at the time: so that nobody takes it for one that was there before.
 */
const REGISTER = `
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
if redis.call('INCR', KEYS[2]) == 1 then redis.call('SET', KEYS[2], ARGV[4]) end
return 1
`

export interface LayoutChange {
  readonly layoutsKey: string
  readonly versionKey: string
  readonly route: string
  /** JSON, as it was read. */
  readonly before: string | undefined
  readonly after: string
  readonly nowMs: number
}

/** Resolves with whether it was written: not, where somebody else has changed it since it was read. */
export async function registerLayout(client: Client, change: LayoutChange): Promise<boolean> {
  const { layoutsKey, versionKey, route, before = '', after, nowMs } = change
  return (await client.eval(REGISTER, 2, layoutsKey, versionKey, route, before, after, Math.trunc(nowMs))) === 1
}

export interface Adoption {
  readonly layoutsKey: string
  readonly oldRoutesKey: string
  readonly oldSeenKey: string
  readonly oldRoutes: readonly string[]
  /** JSON, of the routes that have no layout yet. */
  readonly layouts: readonly (readonly [route: string, layout: string])[]
}

/**
 * A process of a version before 0.2 has been here; it adds the names of its routes again as long as it runs. Their removal comes last, so that a crash in
 * between loses none.
 */
export async function adoptRoutes(client: Client, adoption: Adoption): Promise<void> {
  const { layoutsKey, oldRoutesKey, oldSeenKey, oldRoutes, layouts } = adoption
  for (const [route, layout] of layouts) await client.hsetnx(layoutsKey, route, layout)
  await client.set(oldSeenKey, '', 'PX', FORMER_LIFETIME_MS)
  await client.srem(oldRoutesKey, ...oldRoutes)
}
