/** `npm run bench:attacks`: what each attack of docs/reliability.md costs the devices that a gateway knows. */
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { describeSession } from '../bench/results.ts'
import { writeDocument } from './document.ts'
import { measureRound, startHelpers, type Round } from './measure.ts'
import { readOptions, USAGE, type Options } from './options.ts'
import { keep, type MeasuredAttack, type Results } from './results.ts'
import { asMarkdown, tablesOf } from './tables.ts'

type Plan = Omit<MeasuredAttack, 'rounds'> & { readonly rounds: Round[] }

/** Round by round, so that what disturbs the machine disturbs all of them. */
async function measureAll(options: Options): Promise<Results> {
  const before = loadavg()[0] ?? Number.NaN
  const session = describeSession()
  const plans = options.attacks.flatMap((attack) =>
    attack.stores.flatMap((store) =>
      options.programs.map(([program, path]) => {
        const plan: Plan = { number: attack.number, store, program, commit: session.commit, rounds: [] }
        return { attack, path, plan }
      }),
    ),
  )
  for (let round = 1; round <= options.rounds; round += 1) {
    const folder = mkdtempSync(join(tmpdir(), 'hushgate-attacks-'))
    using helpers = await startHelpers(folder)
    for (const { attack, path, plan } of plans) {
      const startedMs = performance.now()
      plan.rounds.push(await measureRound(attack, { ...options, program: path, store: plan.store }, helpers))
      const seconds = ((performance.now() - startedMs) / 1000).toFixed(0)
      process.stderr.write(`round ${round}: attack ${plan.number}, ${plan.program}, ${plan.store}: ${seconds} s\n`)
    }
    rmSync(folder, { recursive: true, force: true })
  }
  const { seconds, perSecond } = options
  return {
    ...session,
    seconds,
    perSecond,
    loadAverages: [before, loadavg()[0] ?? Number.NaN],
    measured: plans.map(({ plan }) => plan),
  }
}

async function run(options: Options): Promise<void> {
  const results = await measureAll(options)
  console.log(tablesOf(results).map(asMarkdown).join('\n\n'))
  if (!options.write) return
  keep(results)
  writeDocument()
}

// So that nothing that was started stays: the processes end with this one, which each of them listens for.
process.setMaxListeners(0)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
if (process.argv.includes('--help')) process.stdout.write(USAGE)
else await run(await readOptions(process.argv.slice(2)))
