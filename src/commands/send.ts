/** `hushgate send`: a test push to one device through the running gateway, and what its push service answers. */
import { OperatorError } from '../operator/operator.ts'
import { readJsonObject } from './input.ts'
import type { OperatorAccess } from './operator-access.ts'
import { DONE, NEEDS_YOU, writeJson } from './output.ts'
import { withGateway } from './with-operator.ts'

export interface SendOptions {
  readonly appId: string
  readonly pushkey: string
  /** JSON of the pusher's data. */
  readonly data?: string | undefined
  readonly isJson: boolean
  readonly access: OperatorAccess
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream
}

/** Resolves with the exit code. */
export async function send({ appId, pushkey, data, isJson, access, stdout, stderr }: SendOptions): Promise<number> {
  if (pushkey === '') throw new OperatorError('No pushkey was given: write it to standard input')
  const push = { app: appId, pushkey, data: data === undefined ? {} : readJsonObject(data, '--data') }
  const answer = await withGateway(access, stderr, (operator) => operator.testPush(push))
  const { result, reason, serviceId, tookMs } = answer
  if (isJson) writeJson(stdout, answer)
  else {
    stdout.write(`${result}${reason === null ? '' : `: ${reason}`} (${tookMs} ms)\n`)
    if (serviceId !== null) stdout.write(`The push service calls it ${serviceId}\n`)
  }
  return result === 'delivered' ? DONE : NEEDS_YOU
}
