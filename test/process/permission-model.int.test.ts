/**
 * Why Hushgate does not run under Node's permission model (docs/decisions.md#no-permission-model): whoever runs code in the process gets out of it by what
 * the gateway itself needs. When this fails after an upgrade of Node, look at that decision again.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const PROGRAM = `
import { readFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { DatabaseSync } from 'node:sqlite'
import { Worker } from 'node:worker_threads'
const codeOf = (work) => { try { work(); return 'done' } catch (error) { return error.code } }
const told = {
  read: codeOf(() => readFileSync('/etc/passwd')),
  spawn: codeOf(() => spawnSync('/bin/true')),
  database: codeOf(() => new DatabaseSync(process.argv[2]).exec('CREATE TABLE a (b)')),
}
const inThread = "require('node:worker_threads').parentPort.postMessage(" +
  "[require('node:fs').readFileSync('/etc/passwd').length > 0, require('node:child_process').spawnSync('/bin/true').status])"
new Worker(inThread, { eval: true, execArgv: [], env: {} }).once('message', (thread) => console.log(JSON.stringify({ ...told, thread })))
`

it("Node's permission model stops the main thread, and neither another thread nor a database", async (context) => {
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-permission-'))
  context.onTestFinished(() => rm(folder, { recursive: true }))
  const program = join(folder, 'program.mjs')
  await writeFile(program, PROGRAM)
  const args = ['--permission', '--allow-worker', `--allow-fs-read=${program}`, program, join(folder, 'new.db')]
  const { stdout } = await promisify(execFile)(process.execPath, args)
  expect(JSON.parse(stdout)).toEqual({
    read: 'ERR_ACCESS_DENIED',
    spawn: 'ERR_ACCESS_DENIED',
    database: 'done',
    thread: [true, 0],
  })
  expect(await readdir(folder)).toContain('new.db')
})
