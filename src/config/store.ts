/** The `store` section: its URL taken apart, and which settings belong to which store. */
import { isJsonObject, type JsonObject } from '../core/json.ts'
import { routeName } from '../core/route.ts'
import { Secret } from '../core/secret.ts'
import type { StoreSettings } from '../store/settings.ts'
import type { Loading } from './loading.ts'
import type { FileSection } from './schema.ts'
import { didYouMean } from './sentences.ts'
import { parseCluster, parseStoreUrl, type StoreUrl } from './store-url.ts'

const DEFAULT_URL = 'sqlite:./data/hushgate.db'
const SQLITE_ONLY = ['synchronous']
const REDIS_ONLY = [
  'username',
  'password',
  'password_file',
  'prefix',
  'ca_file',
  'replica_acks',
  'require_persistence',
  'shards',
]

/** `written` is the whole file as it is, without defaults. */
export async function readStore(
  section: FileSection<'store'>,
  written: JsonObject,
  loading: Loading,
): Promise<StoreSettings | undefined> {
  const url = urlOf(section, loading)
  if (url === undefined) return undefined
  for (const key of url.kind === 'sqlite' ? REDIS_ONLY : SQLITE_ONLY)
    if (isJsonObject(written['store']) && Object.hasOwn(written['store'], key))
      loading.report(
        ['store', key],
        url.kind === 'sqlite' ? 'is only for Redis; the store is SQLite' : 'is only for SQLite; the store is Redis',
      )
  if (url.kind === 'sqlite')
    return { kind: 'sqlite', file: loading.resolve(url.path), synchronous: section.synchronous }

  for (const key of ['username', 'password', 'password_file'] as const)
    if (section[key] !== undefined && (key === 'username' ? url.username : url.password) !== undefined)
      loading.report(['store', key], 'is given in the URL, too; give it once')
  const caFile = section.ca_file === undefined ? undefined : loading.resolve(section.ca_file)
  if (caFile !== undefined && (await loading.read(caFile, ['store', 'ca_file'])) !== undefined && !url.tls)
    loading.report(['store', 'ca_file'], 'is only for TLS; write rediss:// instead of redis://')
  checkShards(section, isJsonObject(written['apps']) ? Object.keys(written['apps']) : [], loading)
  const password = (await readPassword(section, loading)) ?? url.password
  return {
    kind: 'redis',
    topology: url.topology,
    tls: url.tls,
    caFile,
    username: section.username ?? url.username,
    password: password === undefined ? undefined : new Secret(password),
    prefix: section.prefix,
    shards: shardsByRoute(section, written['apps']),
    // Where one takes over from another, what only the first one had would be lost.
    replicaAcks: section.replica_acks ?? (url.topology.kind === 'single' ? 0 : 'in-step'),
    requirePersistence: section.require_persistence,
  }
}

/** The number of an app holds for each of its routes. */
function shardsByRoute({ shards = {} }: FileSection<'store'>, apps: unknown): ReadonlyMap<string, number> {
  return new Map(
    Object.entries(shards).flatMap(([app, count]) =>
      routeNamesIn(apps, app).map((route): [string, number] => [route, count]),
    ),
  )
}

/** As `apps` is written: it is not read yet. */
function routeNamesIn(apps: unknown, app: string): readonly string[] {
  const section = isJsonObject(apps) ? apps[app] : undefined
  const entries = isJsonObject(section) && Array.isArray(section['providers']) ? section['providers'] : []
  const types = entries.flatMap((entry: unknown) =>
    isJsonObject(entry) && typeof entry['type'] === 'string' ? [entry['type']] : [],
  )
  return types.length === 0 ? [app] : types.map((type) => routeName(app, type, types.length === 1))
}

function checkShards({ shards = {} }: FileSection<'store'>, apps: readonly string[], loading: Loading): void {
  for (const app of Object.keys(shards).filter((name) => !apps.includes(name)))
    loading.report(
      ['store', 'shards', app],
      `no app has this name; ${didYouMean(app, apps) ?? 'it is that of a section of apps'}`,
    )
}

function urlOf({ url, cluster }: FileSection<'store'>, loading: Loading): StoreUrl | undefined {
  if (url !== undefined && cluster !== undefined) loading.report(['store', 'cluster'], 'give url or cluster, not both')
  const parsed = cluster === undefined ? parseStoreUrl(url ?? DEFAULT_URL) : parseCluster(cluster)
  if (typeof parsed !== 'string') return parsed
  loading.report(['store', cluster === undefined ? 'url' : 'cluster'], parsed)
  return undefined
}

async function readPassword(section: FileSection<'store'>, loading: Loading): Promise<string | undefined> {
  if (section.password_file === undefined) return section.password
  const text = await loading.read(loading.resolve(section.password_file), ['store', 'password_file'])
  const password = text?.replace(/\r?\n$/, '')
  if (password === '') loading.report(['store', 'password_file'], 'the file is empty')
  return password
}
