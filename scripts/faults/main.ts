/** `npm run test:faults`: what is lost when processes, stores and push services fail under a load, on seeded schedules (test/README.md). */
import { countVerdicts, isRight, type Account } from './accounting.ts'
import { describeFault } from './schedule.ts'
import { buildFormerVersion } from './former-version.ts'
import { readOptions, USAGE, type Options } from './options.ts'
import { describeTotals, idOf, ResultsFile, type Counts } from './results.ts'
import { runSchedule, type Result } from './run.ts'
import { scheduleOf, type Schedule } from './schedule.ts'

/** Of what is wrong in one run so many are shown. */
const SHOWN = 10

async function runAll(options: Options): Promise<void> {
  const startedAtMs = performance.now()
  const { seeds, upgradeFrom, sideBySide, seconds = Infinity } = options
  const former = upgradeFrom === undefined ? undefined : await buildFormerVersion(upgradeFrom)
  const file = new ResultsFile(options.resume)
  const schedules = seeds.map((seed) => scheduleOf(seed, { ...options, isUpgrade: former !== undefined }))
  const wanted = new Set(schedules.map((schedule) => idOf(schedule, upgradeFrom)))
  // Without a repetition, which a run beside it may have added.
  const before = new Map((await file.read()).filter(({ id }) => wanted.has(id)).map((counts) => [counts.id, counts]))
  const counted = [...before.values()]
  const failed: string[] = []
  const waiting = schedules.filter((schedule) => !before.has(idOf(schedule, upgradeFrom)))
  const runOne = async (schedule: Schedule): Promise<void> => {
    const command = commandOf(schedule, options)
    try {
      const result = await runSchedule(schedule, former)
      const counts = countsOf(schedule, result, upgradeFrom)
      counted.push(counts)
      if (isGood(result)) await file.add(counts)
      else failed.push(command)
      tell(schedule, result)
    } catch (error) {
      failed.push(command)
      console.log(`FAILED ${describeSchedule(schedule)}: it could not be run to its end`)
      console.log(schedule.faults.map((fault) => `    ${describeFault(fault)}`).join('\n'), error)
    }
  }
  const runInTurn = async (): Promise<void> => {
    while ((performance.now() - startedAtMs) / 1000 < seconds) {
      const next = waiting.shift()
      if (next === undefined) return
      await runOne(next)
    }
  }
  await Promise.all(Array.from({ length: sideBySide }, runInTurn))
  console.log(`\n${describeTotals(counted)}\nin ${((performance.now() - startedAtMs) / 1000).toFixed(0)} s`)
  if (before.size > 0) console.log(`${before.size} of these passed before`)
  if (waiting.length > 0) console.log(`${waiting.length} are left to run`)
  if (failed.length === 0) return
  console.log(`\n${failed.length} failed; each alone:\n${failed.map((command) => `  ${command}`).join('\n')}`)
  process.exitCode = 1
}

function countsOf(schedule: Schedule, { accounts, acknowledged, refused }: Result, upgradeFrom?: string): Counts {
  return {
    id: idOf(schedule, upgradeFrom),
    topology: schedule.topology,
    faults: schedule.faults.length,
    acknowledged,
    refused,
    verdicts: Object.fromEntries(countVerdicts(accounts)),
    unaccounted: accounts.filter((each) => !isRight(each)).length,
  }
}

function isGood({ accounts, mishaps }: Result): boolean {
  return accounts.every(isRight) && mishaps.length === 0
}

function commandOf({ seed, topology }: Schedule, { hasClockJumps, upgradeFrom, kills }: Options): string {
  const extras = [
    ...(hasClockJumps ? ['--clock-jumps'] : []),
    ...(upgradeFrom === undefined ? [] : ['--upgrade-from', upgradeFrom]),
    ...(kills === undefined ? [] : ['--kills', String(kills)]),
  ]
  return ['npm run test:faults -- --seed', seed, '--topology', topology, ...extras].join(' ')
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

function describeSchedule({ seed, topology, timing, appendfsync, faults }: Schedule): string {
  const sync = topology === 'sqlite' ? '' : `, appendfsync ${appendfsync}`
  return `seed ${seed}, ${topology}${sync}, ${timing}: ${faults.length} faults`
}

function describeAccount({ notice: { service, token, fate }, verdict, arrivals }: Account): string {
  const answers = arrivals.map(({ status }) => status ?? 'no answer').join(', ')
  return `${service} ${token}: ${verdict}, and should be ${fate}; answers of the push service: ${answers === '' ? 'none' : answers}`
}

// So that nothing that was started stays: the processes of a run end with this one, which each of them listens for.
process.setMaxListeners(0)
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
if (process.argv.includes('--help')) process.stdout.write(USAGE)
else await runAll(readOptions(process.argv.slice(2)))
