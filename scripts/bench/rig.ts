/** What the gateways and the simulated push services know of each other: certificates, credentials, ports. Kept in a folder, so that a peer can be set up. */
import { generateKeyPairSync } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createAuthority } from '../../src/simulators/certificate.ts'
import { createServiceAccount } from '../../src/simulators/fcm-authorization.ts'
import { startHelper, type Helper } from './calls.ts'
import type { operations, Ports, PushService } from './simulator-process.ts'

export const TOPIC = 'com.example.app'
export const APNS_KEY = { id: 'BENCHKEY01', team: 'BENCHTEAM1' } as const
const HOSTS = ['localhost', '127.0.0.1', 'api.push.apple.com', 'fcm.googleapis.com', 'oauth2.googleapis.com']
const FREE_PORTS: Ports = { apns: 0, fcm: 0, webpush: 0, apnsWithIds: 0, tokens: 0 }

export type Simulator = Helper<typeof operations>

export interface Rig {
  /** The path of a file of the rig: `ca.pem`, `AuthKey.p8`, `service-account.json`, `vapid.pem`. */
  readonly at: (name: string) => string
  readonly ports: Ports
  readonly simulator: Simulator
}

/** Starts the simulated push services; makes in the folder what is not there yet. The ports of a folder stay the same. */
export async function startRig(folder: string): Promise<Rig> {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const at = (name: string): string => join(folder, name)
  if (!existsSync(at('vapid.pem'))) writeKeys(at)
  const isNew = !existsSync(at('ports.json'))
  const wanted: Ports = isNew ? FREE_PORTS : JSON.parse(readFileSync(at('ports.json'), 'utf8'))
  const simulator = startHelper<typeof operations>('simulator-process.ts')
  const [key, cert] = ['server-key.pem', 'server.pem'].map((name) => readFileSync(at(name), 'utf8'))
  const ports = await simulator.ask('listen', { ports: wanted, key: key ?? '', cert: cert ?? '' })
  if (isNew) {
    writeFileSync(at('ports.json'), JSON.stringify(ports))
    const account = createServiceAccount('bench', `https://127.0.0.1:${ports.tokens}/token`)
    writeFileSync(at('service-account.json'), JSON.stringify(account), { mode: 0o600 })
  }
  return { at, ports, simulator }
}

function writeKeys(at: Rig['at']): void {
  const authority = createAuthority()
  const { key, cert } = authority.issue({ commonName: 'localhost', hosts: HOSTS })
  const files = {
    'ca.pem': authority.certificate,
    'server-key.pem': key,
    'server.pem': cert,
    'AuthKey.p8': ecKey(),
    'vapid.pem': ecKey(),
  }
  for (const [name, text] of Object.entries(files)) writeFileSync(at(name), text, { mode: 0o600 })
}

function ecKey(): string {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
    .privateKey.export({ type: 'pkcs8', format: 'pem' })
    .toString()
}

/** One each, so that the file of a gateway fits every scenario. */
export const APP_IDS: Readonly<Record<PushService, string>> = {
  apns: 'com.example.ios',
  fcm: 'com.example.android',
  webpush: 'com.example.web',
}
