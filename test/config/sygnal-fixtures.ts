/** Configurations of a Sygnal, and a folder with the keys that they name. */
import { generateKeyPairSync } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadConfig } from '../../src/config/load.ts'
import type { Config } from '../../src/config/config.ts'
import { ConfigError } from '../../src/config/config-error.ts'
import { sygnalReader, type SygnalExtras } from '../../src/config/sygnal/source.ts'
import { createKeyFile } from '../../src/core/keyring.ts'
import { providers } from '../../src/providers/index.ts'
import { createAuthority } from '../../src/simulators/certificate.ts'

/** As the sample that comes with Sygnal, with its two apps filled in. */
export const SAMPLE = `
log:
  setup:
    version: 1
    formatters:
      normal: { format: "%(asctime)s %(levelname)s %(message)s" }
    handlers:
      stderr: { class: logging.StreamHandler, formatter: normal, stream: ext://sys.stderr }
      stdout: { class: logging.StreamHandler, formatter: normal, stream: ext://sys.stdout }
      file: { class: logging.handlers.WatchedFileHandler, formatter: normal, filename: ./sygnal.log }
    loggers:
      sygnal.access: { propagate: false, handlers: [stdout], level: INFO }
      sygnal: { propagate: false, handlers: [stderr, file] }
    root: { handlers: [stderr], level: INFO }
    disable_existing_loggers: false
  access: { x_forwarded_for: false }
http: { bind_addresses: ['127.0.0.1'], port: 5000 }
metrics:
  prometheus: { enabled: false, address: '127.0.0.1', port: 8000 }
  opentracing:
    enabled: false
    implementation: jaeger
    service_name: sygnal
    jaeger: { sampler: { type: const, param: 1 }, logging: true }
  sentry: { enabled: false }
apps:
  com.example.myapp.ios: { type: apns, keyfile: keys/apns.p8, key_id: ABCDEFGHIJ, team_id: KLMNOPQRST, topic: com.example.myapp }
  im.example.app: { type: gcm, api_version: v1, project_id: project-id, service_account_file: keys/service_account.json }
`

/** Every key that Sygnal documents, and those that it once had, none at its default. */
export const EVERY_KEY = `
log:
  setup:
    version: 1
    formatters: { lines: { class: pythonjsonlogger.json.JsonFormatter } }
    handlers: { out: { class: logging.StreamHandler, formatter: lines, stream: ext://sys.stdout } }
    root: { handlers: [out], level: WARNING }
  access: { x_forwarded_for: true, file: access.log, enabled: yes }
http: { bind_addresses: ['127.0.0.1', '::1'], port: 5010 }
proxy: 'http://user:secret@proxy.example.org:8080'
metrics:
  prometheus: { enabled: true, address: '127.0.0.1', port: 8010 }
  opentracing: { enabled: true, implementation: jaeger, service_name: push, jaeger: { logging: true } }
  sentry: { enabled: true, dsn: 'https://key@sentry.example.org/1' }
db: { dbfile: sygnal.db }
database: { name: sqlite3 }
apps:
  com.example.key:
    type: apns
    platform: sandbox
    keyfile: keys/apns.p8
    key_id: ABCDEFGHIJ
    team_id: KLMNOPQRST
    topic: com.example.app.voip
    push_type: voip
    convert_device_token_to_hex: false
    inflight_request_limit: 100
    send_badge_counts: false
  com.example.certificate: { type: apns, certfile: keys/apns.pem, platform: prod }
  com.example.android:
    type: gcm
    api_version: v1
    api_key: old
    project_id: example-project
    service_account_file: keys/service_account.json
    max_connections: 30
    inflight_request_limit: 100
    send_badge_counts: false
    fcm_options:
      android: { ttl: "3600s" }
      apns: { payload: { aps: { content-available: 1, mutable-content: 1, alert: "" } } }
  com.example.web:
    type: webpush
    vapid_private_key: keys/vapid.pem
    vapid_contact_email: ops@example.org
    allowed_endpoints: [updates.push.services.mozilla.com, '*.notify.windows.com']
    ttl: 600
    max_connections: 30
    inflight_request_limit: 100
`

export interface SygnalFolder extends AsyncDisposable {
  readonly path: string
  at(name: string): string
  write(name: string, text: string): Promise<void>
  /** What `serve --sygnal` would run; the folder is the working directory. */
  load(yaml: string, extras?: Partial<SygnalExtras>, env?: Readonly<Record<string, string>>): Promise<Config>
  /** Every mistake as `line: path: message`; the folder's own path is written as DIR. */
  mistakes(yaml: string, extras?: Partial<SygnalExtras>, env?: Readonly<Record<string, string>>): Promise<string[]>
}

export async function sygnalFolder(): Promise<SygnalFolder> {
  const path = await mkdtemp(join(tmpdir(), 'hushgate-sygnal-'))
  const at = (name: string): string => join(path, name)
  const write = (name: string, text: string): Promise<void> => writeFile(at(name), text)
  await mkdir(at('keys'))
  await Promise.all(Object.entries(keyFiles()).map(([name, text]) => write(`keys/${name}`, text)))
  const load: SygnalFolder['load'] = async (yaml, extras = {}, env = {}) => {
    await mkdir(at('elsewhere'), { recursive: true })
    await write('elsewhere/sygnal.yaml', yaml)
    const readAs = sygnalReader({ workingDirectory: path, ...extras })
    return loadConfig({ path: at('elsewhere/sygnal.yaml'), kinds: providers, env, readAs })
  }
  return {
    path,
    at,
    write,
    load,
    async mistakes(...given) {
      try {
        await load(...given)
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error
        return error.mistakes.map(({ line, path: setting, message }) =>
          `${line}: ${setting}: ${message}`.replaceAll(path, 'DIR'),
        )
      }
      return []
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true }),
  }
}

let madeKeys: Readonly<Record<string, string>> | undefined

/** Made once, because RSA keys take their time. */
function keyFiles(): Readonly<Record<string, string>> {
  madeKeys ??= makeKeys()
  return madeKeys
}

function makeKeys(): Record<string, string> {
  const ec = (): string =>
    generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
  const { key, cert } = createAuthority().issue({ commonName: 'Apple Push Services', uid: 'com.example.certapp' })
  return {
    'apns.p8': ec(),
    'apns.pem': key + cert,
    'vapid.pem': ec(),
    'service_account.json': JSON.stringify({
      type: 'service_account',
      project_id: 'example-project',
      client_email: 'push@example.org',
      private_key: rsa.export({ type: 'pkcs8', format: 'pem' }),
    }),
    store: createKeyFile(),
  }
}
