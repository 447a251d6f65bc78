/** Which store, and how it is reached. */
import type { Secret } from '../core/secret.ts'

export type StoreSettings = SqliteSettings | RedisSettings

export interface SqliteSettings {
  readonly kind: 'sqlite'
  /** Absolute. */
  readonly file: string
  readonly synchronous: 'full' | 'normal'
}

export interface RedisSettings {
  readonly kind: 'redis'
  readonly topology: RedisTopology
  readonly tls: boolean
  /** PEM file of the authority that signed Redis' certificate. Absolute. */
  readonly caFile?: string | undefined
  readonly username?: string | undefined
  readonly password?: Secret | undefined
  /** What all keys begin with. */
  readonly prefix: string
  /** How many replicas must have a delivery before it counts as stored (WAIT). */
  readonly replicaAcks: number
  /** Not to be known to write to disk makes the store unfit. */
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
