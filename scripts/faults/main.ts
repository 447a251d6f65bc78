/** `npm run test:faults`: what is lost when processes, Redis and push services fail under a load, on seeded schedules (test/README.md). */
import { countVerdicts, isRight, VERDICTS, type Account, type Verdict } from './accounting.ts'
import { readOptions, USAGE, type Options } from './options.ts'
import { runSchedule, type Result } from './run.ts'
import { describeFault, scheduleOf, type Schedule } from './schedule.ts'

/** Of what is wrong in one run so many are shown. */
const SHOWN = 10

interface Totals {
  schedules: number
  faults: number
  acknowledged: number
  refused: number
  readonly verdicts: Map<Verdict, number>
  readonly failed: string[]
}

async function runAll({ seeds, topology }: Options): Promise<void> {
  const startedAtMs = Date.now()
  const totals: Totals = { schedules: 0, faults: 0, acknowledged: 0, refused: 0, verdicts: new Map(), failed: [] }
  for (const seed of seeds) {
    const schedule = scheduleOf(seed, topology)
    try {
      const result = await runSchedule(schedule)
      add(totals, schedule, result)
      tell(schedule, result)
    } catch (error) {
      totals.failed.push(commandOf(schedule))
      console.log(`FAILED ${describeSchedule(schedule)}: it could not be run to its end`)
      console.log(schedule.faults.map((fault) => `    ${describeFault(fault)}`).join('\n'), error)
    }
  }
  const verdicts = VERDICTS.map((verdict) => `  ${totals.verdicts.get(verdict) ?? 0} ${verdict}`)
  console.log(`
${totals.schedules} schedules, ${totals.faults} faults, ${totals.acknowledged} acknowledged pushes, ${totals.refused} requests refused and sent again
${verdicts.join('\n')}
in ${((Date.now() - startedAtMs) / 1000).toFixed(0)} s`)
  if (totals.failed.length === 0) return
  console.log(
    `\n${totals.failed.length} failed; each alone:\n${totals.failed.map((command) => `  ${command}`).join('\n')}`,
  )
  process.exitCode = 1
}

function add(totals: Totals, schedule: Schedule, result: Result): void {
  totals.schedules += 1
  totals.faults += schedule.faults.length
  totals.acknowledged += result.acknowledged
  totals.refused += result.refused
  for (const [verdict, count] of countVerdicts(result.accounts))
    totals.verdicts.set(verdict, (totals.verdicts.get(verdict) ?? 0) + count)
  if (!isGood(result)) totals.failed.push(commandOf(schedule))
}

function isGood({ accounts, mishaps }: Result): boolean {
  return accounts.every(isRight) && mishaps.length === 0
}

function commandOf({ seed, topology }: Schedule): string {
  return `npm run test:faults -- --seed ${seed} --topology ${topology}`
}

function tell(schedule: Schedule, result: Result): void {
  const { accounts, acknowledged, refused, seconds, mishaps, logs } = result
  const what = `${describeSchedule(schedule)}, ${acknowledged} acknowledged, ${refused} refused, ${seconds.toFixed(0)} s`
  console.log(`${isGood(result) ? 'good  ' : 'FAILED'} ${what}`)
  if (isGood(result)) return
  const wrong = accounts.filter((each) => !isRight(each))
  const lines = [
    ...schedule.faults.map(describeFault),
    ...mishaps,
    ...wrong.slice(0, SHOWN).map(describeAccount),
    ...(wrong.length > SHOWN ? [`… and ${wrong.length - SHOWN} more`] : []),
  ]
  console.log(lines.map((line) => `    ${line}`).join('\n'))
  console.log(logs)
}

function describeSchedule({ seed, topology, timing, faults }: Schedule): string {
  return `seed ${seed}, ${topology}, ${timing}: ${faults.length} faults`
}

function describeAccount({ notice: { token, fate }, verdict, arrivals }: Account): string {
  const answers = arrivals.map(({ status }) => status ?? 'no answer').join(', ')
  return `${token}: ${verdict}, and should be ${fate}; answers of the push service: ${answers === '' ? 'none' : answers}`
}

// So that nothing that was started stays: the processes of a run end with this one.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
if (process.argv.includes('--help')) process.stdout.write(USAGE)
else await runAll(readOptions(process.argv.slice(2)))
