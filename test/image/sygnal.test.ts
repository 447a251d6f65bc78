/** The image in the place of Sygnal's, created and started as matrix-docker-ansible-deploy does it (roles/custom/matrix-sygnal, as of 2026). */
import { generateKeyPairSync } from 'node:crypto'
import { chownSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, inject, it } from 'vitest'
import { CONTAINER_LIMITS, engineCommand, startCreated } from './container.ts'

/** That of the user `matrix`, who owns all that is mounted. */
const MATRIX = 991
const UNKNOWN = { app_id: 'com.example.unknown', pushkey: 'unknown' }
const KNOWN = { app_id: 'com.example.ios', pushkey: '5e'.repeat(32) }

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

it('is created and started with the same arguments and configuration, and keeps what it accepts in /data', async () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const config = mountedFolder('config', {
    'sygnal.yaml': `
log:
  setup:
    version: 1
    formatters: { normal: { format: '%(asctime)s [%(process)d] %(levelname)-5s %(name)s %(message)s' } }
    handlers: { stderr: { class: logging.StreamHandler, formatter: normal, stream: 'ext://sys.stderr' } }
    loggers: { sygnal: { propagate: false, handlers: [stderr] } }
    root: { handlers: [stderr], level: INFO }
    disable_existing_loggers: false
  access: { x_forwarded_for: true }
http: { bind_addresses: ['::'], port: 6000 }
metrics:
  prometheus: { enabled: false, address: 0.0.0.0, port: 8000 }
  opentracing: { enabled: false, implementation: jaeger, service_name: sygnal, jaeger: { sampler: { type: const, param: 1 }, logging: true } }
  sentry: { enabled: false }
apps: {"com.example.ios": {"type": "apns", "keyfile": "/data/key.p8", "key_id": "ABC123DEFG", "team_id": "TEAM123456", "topic": "com.example.ios"}}
`,
  })
  const data = mountedFolder('data', { 'key.p8': privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() })
  writeFileSync(join(folder, 'labels'), 'traefik.enable=true\n')
  const name = `matrix-sygnal-${process.pid}`
  const { code } = await engineCommand(
    'create',
    '--rm',
    `--name=${name}`,
    '--log-driver=none',
    `--user=${MATRIX}:${MATRIX}`,
    '--cap-drop=ALL',
    '--env=SYGNAL_CONF=/config/sygnal.yaml',
    // In the place of a network of its own, which cannot be made everywhere: nothing but a loopback.
    '--network=none',
    `--label-file=${join(folder, 'labels')}`,
    `--mount=type=bind,src=${config},dst=/config`,
    `--mount=type=bind,src=${data},dst=/data`,
    ...CONTAINER_LIMITS,
    inject('image'),
  )
  expect(code).toBe(0)
  await using container = startCreated(name)
  await container.printed('Hushgate is running')

  const body = JSON.stringify({ notification: { event_id: '$event', devices: [UNKNOWN, KNOWN] } })
  // fetch refuses this port.
  const script = `const options = { port: 6000, path: '/_matrix/push/v1/notify', method: 'POST' }
    require('node:http').request(options, async (answer) => {
      console.log(answer.statusCode, (await answer.toArray()).join(''))
    }).end(process.argv[1])`
  const posted = await engineCommand('exec', name, '/nodejs/bin/node', '-e', script, body)
  expect(posted).toEqual({ code: 0, stdout: '200 {"rejected":["unknown"]}\n' })
  expect(await container.command('dead', 'list')).toMatchObject({ code: 0 })
  expect(readdirSync(data)).toEqual(expect.arrayContaining(['encryption-key', 'hushgate.db', 'key.p8']))
})
