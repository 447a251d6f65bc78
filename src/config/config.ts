/** The configuration as the rest of the house sees it: checked, in our own units, secrets unprintable. Plain data. */
import type { PrivacyPolicy } from '../core/privacy-policy.ts'
import type { Timing } from '../core/timing.ts'
import type { Secret } from '../core/secret.ts'
import type { FileHashes, Mistake } from './config-error.ts'

export interface Config {
  /** The file it was read from, absolute. */
  readonly file: string
  readonly http: HttpConfig
  readonly admin: AdminConfig
  readonly store: StoreConfig
  readonly queue: QueueConfig
  readonly unknownApp: 'drop' | 'reject'
  readonly proxy?: ProxyConfig | undefined
  readonly log: LogConfig
  readonly apps: readonly AppConfig[]
  /** Every file whose change should lead to a reload, with a hash of what was in it before it was used. */
  readonly files: FileHashes
  /** What is to be told to the operator, but no reason to refuse. */
  readonly warnings: readonly Mistake[]
}

/** The HTTP proxy through which push services are reached. */
export interface ProxyConfig {
  readonly host: string
  readonly port: number
  /** `user:password`. */
  readonly credentials?: Secret | undefined
  /** Who is reached without it: the environment variable NO_PROXY. */
  readonly noProxy?: string | undefined
}

export interface HttpConfig {
  readonly host: string
  readonly port: number
  readonly bodyLimitBytes: number
}

export interface AdminConfig {
  readonly host: string
  readonly port: number
  /** Without one, nothing that needs the token is answered. */
  readonly tokenFile?: KeyFile | undefined
}

export interface KeyFile {
  /** Absolute. */
  readonly path: string
  /** Its name was not given: it is made on first start (`openKeys`). */
  readonly isOurs: boolean
}

export type StoreConfig = SqliteConfig | RedisConfig

export interface SqliteConfig {
  readonly kind: 'sqlite'
  /** Absolute. */
  readonly file: string
  readonly synchronous: 'full' | 'normal'
}

export interface RedisConfig {
  readonly kind: 'redis'
  readonly topology: RedisTopology
  readonly tls: boolean
  /** Absolute; PEM. */
  readonly caFile?: string | undefined
  readonly username?: string | undefined
  readonly password?: Secret | undefined
  readonly prefix: string
  readonly replicaAcks: number
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

export interface QueueConfig {
  readonly maxAgeMs: number
  readonly callMaxAgeMs: number
  /** Pushes that one app may have waiting. */
  readonly highWater: number
  /** Deliveries of one app in flight at once, in this process. */
  readonly concurrency: number
  readonly encryptionKeyFile: KeyFile
}

export interface LogConfig {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'
  readonly format: 'json' | 'text'
}

/**
 * A provider's own options, by the schema of its kind. Only that kind can read them: `kinds[app.kind]?.open(app.options, …)` is all there is
 * to do with them, and to the compiler they fit every kind.
 */
export type ProviderOptions = never

export interface AppConfig {
  /** An app_id, or a glob of them. */
  readonly name: string
  /** Its push service: a key of the provider kinds. */
  readonly kind: string
  /** File paths are absolute, defaults filled in. */
  readonly options: ProviderOptions
  readonly policy: PrivacyPolicy
  readonly timing: Timing
  /** The files among the options, absolute. */
  readonly files: readonly string[]
}
