/** The gateways that are measured: Hushgate as installed, on either store, and peers that somebody else has started. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createKeyFile } from '../../src/core/keyring.ts'
import { configuration, type FurtherApp } from './configuration.ts'
import { familyOf } from './processes.ts'
import { startProgram, type Program } from './program.ts'
import { startRedisServer, type RedisServer } from './redis-server.ts'
import type { Rig } from './rig.ts'

export interface Subject {
  readonly name: string
  start(rig: Rig): Promise<RunningSubject>
}

export interface RunningSubject {
  /** Where notifications are posted: at each of its processes. */
  readonly urls: readonly [string, ...string[]]
  /** Of the first process; a peer has none. */
  readonly adminUrl?: string
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
  readonly furtherApps?: readonly FurtherApp[]
  /** Default: 1. More than one need Redis. */
  readonly processes?: number
}

const NOTIFY_PATH = '/_matrix/push/v1/notify'

export function hushgate({ name, program, store, furtherApps = [], processes = 1 }: HushgateOptions): Subject {
  return {
    name,
    async start(rig) {
      const folder = mkdtempSync(join(tmpdir(), 'hushgate-bench-'))
      const redis = store === 'redis' ? await startRedisServer() : undefined
      const storeUrl = redis === undefined ? 'sqlite:./hushgate.db' : redis.url
      writeFileSync(join(folder, 'keys'), createKeyFile(), { mode: 0o600 })
      writeFileSync(join(folder, 'hushgate.yaml'), configuration(rig, storeUrl, furtherApps))
      const first = await startProgram(program, folder)
      const others: Program[] = []
      for (let more = 1; more < processes; more += 1) others.push(await startProgram(program, folder))
      return {
        urls: [first.notify + NOTIFY_PATH, ...others.map(({ notify }) => notify + NOTIFY_PATH)],
        adminUrl: first.admin,
        pids: () => [first, ...others].flatMap(({ pid }) => familyOf(pid)),
        ...(redis === undefined ? {} : { redis }),
        async stop() {
          await Promise.all([first, ...others].map((each) => each.kill()))
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
  return { name, start: async () => ({ urls: [notifyUrl], pids: () => familyOf(Number(pid)), stop: async () => {} }) }
}
