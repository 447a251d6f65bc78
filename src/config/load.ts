/** From the file to the Config, or to every mistake in it at once. Reads what the configuration names; makes and writes nothing. */
import { dirname, join, resolve } from 'node:path'
import { Value } from 'typebox/value'
import { isJsonObject } from '../core/json.ts'
import { Keyring, parseKeyFile } from '../core/keyring.ts'
import type { PrivacyMode } from '../core/privacy-policy.ts'
import { readApps } from './apps.ts'
import { readCanaries } from './canary.ts'
import { checkValue } from './check-value.ts'
import type { StoreSettings } from '../store/settings.ts'
import type { AdminConfig, Config, KeyFile, QueueConfig } from './config.ts'
import type { SettingPath } from './config-error.ts'
import { exists, isOpenToAll } from './files.ts'
import { readHttp } from './http.ts'
import { DEFAULT_KEY_FILE, DEFAULT_TOKEN_FILE, parseToken } from './keys.ts'
import { startLoading, type Loading } from './loading.ts'
import { fileSchema, type FileSection, type ProviderKinds } from './schema.ts'
import { readOperator } from './operator.ts'
import { readProxy } from './proxy.ts'
import { readStore } from './store.ts'
import { readTracing } from './tracing.ts'
import { parseDurationMs } from './units.ts'
import { readSource, type Environment, type SourceReader } from './yaml-source.ts'

export interface LoadOptions {
  readonly path: string
  readonly kinds: ProviderKinds
  /** What `${NAME}` stands for. */
  readonly env?: Environment | undefined
  /** For a file in another form than ours. */
  readonly readAs?: SourceReader | undefined
}

/** Rejects with a ConfigError that lists every mistake. */
export async function loadConfig({
  path,
  kinds,
  env = process.env,
  readAs = readSource,
}: LoadOptions): Promise<Config> {
  const loading = startLoading(resolve(path))
  const written = await readWritten(loading, env, readAs)
  const checked = checkValue(fileSchema, written, [], loading)
  const sections = isJsonObject(checked) ? checked : {}
  const { properties } = fileSchema
  const { http, admin, store, queue, privacy, receipts, proxy, proxy_file: proxyFile, log } = sections
  const { unknown_app: unknownApp, overlapping_apps: overlapping } = sections
  const whole = isJsonObject(written) ? written : {}
  const storeConfig = Value.Check(properties.store, store) ? await readStore(store, whole, loading) : undefined
  const adminConfig = Value.Check(properties.admin, admin) ? await readAdmin(admin, storeConfig, loading) : undefined
  if (Value.Check(properties.http, http) && Value.Check(properties.admin, admin)) checkPorts(http, admin, loading)
  const httpConfig = Value.Check(properties.http, http) ? await readHttp(http, loading) : undefined
  const queueConfig = Value.Check(properties.queue, queue) ? await readQueue(queue, storeConfig, loading) : undefined
  const rules = {
    privacy: privacyOf(privacy, loading),
    maxAgeMs: queueConfig?.maxAgeMs,
    mayOverlap: overlapping === 'unknown',
  }
  const routes = await readApps(sections['apps'], rules, kinds, loading)
  const proxyConfig = await readProxy({ proxy, file: proxyFile }, env, loading)
  const tracing = await readTracing(sections, loading)
  const canaries = await readCanaries(sections, routes, kinds, loading)
  loading.throwMistakes()
  if (
    httpConfig === undefined ||
    storeConfig === undefined ||
    adminConfig === undefined ||
    queueConfig === undefined ||
    !Value.Check(properties.unknown_app, unknownApp) ||
    !Value.Check(properties.log, log)
  )
    throw new Error('the configuration is refused, but no mistake was found in it')
  return {
    file: loading.file,
    http: httpConfig,
    admin: adminConfig,
    store: storeConfig,
    queue: queueConfig,
    unknownApp,
    receipts: receipts !== 'off',
    proxy: proxyConfig,
    log,
    tracing,
    canaries,
    operator: readOperator(sections),
    routes,
    warnings: loading.warnings,
    files: loading.files,
  }
}

/** Of a mode that is not one, no more mistakes are to follow. */
function privacyOf(privacy: unknown, loading: Loading): PrivacyMode {
  return Value.Check(fileSchema.properties.privacy, privacy) && !loading.isReported(['privacy']) ? privacy : 'full'
}

