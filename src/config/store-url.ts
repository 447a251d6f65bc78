/** The forms of `store.url` and `store.cluster`. Pure. Never repeats a URL, which may hold a password. */
import type { RedisNode, RedisTopology } from '../store/settings.ts'

export type StoreUrl =
  | { readonly kind: 'sqlite'; readonly path: string }
  | {
      readonly kind: 'redis'
      readonly topology: RedisTopology
      readonly tls: boolean
      readonly username?: string | undefined
      readonly password?: string | undefined
    }

const REDIS_PORT = 6379
const SENTINEL_PORT = 26_379

const FORMS =
  'expected sqlite:./path, sqlite:/path, redis://host:6379, rediss://host:6379 or redis+sentinel://host:26379,host:26379/name'

/** What the URL says, or a sentence about what is wrong with it. */
export function parseStoreUrl(url: string): StoreUrl | string {
  if (url.startsWith('sqlite:')) return parseSqlite(url.slice('sqlite:'.length))
  if (/^rediss?\+sentinel:\/\//.test(url)) return parseSentinel(url)
  if (/^rediss?:\/\//.test(url)) return parseRedis(url)
  return FORMS
}

/** The nodes of `store.cluster`: all with the same scheme and credentials, database 0. */
export function parseCluster(urls: readonly string[]): StoreUrl | string {
  const nodes: RedisNode[] = []
  let first: (StoreUrl & { kind: 'redis' }) | undefined
  for (const url of urls) {
    const parsed = /^rediss?:\/\//.test(url) ? parseRedis(url) : 'expected redis://host:6379 or rediss://host:6379'
    if (typeof parsed === 'string') return parsed
    if (parsed.kind !== 'redis' || parsed.topology.kind !== 'single') return FORMS
    first ??= parsed
    if (parsed.topology.database !== 0) return 'a Redis Cluster has only database 0'
    if (parsed.tls !== first.tls) return 'the nodes of a cluster are either all redis:// or all rediss://'
    if (parsed.username !== first.username || parsed.password !== first.password)
      return 'the nodes of a cluster share one user and password; better give store.username and store.password_file'
    nodes.push(parsed.topology.node)
  }
  return first === undefined ? FORMS : { ...first, topology: { kind: 'cluster', nodes } }
}

function parseSqlite(rest: string): StoreUrl | string {
  if (rest === ':memory:') return 'a database in memory would lose pushes; give a file, as in sqlite:./data/hushgate.db'
  const path = rest.replace(/^\/\/(?=\/)/, '')
  if (path === '' || path.endsWith('/')) return 'names no file; write it as in sqlite:./data/hushgate.db'
  if (path.startsWith('//'))
    return 'after sqlite: comes a path, as in sqlite:./data/hushgate.db or sqlite:/var/lib/hushgate.db'
  if (/[?#]/.test(path)) return 'a SQLite URL takes no parameters'
  return { kind: 'sqlite', path }
}

function parseRedis(url: string): StoreUrl | string {
  const parsed = URL.parse(url)
  if (parsed === null || parsed.hostname === '') return 'is not a URL with a host; expected redis://host:6379'
  const database = databaseOf(parsed.pathname)
  if (database === undefined) return 'after the host comes only the number of a database, as in redis://host:6379/0'
  if (parsed.search !== '' || parsed.hash !== '')
    return 'a Redis URL takes no parameters here; use the settings of store'
  const credentials = credentialsOf(parsed.username, parsed.password)
  if (credentials === undefined) return 'the user or password has a % that begins no escape; write %25'
  const node = { host: bare(parsed.hostname), port: parsed.port === '' ? REDIS_PORT : Number(parsed.port) }
  return {
    kind: 'redis',
    topology: { kind: 'single', node, database },
    tls: parsed.protocol === 'rediss:',
    ...credentials,
  }
}

/** Not a URL for `URL`: it lists several hosts. The credentials are those of Redis itself. */
function parseSentinel(url: string): StoreUrl | string {
  const match = /^(rediss?)\+sentinel:\/\/(?:([^@/:]*)(?::([^@/]*))?@)?([^@/?#]+)\/([^/?#]+)(\/[^?#]*)?$/.exec(url)
  const [, scheme, username = '', password = '', hosts = '', masterName = '', databasePath = '/'] = match ?? []
  const database = databaseOf(databasePath)
  const sentinels = hosts.split(',').map(parseHost)
  if (match === null || database === undefined || sentinels.includes(undefined))
    return 'expected redis+sentinel://host:26379,host:26379/name-of-the-master, and a number for a database after that'
  const credentials = credentialsOf(username, password)
  if (credentials === undefined) return 'the user or password has a % that begins no escape; write %25'
  const topology = {
    kind: 'sentinel',
    sentinels: sentinels.filter((node) => node !== undefined),
    masterName,
    database,
  } as const
  return { kind: 'redis', topology, tls: scheme === 'rediss', ...credentials }
}

function parseHost(text: string): RedisNode | undefined {
  const parsed = URL.parse(`redis://${text}`)
  if (parsed === null || parsed.hostname === '' || parsed.pathname !== '') return undefined
  return { host: bare(parsed.hostname), port: parsed.port === '' ? SENTINEL_PORT : Number(parsed.port) }
}

function databaseOf(path: string): number | undefined {
  const [, digits] = /^\/?(\d{0,4})$/.exec(path) ?? []
  return digits === undefined ? undefined : Number(digits)
}

/** An IPv6 address without its brackets. */
function bare(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1')
}

function credentialsOf(
  username: string,
  password: string,
): { username?: string | undefined; password?: string | undefined } | undefined {
  try {
    return {
      username: username === '' ? undefined : decodeURIComponent(username),
      password: password === '' ? undefined : decodeURIComponent(password),
    }
  } catch {
    return undefined
  }
}
