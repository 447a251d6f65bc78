/** The notify port: the section `http`, and the secrets that it names. */
import type { Secret } from '../core/secret.ts'
import type { HttpConfig, SourceLimit, UrlSecrets } from './config.ts'
import { parseToken } from './keys.ts'
import type { Loading } from './loading.ts'
import type { FileSection } from './schema.ts'
import { parseSizeBytes } from './units.ts'

const SECRETS_PATH = ['http', 'url_secrets_file']

export async function readHttp(section: FileSection<'http'>, loading: Loading): Promise<HttpConfig> {
  const { host, port, trust_proxy: trustProxy = [], allow_from: allowFrom } = section
  const bodyLimitBytes = parseSizeBytes(section.body_limit) ?? 0
  const bodyMemoryBytes = parseSizeBytes(section.body_memory) ?? 0
  if (bodyMemoryBytes < bodyLimitBytes)
    loading.report(['http', 'body_memory'], `is less than body_limit, which is ${section.body_limit}`)
  return {
    host,
    port,
    bodyLimitBytes,
    bodyMemoryBytes,
    maxDevices: section.max_devices,
    maxConnections: section.max_connections,
    trustProxy,
    doors: { secrets: await readSecrets(section, loading), allowFrom, limitPerSource: readLimit(section, loading) },
  }
}

async function readSecrets(section: FileSection<'http'>, loading: Loading): Promise<UrlSecrets | undefined> {
  const { url_secrets_file: file, url_secrets_mode: mode } = section
  if (file === undefined) return undefined
  const text = await loading.read(loading.resolve(file), SECRETS_PATH)
  if (text === undefined) return undefined
  const lines = text.split('\n').filter((line) => line.trim() !== '')
  if (lines.length === 0)
    loading.report(SECRETS_PATH, 'the file is empty; make a secret for it with: hushgate keygen token')
  const any: Secret[] = []
  for (const line of lines) {
    const secret = parseToken(line)
    if (typeof secret === 'string') loading.report(SECRETS_PATH, `in a line of the file: ${secret}`)
    else any.push(secret)
  }
  return { mode, any }
}

function readLimit(section: FileSection<'http'>, loading: Loading): SourceLimit | undefined {
  const { limit_per_source: limit, body_limit: bodyLimit, max_devices: maxDevices } = section
  if (limit === undefined) return undefined
  const path = ['http', 'limit_per_source']
  const { mode = 'enforce', devices_per_minute: devicesPerMinute } = limit
  const bytesPerMinute = parseSizeBytes(limit.bytes_per_minute) ?? 0
  // Behind a proxy that is not named every homeserver is one source.
  if (section.trust_proxy === undefined)
    loading.report(
      path,
      'nothing says where requests come from; name your reverse proxies in http.trust_proxy, or write trust_proxy: [] where homeservers connect directly',
    )
  if (devicesPerMinute < maxDevices)
    loading.report([...path, 'devices_per_minute'], `is less than max_devices, which is ${maxDevices}`)
  if (bytesPerMinute < (parseSizeBytes(bodyLimit) ?? 0))
    loading.report([...path, 'bytes_per_minute'], `is less than body_limit, which is ${bodyLimit}`)
  return { mode, devicesPerMinute, bytesPerMinute }
}
