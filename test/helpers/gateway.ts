/** A whole gateway in this process: real ports, a real store, simulated push services. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { openKeys } from '../../src/config/keys.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { ProviderKinds } from '../../src/config/schema.ts'
import { createEncryptionLine, createKeyFile } from '../../src/core/keyring.ts'
import { openGateway, type Gateway } from '../../src/gateway.ts'
import type { Role } from '../../src/gateway-parts.ts'
import { createLog } from '../../src/log.ts'
import { openConfiguredStore } from '../../src/commands/open-configured-store.ts'
import { providers } from '../../src/providers/index.ts'
import { answerOf, postTo, pushTo, type Answer } from './homeserver.ts'

export interface TestGatewayOptions {
  /** The `store` section as flow YAML, e.g. `{ url: "redis://…" }`; default: SQLite in the test's folder. */
  readonly store?: string
  readonly appsYaml: string
  /** Further settings of the sections `http` and `admin`, as flow YAML that begins with a comma. */
  readonly httpYaml?: string
  readonly adminYaml?: string
  /** Further lines of the configuration. */
  readonly settings?: string
  readonly role?: Role
  /** Default: the push services that there are. */
  readonly kinds?: ProviderKinds
  /** A folder that outlives the gateway, for tests that start it again. */
  readonly folder?: string
  readonly nowMs?: () => number
  /** What the configuration sees of the environment. */
  readonly env?: Readonly<Record<string, string>>
}

export interface TestGateway extends AsyncDisposable {
  readonly folder: string
  readonly url: string
  readonly adminUrl: string
  /** Everything that was logged, at level trace. */
  readonly log: () => string
  readonly gateway: Gateway
  /** As a homeserver does. */
  notify(notification: object): Promise<Answer>
  /** Once, whatever it is answered. */
  post(body: string | Uint8Array<ArrayBuffer>): Promise<Answer>
  metrics(): Promise<string>
  /** A call of the admin API with its token. */
  admin(path: string, body?: object): Promise<Answer>
  /** Writes other apps or settings and reloads. */
  reload(change: Partial<Pick<TestGatewayOptions, 'appsYaml' | 'settings' | 'httpYaml'>>): Promise<readonly string[]>
  close(): Promise<void>
}

export async function startGateway(options: TestGatewayOptions): Promise<TestGateway> {
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'hushgate-gateway-')))
  const configPath = join(folder, 'hushgate.yaml')
  const { kinds = providers } = options
  let { appsYaml, settings = '', httpYaml = '' } = options
  const write = (): Promise<void> => writeFile(configPath, configText({ ...options, httpYaml }, settings, appsYaml))
  await writeFile(join(folder, 'keys'), createKeyFile(), { flag: 'wx', mode: 0o600 }).catch(() => {})
  await writeFile(join(folder, 'token'), createEncryptionLine().replaceAll(' ', '-'), {
    flag: 'wx',
    mode: 0o600,
  }).catch(() => {})
  await write()
  const load = () => loadConfig({ path: configPath, env: options.env ?? {}, kinds })
  const config = await load()
  const lines: string[] = []
  const output = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString())
      done()
    },
  })
  const log = createLog({ level: 'trace', format: 'json' }, output)
  const { keyring, adminToken } = await openKeys(config)
  const { role = 'all', nowMs = Date.now } = options
  const gateway = await openGateway(config, {
    role,
    version: '0.0.0-test',
    kinds,
    keyring,
    adminToken,
    log,
    nowMs,
    openStore: () => openConfiguredStore(config, keyring, log, { nowMs }),
  })
  const url = gateway.notifyUrl ?? ''
  const token = (await readFile(join(folder, 'token'), 'utf8')).trim()
  const close = async (): Promise<void> => {
    await gateway.close()
    if (options.folder === undefined) await rm(folder, { recursive: true, force: true })
  }
  return {
    folder,
    url,
    adminUrl: gateway.adminUrl,
    gateway,
    log: () => lines.join(''),
    notify: (notification) => pushTo(url, notification),
    post: (body) => postTo(url, body),
    metrics: async () => (await fetch(`${gateway.adminUrl}/metrics`)).text(),
    async admin(path, body) {
      const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
      const init = body === undefined ? { headers } : { method: 'POST', headers, body: JSON.stringify(body) }
      return answerOf(await fetch(gateway.adminUrl + path, init))
    },
    async reload(change) {
      appsYaml = change.appsYaml ?? appsYaml
      settings = change.settings ?? settings
      httpYaml = change.httpYaml ?? httpYaml
      await write()
      return gateway.reload(await load())
    },
    close,
    [Symbol.asyncDispose]: close,
  }
}

function configText(
  { store, httpYaml, adminYaml = '' }: TestGatewayOptions & { readonly httpYaml: string },
  settings: string,
  appsYaml: string,
): string {
  return `http: { host: 127.0.0.1, port: 0${httpYaml} }
admin: { host: 127.0.0.1, port: 0, token_file: token${adminYaml} }
store: ${store ?? '{ url: "sqlite:./hushgate.db" }'}
${settings.includes('queue:') ? settings : `queue: { encryption_key_file: keys }\n${settings}`}
${appsYaml}`
}

/** The values of a metric by its labels, from Prometheus' text. */
export function metricValue(
  text: string,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | undefined {
  for (const line of text.split('\n')) {
    const match = /^([a-z_]+)(?:\{(.*)\})? (\S+)$/.exec(line)
    if (match?.[1] !== name) continue
    if (Object.entries(labels).every(([label, value]) => match[2]?.includes(`${label}="${value}"`)))
      return Number(match[3])
  }
  return undefined
}
