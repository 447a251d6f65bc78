/** What differs between two configurations, and so what a reload has to do. Pure. */
import { isDeepStrictEqual } from 'node:util'
import type { Config, RouteConfig } from './config.ts'

type Differ = (before: Config, after: Config) => boolean

/** Takes effect only after a restart: by its path in the file, whether it differs. docs/operating.md lists them. */
export const RESTART_ONLY: Readonly<Record<string, Differ>> = {
  'http.host': ({ http }, { http: next }) => http.host !== next.host,
  'http.port': ({ http }, { http: next }) => http.port !== next.port,
  'http.body_limit': ({ http }, { http: next }) => http.bodyLimitBytes !== next.bodyLimitBytes,
  'http.body_memory': ({ http }, { http: next }) => http.bodyMemoryBytes !== next.bodyMemoryBytes,
  'http.max_devices': ({ http }, { http: next }) => http.maxDevices !== next.maxDevices,
  'http.max_connections': ({ http }, { http: next }) => http.maxConnections !== next.maxConnections,
  'admin.host': ({ admin }, { admin: next }) => admin.host !== next.host,
  'admin.port': ({ admin }, { admin: next }) => admin.port !== next.port,
  'admin.allowed_hosts': ({ admin }, { admin: next }) => !isDeepStrictEqual(admin.allowedHosts, next.allowedHosts),
  'admin.token_file': (before, after) =>
    before.admin.tokenFile?.path !== after.admin.tokenFile?.path ||
    isFileChanged(before.admin.tokenFile?.path, before, after),
  store: (before, after) =>
    !isDeepStrictEqual(revealed(before), revealed(after)) || isFileChanged(caFileOf(before), before, after),
  'queue.encryption_key_file': (before, after) =>
    before.queue.encryptionKeyFile.path !== after.queue.encryptionKeyFile.path ||
    isFileChanged(before.queue.encryptionKeyFile.path, before, after),
  'queue.concurrency': ({ queue }, { queue: next }) => queue.concurrency !== next.concurrency,
  'log.format': ({ log }, { log: next }) => log.format !== next.format,
}

/** Settings that differ but take effect only after a restart. */
export function restartOnly(before: Config, after: Config): string[] {
  return Object.entries(RESTART_ONLY)
    .filter(([, differs]) => differs(before, after))
    .map(([path]) => path)
}

/** One that was not there before is one that this process made itself. */
function isFileChanged(path: string | undefined, { files: before }: Config, { files: after }: Config): boolean {
  const hash = path === undefined ? undefined : before.get(path)
  return path !== undefined && hash !== undefined && hash !== after.get(path)
}

/** Names of routes in both configurations that differ: in options, policy, the content of one of their files, or the proxy. They have to be opened anew. */
export function routesChanged(before: Config, after: Config): ReadonlySet<string> {
  const old = new Map(before.routes.map((route) => [route.name, route]))
  const isProxyChanged = !isDeepStrictEqual(revealedProxy(before), revealedProxy(after))
  const changed = after.routes.filter((route) => {
    const was = old.get(route.name)
    return (
      was !== undefined && (isProxyChanged || !isDeepStrictEqual(withHashes(was, before), withHashes(route, after)))
    )
  })
  return new Set(changed.map(({ name }) => name))
}

function withHashes(route: RouteConfig, { files }: Config): unknown {
  return [route, route.files.map((path) => files.get(path))]
}

/** With the password in clear: two secrets look alike from outside. */
function revealed({ store }: Config): unknown {
  return store.kind === 'redis' ? { ...store, password: store.password?.reveal() } : store
}

function revealedProxy({ proxy }: Config): unknown {
  return { ...proxy, credentials: proxy?.credentials?.reveal() }
}

function caFileOf({ store }: Config): string | undefined {
  return store.kind === 'redis' ? store.caFile : undefined
}
