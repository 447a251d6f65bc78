/** `hushgate rejections list` and `rejections APP --confirm|--discard`: pushkeys that were called dead suspiciously often, and the operator's word on them. */
import { appNames } from '../config/config.ts'
import { OperatorError, type Verdict } from '../operator/operator.ts'
import { namesIn, type OperatorAccess } from './operator-access.ts'
import { isoTime, writeJson } from './output.ts'
import { withOperator } from './with-operator.ts'

export interface RejectionsOptions {
  readonly app: string
  readonly verdict: Verdict
  readonly isJson: boolean
  readonly access: OperatorAccess
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream
}

export async function rejections({ app, verdict, isJson, access, stdout, stderr }: RejectionsOptions): Promise<void> {
  if (access.config !== undefined && !appNames(access.config).includes(app))
    throw new OperatorError(`No app is called ${app}${namesIn(access)}`)
  const released = await withOperator(access, stderr, (operator) => operator.releaseSuspected(app, verdict))
  if (isJson) writeJson(stdout, { released })
  else if (released === 0) stdout.write(`No rejections of ${app} are held back\n`)
  else if (verdict === 'confirm')
    stdout.write(`Confirmed: homeservers are told to drop the pushkeys that ${app}'s push service called dead\n`)
  else stdout.write(`Discarded: the pushkeys of ${app} that were called dead count as alive again\n`)
}

export async function listRejections({
  isJson,
  access,
  stdout,
  stderr,
}: Omit<RejectionsOptions, 'app' | 'verdict'>): Promise<void> {
  const suspected = await withOperator(access, stderr, (operator) => operator.listSuspected())
  if (isJson) return writeJson(stdout, { suspected })
  for (const { app, windows } of suspected)
    for (const { sinceMs, untilMs } of windows)
      stdout.write(`${app}  since ${isoTime(sinceMs)}${untilMs === undefined ? '' : `  until ${isoTime(untilMs)}`}\n`)
  if (suspected.length === 0) stdout.write('No rejections are held back\n')
}
