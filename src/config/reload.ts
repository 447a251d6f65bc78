/** What differs between two configurations, and so what a reload has to do. Pure. */
import { isDeepStrictEqual } from 'node:util'
import type { Config, RouteConfig } from './config.ts'

/** Settings that differ but take effect only after a restart, by their path in the file. */
export function restartOnly(before: Config, after: Config): string[] {
  const changedFile = (path: string | undefined): boolean => {
    const hash = path === undefined ? undefined : before.files.get(path)
    // One that was not there before is one that this process made itself.
    return path !== undefined && hash !== undefined && hash !== after.files.get(path)
  }
  const changed: readonly (readonly [string, boolean])[] = [
    ['http.host', before.http.host !== after.http.host],
    ['http.port', before.http.port !== after.http.port],
    ['http.body_limit', before.http.bodyLimitBytes !== after.http.bodyLimitBytes],
    ['http.body_memory', before.http.bodyMemoryBytes !== after.http.bodyMemoryBytes],
    ['http.max_devices', before.http.maxDevices !== after.http.maxDevices],
    ['http.max_connections', before.http.maxConnections !== after.http.maxConnections],
    ['admin.host', before.admin.host !== after.admin.host],
    ['admin.port', before.admin.port !== after.admin.port],
    ['admin.allowed_hosts', !isDeepStrictEqual(before.admin.allowedHosts, after.admin.allowedHosts)],
    [
      'admin.token_file',
      before.admin.tokenFile?.path !== after.admin.tokenFile?.path || changedFile(before.admin.tokenFile?.path),
    ],
    ['store', !isDeepStrictEqual(revealed(before), revealed(after)) || changedFile(caFileOf(before))],
    [
      'queue.encryption_key_file',
      before.queue.encryptionKeyFile.path !== after.queue.encryptionKeyFile.path ||
        changedFile(before.queue.encryptionKeyFile.path),
    ],
    ['queue.concurrency', before.queue.concurrency !== after.queue.concurrency],
    ['log.format', before.log.format !== after.log.format],
  ]
  return changed.filter(([, isChanged]) => isChanged).map(([path]) => path)
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
