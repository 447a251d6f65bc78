/**
 * `npm run bench:micro`: how long parsing, policy, rendering, truncating and sealing take, by comparison with a fixed computation in the same process:
 * whatever slows the machine down slows both. Fails when one takes a fifth longer than in micro-baseline.json; `-- --print` only prints, `-- --write` renews it.
 */
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { BODY, createCases } from './micro-cases.ts'
import { median } from './statistics.ts'

const BASELINE = join(import.meta.dirname, 'micro-baseline.json')
const MAX_GROWTH = 1.2
const BATCH_MS = 4
const ROUNDS = 25
/** What was disturbed is measured again; what is slower stays so. */
const MAX_ATTEMPTS = 5
const KIB = Buffer.alloc(1024, 'x')

/** Neither ours nor a package's: what a newer Node makes faster or slower, it does so for both. */
function reference(): unknown {
  return [JSON.stringify(JSON.parse(BODY)), createHash('sha256').update(KIB).digest('hex')]
}

let sink: unknown

function msOf(run: () => unknown, times: number): number {
  const startMs = performance.now()
  for (let time = 0; time < times; time += 1) sink = run()
  return performance.now() - startMs
}

/** Times that fill a batch, once the code is warm. */
function timesFor(run: () => unknown): number {
  let times = 100
  while (msOf(run, times) < BATCH_MS * 10) times *= 2
  return Math.max(1, Math.round((times * BATCH_MS) / msOf(run, times)))
}

/** How much longer than the reference it takes: the median of rounds that take turns. */
function ratioOf(run: () => unknown): number {
  const [times, referenceTimes] = [timesFor(run), timesFor(reference)]
  const rounds = Array.from({ length: ROUNDS }, () => {
    const eachMs = msOf(run, times) / times
    return eachMs / (msOf(reference, referenceTimes) / referenceTimes)
  })
  return median(rounds)
}

const baseline: Readonly<Record<string, number>> = JSON.parse(readFileSync(BASELINE, 'utf8'))
const measured: Record<string, number> = {}
const slower: string[] = []
console.log(`${'by the reference'.padEnd(22)}${'now'.padStart(8)}${'baseline'.padStart(10)}`)
for (const [name, run] of Object.entries(createCases())) {
  const before = baseline[name] ?? Number.POSITIVE_INFINITY
  let ratio = ratioOf(run)
  for (let attempt = 1; attempt < MAX_ATTEMPTS && ratio > before * MAX_GROWTH; attempt += 1)
    ratio = Math.min(ratio, ratioOf(run))
  measured[name] = Number(ratio.toPrecision(3))
  const isSlower = ratio > before * MAX_GROWTH
  if (isSlower) slower.push(name)
  const growth = Number.isFinite(before) ? `${((ratio / before - 1) * 100).toFixed(0)} %` : 'new'
  console.log(
    `${name.padEnd(22)}${ratio.toFixed(3).padStart(8)}${(baseline[name]?.toFixed(3) ?? '').padStart(10)}${growth.padStart(8)}${isSlower ? '  slower' : ''}`,
  )
}
if (process.argv.includes('--write')) writeFileSync(BASELINE, `${JSON.stringify(measured, null, 2)}\n`)
else if (slower.length > 0 && !process.argv.includes('--print')) {
  console.log(`Slower by more than a fifth: ${slower.join(', ')}`)
  process.exitCode = 1
}
if (sink === undefined) throw new Error('nothing was computed')
