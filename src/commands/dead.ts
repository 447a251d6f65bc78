/** `hushgate dead list|retry|drop`: deliveries that were given up. What they hold stays sealed. */
import { OperatorError, type DeadLetterFilter } from '../operator/operator.ts'
import type { OperatorAccess } from './operator-access.ts'
import { isoTime, writeJson } from './output.ts'
import { withOperator } from './with-operator.ts'

export interface DeadOptions {
  readonly action: 'list' | 'retry' | 'drop'
  readonly filter: DeadLetterFilter
  /** That all of them are meant, which a filter that was forgotten does not say. */
  readonly isAllMeant: boolean
  /** Only says how many it would be. */
  readonly isDryRun: boolean
  readonly isJson: boolean
  readonly access: OperatorAccess
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream
}

export async function dead(options: DeadOptions): Promise<void> {
  const { action, filter, isAllMeant, isDryRun, isJson, access, stdout, stderr } = options
  const isFiltered = Object.values(filter).some((each) => each !== undefined)
  if (action !== 'list' && !isFiltered && !isAllMeant)
    throw new OperatorError(`Say which to ${action}: --app, --id or --reason; or --all, if all are meant`)
  if (isFiltered && isAllMeant) throw new OperatorError('Say either --all, or which: not both')
  await withOperator(access, stderr, async (operator) => {
    if (action === 'list') return list(await operator.listDead(filter), options)
    const saysWhatStays = action === 'retry' && !isDryRun && !isJson
    const before = saysWhatStays ? await operator.listDead(filter) : []
    const count = isDryRun
      ? await operator.countDead(filter)
      : await (action === 'retry' ? operator.retryDead(filter) : operator.dropDead(filter))
    const [done, wouldBe] = action === 'retry' ? ['put back into the queue', 'tried again'] : ['dropped', 'dropped']
    if (isJson) writeJson(stdout, { [action === 'retry' ? 'retried' : 'dropped']: count, dryRun: isDryRun })
    else stdout.write(isDryRun ? `${count} would be ${wouldBe}\n` : `${count} ${done}\n`)
    const left = saysWhatStays ? inBoth(before, await operator.listDead(filter)) : 0
    if (left > 0) stdout.write(`${left} stay: calls that are over, or what cannot be opened; drop them\n`)
  })
}

type Letters = Awaited<ReturnType<Parameters<Parameters<typeof withOperator>[2]>[0]['listDead']>>

/** How many were never put back: one that was, and was given up again since, has another time. */
function inBoth(before: Letters, after: Letters): number {
  const keyOf = ({ id, diedAtMs }: Letters[number]): string => `${id} ${diedAtMs}`
  const keys = new Set(before.map(keyOf))
  return after.filter((letter) => keys.has(keyOf(letter))).length
}

function list(letters: Letters, { isJson, stdout }: DeadOptions): void {
  if (isJson) return writeJson(stdout, { dead: letters })
  for (const { id, app, device = 'unknown', reason, attempts, acceptedAtMs, diedAtMs } of letters)
    stdout.write(
      `${id}  ${app}  device ${device}  accepted ${isoTime(acceptedAtMs)}  given up ${isoTime(diedAtMs)}  attempts ${attempts}  ${reason}\n`,
    )
  stdout.write(`${letters.length} given up\n`)
}
