/** The README's blocks for a machine with a container engine, pasted as they are, with `podman` answering to `docker` and the image of this checkout under its name. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { podman } from '../../scripts/image-tools.ts'
import { blockWith } from '../../scripts/readme-blocks.ts'
import { freePort } from '../helpers/free-port.ts'
import { follow } from '../helpers/hushgate-process.ts'
import { newPushkey, startPushServices } from '../helpers/push-services.ts'
import { linesToPaste, paste } from '../process/demonstration-lines.ts'
import { createVolume, engineCommand } from './container.ts'

const README = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')
const FIVE_MINUTES_MS = 5 * 60_000
/** As in container.ts: what a container in a container may have. */
const LIMITS = '--ulimit=nofile=4096:4096 --ulimit=nproc=4096:4096'

/** As in container.ts: nobody has a timer for health checks. */
const ENVIRONMENT = { HOME: process.env['HOME'], DISABLE_HC_SYSTEMD: 'true' }

function tell(block: string, startMs: number): void {
  const tookMs = Date.now() - startMs
  process.stdout.write(
    `The README's ${block}: the first push arrived ${Math.round(tookMs / 1000)} s after it was pasted\n`,
  )
  expect(tookMs).toBeLessThan(FIVE_MINUTES_MS)
}

let folder: string
let named: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hushgate-readme-'))
  const compose = `${process.execPath} ${join(import.meta.dirname, 'compose-by-hand.ts')}`
  const docker = `#!/bin/sh
set -eu
command=$1; shift
if [ "$command" = compose ]; then exec ${compose} "$@"; fi
exec ${podman.join(' ')} "$command" ${LIMITS} "$@"
`
  writeFileSync(join(folder, 'docker'), docker, { mode: 0o755 })
  ;[named = ''] = /ghcr\.io\/hushgate\/hushgate:[\w.-]+/.exec(blockWith('docker run', README)) ?? []
  await engineCommand('tag', inject('image'), named)
})
afterAll(async () => {
  // Without the image's own name it would lose all of them, also for the tests that follow.
  await engineCommand('untag', inject('image'), named)
  rmSync(folder, { recursive: true })
})

it('make a gateway with compose that is ready, and delivers a push', async () => {
  const startMs = Date.now()
  await using services = await startPushServices()
  await using volume = await createVolume()
  const [port, adminPort] = [await freePort(), await freePort()]
  // Whoever pastes has keys and settings of their own; these lead to simulated push services.
  const configuration = `http: { host: 127.0.0.1, port: ${port} }
admin: { port: ${adminPort} }
store: { url: "sqlite:/data/hushgate.db" }
${services.appsYaml.replaceAll(`${services.folder}/`, '')}`
  const block = blockWith('docker compose', README)
    .replace(/(<<'YAML'\n)store: [^]*?(?=^YAML$)/m, `$1${configuration}`)
    .replace(/^cp .*$/m, `cp ${services.folder}/* hushgate/`)
  expect(block).toContain(configuration)
  const container = `hushgate-readme-${process.pid}`
  const env = {
    ...ENVIRONMENT,
    PATH: `${folder}:${process.env['PATH']}`,
    COMPOSE_VOLUME: volume.name,
    COMPOSE_CONTAINER: container,
    COMPOSE_IMAGE: inject('image'),
  }
  try {
    const { code, stdout, stderr } = await follow(spawn('/bin/sh', ['-euc', block], { cwd: folder, env })).ended
    expect({ code, stdout, stderr }).toMatchObject({ code: 0, stdout: expect.stringMatching(/^ready$/m) })
    const { token, apns } = newPushkey()
    const notification = {
      event_id: '$event',
      room_id: '!room:example.org',
      devices: [{ app_id: 'com.example.ios', pushkey: apns }],
    }
    const body = JSON.stringify({ notification })
    const answer = await fetch(`http://127.0.0.1:${port}/_matrix/push/v1/notify`, { method: 'POST', body })
    expect(await answer.text()).toBe('{"rejected":[]}')
    await services.waitFor(token, 1)
    tell('docker compose', startMs)
  } finally {
    await engineCommand('rm', '--force', '--time', '0', container)
  }
})

it('show the demonstration, and its first push arrives within five minutes', async () => {
  const startMs = Date.now()
  const env = { ...ENVIRONMENT, PATH: `${folder}:${process.env['PATH']}` }
  const demonstration = follow(spawn('/bin/sh', ['-c', blockWith('docker run', README)], { cwd: folder, env }))
  try {
    await demonstration.printed('Stop: Ctrl-C')
    const { curl } = linesToPaste(demonstration.stdout().replaceAll('\r', ''))
    expect(await paste(curl, 'dash')).toBe('{"rejected":[]}')
    for (const who of ['Apple', 'Google', 'Browser']) await demonstration.printed(`${who} received`)
    tell('docker run', startMs)
  } finally {
    const { stdout } = await engineCommand('ps', '--quiet', '--filter', `ancestor=${named}`)
    for (const id of stdout.split('\n').filter((each) => each !== ''))
      spawnSync(podman[0], [...podman.slice(1), 'rm', '--force', '--time', '0', id])
    await demonstration.ended
  }
})
