/** The README's blocks for a machine with a container engine, pasted as they are, with `podman` answering to `docker` and the image of this checkout under its name. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { podman } from '../../scripts/image-tools.ts'
import { blockWith } from '../../scripts/readme-blocks.ts'
import { follow } from '../helpers/hushgate-process.ts'
import { linesToPaste, paste } from '../process/demonstration-lines.ts'
import { engineCommand } from './container.ts'

const README = readFileSync(join(import.meta.dirname, '../../README.md'), 'utf8')
const FIVE_MINUTES_MS = 5 * 60_000
/** As in container.ts: what a container in a container may have. */
const LIMITS = '--ulimit=nofile=4096:4096 --ulimit=nproc=4096:4096'

let folder: string
let named: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hushgate-readme-'))
  const docker = `#!/bin/sh\nset -eu\ncommand=$1; shift\nexec ${podman.join(' ')} "$command" ${LIMITS} "$@"\n`
  writeFileSync(join(folder, 'docker'), docker, { mode: 0o755 })
  ;[named = ''] = /ghcr\.io\/hushgate\/hushgate:[\w.-]+/.exec(blockWith('docker run', README)) ?? []
  await engineCommand('tag', inject('image'), named)
})
afterAll(async () => {
  await engineCommand('untag', named)
  rmSync(folder, { recursive: true })
})

it('show the demonstration, and its first push arrives within five minutes', async () => {
  const startMs = Date.now()
  const env = { PATH: `${folder}:${process.env['PATH']}`, HOME: process.env['HOME'] }
  const demonstration = follow(spawn('dash', ['-c', blockWith('docker run', README)], { cwd: folder, env }))
  try {
    await demonstration.printed('Stop: Ctrl-C')
    const { curl } = linesToPaste(demonstration.stdout().replaceAll('\r', ''))
    expect(await paste(curl, 'dash')).toBe('{"rejected":[]}')
    for (const who of ['Apple', 'Google', 'Browser']) await demonstration.printed(`${who} received`)
    const tookMs = Date.now() - startMs
    process.stdout.write(
      `The README's docker run: the first push arrived ${Math.round(tookMs / 1000)} s after it was pasted\n`,
    )
    expect(tookMs).toBeLessThan(FIVE_MINUTES_MS)
  } finally {
    const { stdout } = await engineCommand('ps', '--quiet', '--filter', `ancestor=${named}`)
    for (const id of stdout.split('\n').filter((each) => each !== ''))
      spawnSync(podman[0], [...podman.slice(1), 'rm', '--force', '--time', '0', id])
    await demonstration.ended
  }
})
