/** A real Synapse on loopback, on SQLite in a temporary folder; scripts/install-synapse.ts installs it. */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { codeOf } from '../../scripts/document-code.ts'
import { freePort } from '../helpers/free-port.ts'
import { startLoggedProcess } from '../helpers/logged-process.ts'
import { askHomeserver, registerUser, type MatrixUser } from './matrix-user.ts'

const PYTHON = join(import.meta.dirname, '../../.cache/synapse/bin/python')
const START_TIMEOUT_MS = 60_000
const UNLIMITED = { per_second: 1000, burst_count: 1000 }

export interface Synapse {
  register(name: string): Promise<MatrixUser>
  readonly log: () => string
  close(): Promise<void>
}

/** `caFile`: of the authority that it trusts; default: those of the machine. */
export async function startSynapse(caFile?: string): Promise<Synapse> {
  if (!existsSync(PYTHON)) throw new Error('Synapse is not installed: run node scripts/install-synapse.ts')
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-synapse-'))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const sharedSecret = randomBytes(16).toString('hex')
  const configFile = join(folder, 'homeserver.yaml')
  // JSON is YAML.
  await writeFile(configFile, JSON.stringify(configuration(folder, port, sharedSecret)))
  await writeFile(
    join(folder, 'signing.key'),
    `ed25519 a_test ${randomBytes(32).toString('base64').replace('=', '')}\n`,
  )

  const env = caFile === undefined ? {} : { SSL_CERT_FILE: caFile }
  const synapse = startLoggedProcess(PYTHON, ['-m', 'synapse.app.homeserver', '-c', configFile], folder, env)
  const close = async (): Promise<void> => {
    // Nothing that a gentle end would still write is wanted.
    await synapse.end('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  }
  try {
    await synapse.ready(() => askHomeserver(url, 'GET', '/_matrix/client/versions'), START_TIMEOUT_MS)
  } catch (error) {
    await close()
    throw error
  }
  return { register: (name) => registerUser(url, sharedSecret, name), log: synapse.log, close }
}

/** Alone in the world, in no hurry to limit anybody, and allowed to push to loopback (by default it is not). */
function configuration(folder: string, port: number, sharedSecret: string): object {
  return {
    server_name: 'hush.test',
    listeners: [{ type: 'http', port, bind_addresses: ['127.0.0.1'], resources: [{ names: ['client'] }] }],
    database: { name: 'sqlite3', args: { database: join(folder, 'homeserver.db') } },
    media_store_path: join(folder, 'media'),
    signing_key_path: join(folder, 'signing.key'),
    macaroon_secret_key: sharedSecret,
    form_secret: sharedSecret,
    registration_shared_secret: sharedSecret,
    bcrypt_rounds: 4,
    report_stats: false,
    trusted_key_servers: [],
    federation_domain_whitelist: [],
    ...parse(codeOf('docs/deploying.md', 'ip_range_whitelist').replace('192.168.1.20', '127.0.0.1')),
    presence: { enabled: false },
    rc_message: UNLIMITED,
    rc_login: { address: UNLIMITED, account: UNLIMITED, failed_attempts: UNLIMITED },
    rc_room_creation: UNLIMITED,
    rc_joins: { local: UNLIMITED, remote: UNLIMITED },
    rc_joins_per_room: UNLIMITED,
    rc_invites: { per_room: UNLIMITED, per_user: UNLIMITED, per_issuer: UNLIMITED },
  }
}
