/** The configuration as the rest of the house sees it: checked, in our own units, secrets unprintable. Plain data. */
import type { PrivacyPolicy } from '../core/privacy-policy.ts'
import type { PusherMatch } from '../core/pusher-match.ts'
import type { Route } from '../core/route.ts'
import type { Timing } from '../core/timing.ts'
import type { Secret } from '../core/secret.ts'
import type { StoreSettings } from '../store/settings.ts'
import type { FileHashes, Mistake } from './config-error.ts'
import type { OperatorConfig } from './operator.ts'

export interface Config {
  /** The file it was read from, absolute. */
  readonly file: string
  readonly http: HttpConfig
  readonly admin: AdminConfig
  readonly store: StoreSettings
  readonly queue: QueueConfig
  readonly unknownApp: 'drop' | 'reject'
  /** Whether it is kept what became of the last push to each device. */
  readonly receipts: boolean
  readonly proxy?: ProxyConfig | undefined
  readonly log: LogConfig
  /** Undefined: nothing is traced. */
  readonly tracing?: TracingConfig | undefined
  /** At most one for a route. */
  readonly canaries: readonly CanaryConfig[]
  /** Who runs it, as the page for people says. */
  readonly operator?: OperatorConfig | undefined
  readonly routes: readonly RouteConfig[]
  /** Every file whose change should lead to a reload, with a hash of what was in it before it was used. */
  readonly files: FileHashes
  /** What is to be told to the operator, but no reason to refuse. */
  readonly warnings: readonly Mistake[]
}

/** The configured names of the apps, in the order of the file. */
export function appNames({ routes }: Pick<Config, 'routes'>): readonly string[] {
  return [...new Set(routes.map(({ app }) => app))]
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
  /** Of the bodies of all requests together. */
  readonly bodyMemoryBytes: number
  /** In one request. */
  readonly maxDevices: number
  readonly maxConnections: number
  /** Ranges of addresses (core/address-ranges.ts) of proxies that say where a request came from. */
  readonly trustProxy: readonly string[]
  readonly doors: DoorsConfig
}

/** Who may post a notification; each is off where it is absent. */
export interface DoorsConfig {
  readonly secrets?: UrlSecrets | undefined
  /** Ranges of addresses. */
  readonly allowFrom?: readonly string[] | undefined
  readonly limitPerSource?: SourceLimit | undefined
}

/** What one source may post in a minute. */
export interface SourceLimit {
  readonly mode: 'enforce' | 'observe'
  readonly devicesPerMinute: number
  readonly bytesPerMinute: number
}

export interface UrlSecrets {
  readonly mode: 'enforce' | 'observe'
  /** One of these is asked for. */
  readonly any: readonly Secret[]
}

export interface AdminConfig {
  readonly host: string
  readonly port: number
  /** Without one, nothing that needs the token is answered. */
  readonly tokenFile?: KeyFile | undefined
  /** Globs of names in the header Host. */
  readonly allowedHosts: readonly string[]
}

export interface KeyFile {
  /** Absolute. */
  readonly path: string
  /** Its name was not given: it is made on first start (`openKeys`). */
  readonly isOurs: boolean
}

export interface QueueConfig {
  readonly maxAgeMs: number
  readonly callMaxAgeMs: number
  /** Pushes that one route may have waiting. */
  readonly highWater: number
  /** Deliveries of one route in flight at once, in this process. */
  readonly concurrency: number
  readonly encryptionKeyFile: KeyFile
}

export interface LogConfig {
  readonly level: 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'
  readonly format: 'json' | 'text'
}

/** A device of the operator's own that is sent a push on a schedule. */
export interface CanaryConfig {
  /** As its pusher has it. */
  readonly appId: string
  /** Name of its route. */
  readonly route: string
  readonly pushkey: Secret
  /** The pusher's data: an object, as JSON. */
  readonly data: Secret
  readonly everyMs: number
}

/** Where traces go (OTLP over HTTP), and of what. */
export interface TracingConfig {
  /** With its path. */
  readonly url: string
  /** For the collector alone, by their names. */
  readonly headers: ReadonlyMap<string, Secret>
  /** PEM: who signed the collector's certificate, where that is nobody known. No secret, but too long to be shown. */
  readonly authorities?: Secret | undefined
  /** How many of the notify requests are traced, from 0 to 1. */
  readonly sampleRatio: number
}

/**
 * A provider's own options, by the schema of its kind. Only that kind can read them: `kinds[route.provider]?.open(route.options, …)` is all there is
 * to do with them, and to the compiler they fit every kind.
 */
export type ProviderOptions = never

/** An app's section, or one of its `providers`; the provider is a key of the provider kinds. */
export interface RouteConfig extends Route {
  /** Of an app with several push services: which pushers are for this one; undefined where its kind knows them by itself. */
  readonly when?: PusherMatch | undefined
  /** File paths are absolute, defaults filled in. */
  readonly options: ProviderOptions
  /** What users call the app, where it is said. */
  readonly displayName?: string | undefined
  readonly policy: PrivacyPolicy
  readonly timing: Timing
  /** The files among the options, absolute. */
  readonly files: readonly string[]
}