/** The file as plain data. When it cannot be read, or is no YAML, nothing more can be said: throws. */
async function readWritten(loading: Loading, env: Environment, readAs: SourceReader): Promise<unknown> {
  const text = await loading.read(loading.file, [])
  if (text !== undefined)
    loading.source = readAs(
      text,
      env,
      (at, line, message) => loading.reportAt(at, line, message),
      (at, line, message) => loading.warnAt(at, line, message),
    )
  if (loading.source?.value === undefined) loading.throwMistakes()
  return loading.source?.value ?? {}
}

/** Two listeners on one port: found here rather than when the second one starts. */
function checkPorts(http: FileSection<'http'>, admin: FileSection<'admin'>, loading: Loading): void {
  const isEverywhere = [http.host, admin.host].some((host) => host === '0.0.0.0' || host === '::')
  if (http.port === 0 || http.port !== admin.port || !(isEverywhere || http.host === admin.host)) return
  loading.report(['admin', 'port'], `is the port of http, too; give another than ${http.port}`)
}

async function readAdmin(
  section: FileSection<'admin'>,
  store: StoreSettings | undefined,
  loading: Loading,
): Promise<AdminConfig> {
  const { host, port, token_file: given, allowed_hosts: allowedHosts } = section
  const path = ['admin', 'token_file']
  const tokenFile = keyFile(given, DEFAULT_TOKEN_FILE, store, loading)
  const text = tokenFile && (await readKey(tokenFile, path, loading))
  const token = text === undefined ? undefined : parseToken(text)
  if (typeof token === 'string') loading.report(path, token)
  return { host, port, tokenFile, allowedHosts }
}

async function readQueue(
  section: FileSection<'queue'>,
  store: StoreSettings | undefined,
  loading: Loading,
): Promise<QueueConfig | undefined> {
  const { max_age: maxAge, call_max_age: callMaxAge, high_water: highWater, concurrency } = section
  const path = ['queue', 'encryption_key_file']
  const encryptionKeyFile = keyFile(section.encryption_key_file, DEFAULT_KEY_FILE, store, loading)
  if (encryptionKeyFile === undefined) {
    const sentence = 'is missing: with Redis every process needs the same keys; make them with: hushgate keygen store'
    if (store !== undefined && !loading.isReported(path))
      loading.reportAt(path, loading.source?.lineOf(['store']) ?? 1, sentence)
    return undefined
  }
  const text = await readKey(encryptionKeyFile, path, loading)
  const keyring = text === undefined ? undefined : parseKeyFile(text)
  if (keyring !== undefined && !(keyring instanceof Keyring))
    for (const mistake of keyring) loading.report(path, `${encryptionKeyFile.path}: ${mistake}`)
  if (text === undefined && encryptionKeyFile.isOurs && store?.kind === 'sqlite' && (await exists(store.file)))
    loading.report(
      path,
      `${encryptionKeyFile.path} does not exist, but ${store.file} does: without its keys what is queued there cannot be read. Restore the file, or move the database away`,
    )
  return {
    maxAgeMs: parseDurationMs(maxAge) ?? 0,
    callMaxAgeMs: parseDurationMs(callMaxAge) ?? 0,
    highWater,
    concurrency,
    encryptionKeyFile,
  }
}

/** The file that is given, or the one beside the SQLite file; undefined when there is neither. */
function keyFile(
  given: string | undefined,
  defaultName: string,
  store: StoreSettings | undefined,
  loading: Loading,
): KeyFile | undefined {
  if (given !== undefined) return { path: loading.resolve(given), isOurs: false }
  return store?.kind === 'sqlite' ? { path: join(dirname(store.file), defaultName), isOurs: true } : undefined
}

/** Undefined when it is not there; that is reported unless it is ours to make. */
async function readKey(file: KeyFile, path: SettingPath, loading: Loading): Promise<string | undefined> {
  if (file.isOurs && !(await exists(file.path))) return undefined
  const text = await loading.read(file.path, path)
  if (text !== undefined && (await isOpenToAll(file.path)))
    loading.warn(path, 'every user of this machine can read the file, or change it; take that away with: chmod o= FILE')
  return text
}
