/** `hushgate forget`: removes what is held about a device, and says what goes by itself. */
import { Secret } from '../core/secret.ts'
import { OperatorError, type Forgotten } from '../operator/operator.ts'
import { readJsonObject } from './input.ts'
import { namesIn, type OperatorAccess } from './operator-access.ts'
import { writeJson } from './output.ts'
import { withOperator } from './with-operator.ts'

export interface ForgetOptions {
  readonly appId: string
  readonly pushkey: string
  /** JSON of the pusher's data. */
  readonly data?: string | undefined
  readonly isJson: boolean
  readonly access: OperatorAccess
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream
}

export async function forget({ appId, pushkey, data, isJson, access, stdout, stderr }: ForgetOptions): Promise<void> {
  if (pushkey === '') throw new OperatorError('No pushkey was given: say --pushkey, or write it to standard input')
  const device = { appId, pushkey: new Secret(pushkey), data: data === undefined ? {} : readJsonObject(data, '--data') }
  const forgotten = await withOperator(access, stderr, (operator) => operator.forget(device))
  if (forgotten === undefined) throw new OperatorError(`No app is configured for ${appId}${namesIn(access)}`)
  if (isJson) writeJson(stdout, { forgotten })
  else write(forgotten, stdout, data !== undefined)
}

function write(forgotten: Forgotten, stdout: NodeJS.WritableStream, isDataGiven: boolean): void {
  stdout.write(`That it is dead: ${forgotten.death ? 'forgotten' : 'was not remembered'}\n`)
  stdout.write(`What became of its last push: ${forgotten.receipt ? 'forgotten' : 'was not kept'}\n`)
  stdout.write(`That pushes were delivered to it: ${forgotten.wasDelivered ? 'forgotten' : 'was not remembered'}\n`)
  stdout.write(`Its latest badge: ${forgotten.latestBadge ? 'forgotten' : 'was not remembered'}\n`)
  stdout.write(`When its latest push leaves: ${forgotten.departure ? 'forgotten' : 'was not remembered'}\n`)
  stdout.write(`Pushes that waited for it: ${forgotten.deliveries} removed\n`)
  stdout.write(`Pushes to it that were given up: ${forgotten.deadLetters} removed\n`)
  if (!isDataGiven)
    stdout.write(
      "The pusher's data was not given (--data): a Web Push device is not found without it, nor, of others, all that is remembered\n",
    )
  if (forgotten.unreadable > 0)
    stdout.write(
      `Of its app, ${forgotten.unreadable} cannot be opened with this key file: whether they are for it cannot be seen; they expire\n`,
    )
  stdout.write(
    'Which events it was sent goes within 24 hours: hashes that cannot be found without the event IDs. A push that was on its way just now arrives\n',
  )
}
