/** `hushgate dead list|retry|drop`: deliveries that were given up. What they hold stays sealed. */
import type { Config } from '../config/config.ts'
import type { DeadLetterFilter } from '../operator/operator.ts'
import { withOperator } from './with-operator.ts'

export interface DeadOptions {
  readonly action: 'list' | 'retry' | 'drop'
  readonly filter: DeadLetterFilter
  readonly config: Config
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream
}

export async function dead({ action, filter, config, stdout, stderr }: DeadOptions): Promise<void> {
  await withOperator(config, stderr, async (operator) => {
    if (action === 'retry') stdout.write(`${await operator.retryDead(filter)} put back into the queue\n`)
    else if (action === 'drop') stdout.write(`${await operator.dropDead(filter)} dropped\n`)
    else {
      const rows = await operator.listDead(filter)
      for (const { id, app, reason, attempts, acceptedAtMs, diedAtMs } of rows)
        stdout.write(
          `${id}  ${app}  accepted ${isoTime(acceptedAtMs)}  given up ${isoTime(diedAtMs)}  attempts ${attempts}  ${reason}\n`,
        )
      stdout.write(`${rows.length} given up\n`)
    }
  })
}

function isoTime(epochMs: number): string {
  return new Date(epochMs).toISOString().slice(0, 19) + 'Z'
}
