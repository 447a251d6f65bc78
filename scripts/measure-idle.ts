/**
 * `npm run measure`: what an idle gateway costs with one APNs and one FCM app on SQLite, from its sources and as it is built: resident memory, and how long
 * it takes until it can be asked. The push services are simulated, in this process; the keys are made up.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { startSimulators } from '../src/commands/simulators.ts'
import { LAUNCH_OPTIONS } from './launch-options.ts'

const RUNS = 5
/** After which an idle gateway has settled. */
const SETTLED_MS = 5000
const CHECKOUT = join(import.meta.dirname, '..')

interface Figures {
  readonly readyMs: number
  readonly residentMb: number
}

async function measure(program: readonly string[], appsYaml: string): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'hushgate-idle-'))
  writeFileSync(
    join(folder, 'hushgate.yaml'),
    `http: { host: 127.0.0.1, port: 0 }\nadmin: { port: 0 }\nstore: { url: "sqlite:./hushgate.db" }\n${appsYaml}`,
  )
  const startMs = performance.now()
  const [command = '', ...args] = program
  const child = spawn(command, [...args, 'serve'], {
    cwd: folder,
    env: LAUNCH_OPTIONS.environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  try {
    for await (const line of createInterface(child.stdout)) if (line.includes('Hushgate is running')) break
    const readyMs = performance.now() - startMs
    await sleep(SETTLED_MS)
    const [, kib = ''] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8')) ?? []
    return { readyMs, residentMb: (Number(kib) * 1024) / 2 ** 20 }
  } finally {
    child.kill('SIGKILL')
    rmSync(folder, { recursive: true })
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN
}

const programs = process.argv.length > 2 ? process.argv.slice(2) : ['src/main.ts', 'dist/main.js']
const keys = mkdtempSync(join(tmpdir(), 'hushgate-idle-keys-'))
await using simulators = await startSimulators({ folder: keys, onApplePush: () => {}, onGooglePush: () => {} })
for (const main of programs) {
  const figures: Figures[] = []
  for (let run = 0; run < RUNS; run += 1)
    figures.push(
      await measure([process.execPath, ...LAUNCH_OPTIONS.nodeArguments, join(CHECKOUT, main)], simulators.appsYaml),
    )
  const ready = median(figures.map(({ readyMs }) => readyMs))
  const resident = median(figures.map(({ residentMb }) => residentMb))
  process.stdout.write(
    `${main}: ready in ${ready.toFixed(0)} ms, ${resident.toFixed(0)} MiB resident (median of ${RUNS})\n`,
  )
}
rmSync(keys, { recursive: true })
