/** Which store, and how it is reached. */
import type { Secret } from '../core/secret.ts'

export type StoreSettings = SqliteSettings | RedisSettings

export interface SqliteSettings {
  readonly kind: 'sqlite'
  /** An absolute path. */
  readonly file: string
  readonly synchronous: 'full' | 'normal'
}

export interface RedisSettings {
  readonly kind: 'redis'
  readonly topology: RedisTopology
  readonly tls: boolean
  /** PEM file of the authority that signed Redis' certificate; an absolute path. */
  readonly caFile?: string | undefined
  readonly username?: string | undefined
  readonly password?: Secret | undefined
  /** All keys begin with it. */
  readonly prefix: string
  /** In how many hash tags the keys of a route lie, for those that have more than one. */
  readonly shards: ReadonlyMap<string, number>
  /** How many replicas must have a delivery before it counts as stored (WAIT); or all that are in step, and at least one. */
  readonly replicaAcks: number | 'in-step'
  /** If Redis is not known to write to its disk, the store is not fit. */
  readonly requirePersistence: boolean
}

export interface RedisNode {
  readonly host: string
  readonly port: number
}

export type RedisTopology =
  | { readonly kind: 'single'; readonly node: RedisNode; readonly database: number }
  | {
      readonly kind: 'sentinel'
      readonly sentinels: readonly RedisNode[]
      readonly masterName: string
      readonly database: number
    }
  | { readonly kind: 'cluster'; readonly nodes: readonly RedisNode[] }
