/** The clock of a process of `npm run test:faults` (scripts/faults), in the process and in its threads. */
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { CLOCK_FILE } from '../../scripts/faults/clock-file.ts'
import { createHushgateFolder } from '../helpers/hushgate-process.ts'
import { startLoggedProcess } from '../helpers/logged-process.ts'

const CLOCK = join(import.meta.dirname, '../../scripts/faults/shifted-clock.ts')
const PROGRAM = `
  import { Worker } from 'node:worker_threads'
  const tell = 'console.log(JSON.stringify([Date.now(), new Date().getTime(), new Date(5).getTime(), new Date() instanceof Date]))'
  eval(tell)
  new Worker(tell, { eval: true })
`
const SHIFT_MS = 5 * 60_000

it('is wrong by what the file says, and knows other times as they are', async () => {
  await using folder = await createHushgateFolder()
  await folder.write(CLOCK_FILE, String(SHIFT_MS))
  const args = ['--import', CLOCK, '--input-type=module', '--eval', PROGRAM]
  const startedAtMs = Date.now()
  const { stdout } = await startLoggedProcess(process.execPath, args, folder.path).ended
  const lines = stdout.trim().split('\n')
  expect(lines).toHaveLength(2)
  for (const line of lines) {
    const [nowMs, newMs, other, isDate]: [number, number, number, boolean] = JSON.parse(line)
    for (const ms of [nowMs, newMs]) {
      expect(ms).toBeGreaterThanOrEqual(startedAtMs + SHIFT_MS)
      expect(ms).toBeLessThanOrEqual(Date.now() + SHIFT_MS)
    }
    expect([other, isDate]).toEqual([5, true])
  }
})
