/** The image in the place of Sygnal's, started with the arguments of matrix-docker-ansible-deploy (roles/custom/matrix-sygnal, as of 2026). */
import { generateKeyPairSync } from 'node:crypto'
import { chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { freePort } from '../helpers/free-port.ts'
import { startPlainContainer } from './container.ts'

/** That of the user `matrix`, who owns all that is mounted. */
const MATRIX = 991

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hushgate-sygnal-image-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** `files` by their names, owned by the user `matrix`. */
function mountedFolder(name: string, files: Readonly<Record<string, string>>): string {
  const path = join(folder, name)
  mkdirSync(path, { mode: 0o750 })
  chownSync(path, MATRIX, MATRIX)
  for (const [file, content] of Object.entries(files)) {
    writeFileSync(join(path, file), content, { mode: 0o640 })
    chownSync(join(path, file), MATRIX, MATRIX)
  }
  return path
}

it('starts with the same user, variable, mounts and port, and keeps what it accepts in /data', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  // Without metrics the admin port is 5001, which somebody else on this machine may have.
  const [port, metricsPort] = [await freePort(), await freePort()]
  const config = mountedFolder('config', {
    'sygnal.yaml': `
log: { setup: { version: 1, root: { level: INFO } } }
http: { bind_addresses: ['127.0.0.1'], port: ${port} }
metrics: { prometheus: { enabled: true, address: 127.0.0.1, port: ${metricsPort} } }
apps:
  com.example.ios: { type: apns, keyfile: /data/key.p8, key_id: ABC123DEFG, team_id: TEAM123456, topic: com.example.ios }
`,
  })
  const data = mountedFolder('data', { 'key.p8': privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() })
  await using container = startPlainContainer([
    `--user=${MATRIX}:${MATRIX}`,
    '--env=SYGNAL_CONF=/config/sygnal.yaml',
    `--mount=type=bind,src=${config},dst=/config`,
    `--mount=type=bind,src=${data},dst=/data`,
  ])
  await container.printed('Hushgate is running')

  expect((await fetch(`http://127.0.0.1:${port}/health`)).status).toBe(200)
  const devices = [{ app_id: 'com.example.unknown', pushkey: 'pushkey' }]
  const answer = await fetch(`http://127.0.0.1:${port}/_matrix/push/v1/notify`, {
    method: 'POST',
    body: JSON.stringify({ notification: { event_id: '$event', devices } }),
  })
  expect(await answer.json()).toEqual({ rejected: ['pushkey'] })
  expect(readdirSync(data)).toEqual(expect.arrayContaining(['encryption-key', 'hushgate.db', 'key.p8']))
})
