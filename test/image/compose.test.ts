/** The compose examples: their init steps, run as their files say, make folders that the image can read, and that Redis starts with. */
import { spawnSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { bases, podman } from '../../scripts/image-tools.ts'
import { initScript, readCompose, redisSettings, type ComposeService } from '../helpers/compose.ts'
import { freePort } from '../helpers/free-port.ts'
import { startRedis } from '../helpers/redis.ts'
import { createVolume, startPlainContainer, type Container } from './container.ts'

/** The user who wrote the configuration, under a umask that lets nobody else read it. */
const OPERATOR = 1000
const IMAGE_GROUP = 65_532
const REDIS = { user: 999, group: 1000 }

let folder: string
let config: string
let data: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hushgate-compose-'))
  // Only root may pass mkdtemp's own.
  chmodSync(folder, 0o755)
  config = join(folder, 'hushgate')
  data = join(folder, 'redis')
  mkdirSync(config, { mode: 0o700 })
  mkdirSync(data)
  chownSync(config, OPERATOR, OPERATOR)
})
afterEach(() => rmSync(folder, { recursive: true }))

function write(name: string, content: string): void {
  writeFileSync(join(config, name), content, { mode: 0o600 })
  chownSync(join(config, name), OPERATOR, OPERATOR)
}

/** With the rights that the file gives it, in an image that has a shell. */
function runInit(init: ComposeService | undefined): void {
  const rights = (init?.cap_add ?? []).map((name) => `--cap-add=${name}`)
  const mounts = [`--volume=${config}:/etc/hushgate`, `--volume=${data}:/data`]
  const limits = ['--ulimit=nofile=4096:4096', '--ulimit=nproc=4096:4096', '--security-opt=no-new-privileges']
  const [program, ...engine] = podman
  const { status, stderr } = spawnSync(
    program,
    [...engine, ...'run --rm --network=none --read-only --cap-drop=all'.split(' '), ...rights, ...limits, ...mounts]
      // The script's own shell: the base has no other entry point.
      .concat(bases.build, 'sh', '-euc', initScript(init)),
    { encoding: 'utf8' },
  )
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
}

function owners(path: string): readonly string[] {
  return readdirSync(path).map((name) => {
    const { uid, gid, mode } = statSync(join(path, name))
    return `${name} ${uid}:${gid} ${(mode & 0o777).toString(8)}`
  })
}

async function isReady(container: Container): Promise<boolean> {
  await container.printed('Hushgate is running')
  const { code } = await container.command('health', '--ready')
  return code === 0
}

const webApp = `apps:
  com.example.web: { type: webpush, vapid_private_key_file: vapid.pem, vapid_subject: mailto:ops@example.com }
`

async function writeConfiguration(more: string): Promise<void> {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  write('vapid.pem', privateKey.export({ type: 'pkcs8', format: 'pem' }).toString())
  const ports = `http: { host: 127.0.0.1, port: ${await freePort()} }\nadmin: { port: ${await freePort()}`
  write('hushgate.yaml', `${ports}${more}\n${webApp}`)
}

it('on SQLite the image reads what only its writer could read, and makes its keys on the volume', async () => {
  await writeConfiguration(' }\nstore: { url: "sqlite:/data/hushgate.db" }')
  await using volume = await createVolume()
  const { services } = await readCompose('compose-sqlite')
  runInit(services['init'])
  const expected = ['hushgate.yaml', 'vapid.pem'].map((name) => `${name} ${OPERATOR}:${IMAGE_GROUP} 640`)
  expect(owners(config)).toEqual(expected)
  await using container = startPlainContainer([
    '--read-only',
    `--volume=${config}:/etc/hushgate:ro`,
    `--volume=${volume.name}:/data`,
  ])
  expect(await isReady(container)).toBe(true)
})

it('on Redis the password, its ACL file and the keys are made once, and both sides can read them', async (context) => {
  const { services } = await readCompose('compose')
  runInit(services['init'])
  const made = ['admin-token', 'encryption-key', 'redis-password']
  expect(owners(config)).toEqual(made.map((name) => `${name} ${OPERATOR}:${IMAGE_GROUP} 640`))
  expect(owners(data)).toEqual([`users.acl ${REDIS.user}:${REDIS.group} 600`])
  const redis = await startRedis({
    settings: { ...redisSettings(services['redis']), dir: data, aclfile: join(data, 'users.acl') },
  })
  context.onTestFinished(() => redis.stop())

  const store = `{ url: "redis://127.0.0.1:${redis.port}", username: hushgate, password_file: redis-password }`
  await writeConfiguration(
    `, token_file: admin-token }\nstore: ${store}\nqueue: { encryption_key_file: encryption-key }`,
  )
  runInit(services['init'])
  await using container = startPlainContainer(['--read-only', `--volume=${config}:/etc/hushgate:ro`])
  expect(await isReady(container)).toBe(true)
})
