/** The gateways that are measured: Hushgate as installed, on either store, and peers that somebody else has started. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { createKeyFile } from '../../src/core/keyring.ts'
import { familyOf } from './processes.ts'
import { startRedisServer, type RedisServer } from './redis-server.ts'
import { APNS_KEY, APP_IDS, TOPIC, type Rig } from './rig.ts'

export interface Subject {
  readonly name: string
  start(rig: Rig): Promise<RunningSubject>
}

export interface RunningSubject {
  /** Where notifications are posted. */
  readonly url: string
  /** Its processes; those of Redis are apart. */
  pids(): readonly number[]
  readonly redis?: RedisServer
  stop(): Promise<void>
}

export type StoreKind = 'sqlite' | 'redis'

export interface HushgateOptions {
  readonly name: string
  /** The program, as `npm run build` makes it. */
  readonly program: string
  readonly store: StoreKind
}

const NOTIFY_PATH = '/_matrix/push/v1/notify'

export function hushgate({ name, program, store }: HushgateOptions): Subject {
  return {
    name,
    async start(rig) {
      const folder = mkdtempSync(join(tmpdir(), 'hushgate-bench-'))
      const redis = store === 'redis' ? await startRedisServer() : undefined
      const storeUrl = redis === undefined ? 'sqlite:./hushgate.db' : redis.url
      writeFileSync(join(folder, 'keys'), createKeyFile(), { mode: 0o600 })
      writeFileSync(join(folder, 'hushgate.yaml'), configuration(rig, storeUrl))
      // No environment: a proxy that is named in ours would be asked to reach loopback.
      const child = spawn(process.execPath, [program, 'serve'], {
        cwd: folder,
        env: {},
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const killNow = (): void => void child.kill('SIGKILL')
      process.once('exit', killNow)
      const ended = new Promise((resolve) => child.once('exit', resolve))
      const notify = await new Promise<string>((resolve, reject) => {
        const lines: string[] = []
        createInterface(child.stdout).on('line', (line) => {
          if (lines.length < 100) lines.push(line)
          if (line.includes('Hushgate is running')) resolve(JSON.parse(line).notify)
        })
        child.once('exit', () => reject(new Error(`${program} ended:\n${lines.join('\n')}`)))
      })
      return {
        url: `${notify}${NOTIFY_PATH}`,
        pids: () => familyOf(child.pid ?? 0),
        ...(redis === undefined ? {} : { redis }),
        async stop() {
          process.off('exit', killNow)
          killNow()
          await ended
          await redis?.stop()
          rmSync(folder, { recursive: true, force: true })
        },
      }
    },
  }
}

/** `text`: NAME=URL,PID. What it does between runs is its own business: it is started and stopped by whoever set it up. */
export function peer(text: string): Subject {
  const [, name, url, pid] = /^([^=]+)=(https?:.+),(\d+)$/.exec(text) ?? []
  if (name === undefined || url === undefined) throw new Error(`--peer ${text} is not NAME=URL,PID`)
  const notifyUrl = new URL(NOTIFY_PATH, url).href
  return { name, start: async () => ({ url: notifyUrl, pids: () => familyOf(Number(pid)), stop: async () => {} }) }
}

function configuration({ at, ports }: Rig, storeUrl: string): string {
  const path = (name: string): string => JSON.stringify(at(name))
  return `http: { host: 127.0.0.1, port: 0 }
admin: { port: 0 }
store: { url: ${JSON.stringify(storeUrl)} }
queue: { encryption_key_file: keys }
privacy: event_id_only
apps:
  ${APP_IDS.apns}:
    type: apns
    key_file: ${path('AuthKey.p8')}
    key_id: ${APNS_KEY.id}
    team_id: ${APNS_KEY.team}
    topic: ${TOPIC}
    endpoint: https://127.0.0.1:${ports.apns}
    ca_file: ${path('ca.pem')}
  ${APP_IDS.fcm}:
    type: fcm
    service_account_file: ${path('service-account.json')}
    endpoint: https://127.0.0.1:${ports.fcm}
    ca_file: ${path('ca.pem')}
  ${APP_IDS.webpush}:
    type: webpush
    vapid_private_key_file: ${path('vapid.pem')}
    vapid_subject: mailto:ops@example.org
    allow_private_endpoints: ['127.0.0.1']
    ca_file: ${path('ca.pem')}
`
}
