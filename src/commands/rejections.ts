/** `hushgate rejections APP --confirm|--discard`: the operator's word on pushkeys that were called dead suspiciously often. */
import { appNames, type Config } from '../config/config.ts'
import { OperatorError, type Verdict } from '../operator/operator.ts'
import { withOperator } from './with-operator.ts'

export interface RejectionsOptions {
  readonly app: string
  readonly verdict: Verdict
  readonly config: Config
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream
}

export async function rejections({ app, verdict, config, stdout, stderr }: RejectionsOptions): Promise<void> {
  if (!appNames(config).includes(app))
    throw new OperatorError(`No app is called ${app}; the configuration has ${appNames(config).join(', ')}`)
  const released = await withOperator(config, stderr, (operator) => operator.releaseSuspected(app, verdict))
  if (released === 0) stdout.write(`No rejections of ${app} are held back\n`)
  else if (verdict === 'confirm')
    stdout.write(`Confirmed: homeservers are told to drop the pushkeys that ${app}'s push service called dead\n`)
  else stdout.write(`Discarded: the pushkeys of ${app} that were called dead count as alive again\n`)
}
