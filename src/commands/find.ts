/** `hushgate find`: what is known of a device, and what to do. Its pushkey is read from standard input, so that it is in no shell history. */
import { OperatorError, type DeviceQuestion, type FoundDevice, type FoundDevices } from '../operator/operator.ts'
import { adviceOn } from './explain-refusal.ts'
import { readJsonObject } from './input.ts'
import type { OperatorAccess } from './operator-access.ts'
import { DONE, isoTime, NEEDS_YOU, writeJson } from './output.ts'
import { withOperator } from './with-operator.ts'

export interface FindOptions {
  /** A pushkey, or the device's hash from a log: 8 hex digits. */
  readonly given: string
  readonly appId?: string | undefined
  /** JSON of the pusher's data. */
  readonly data?: string | undefined
  readonly isJson: boolean
  readonly access: OperatorAccess
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream
}

/** As the log writes a device. */
export const LOGGED_DEVICE = /^[0-9a-f]{8}$/

/** Resolves with the exit code. */
export async function find({ given, appId, data, isJson, access, stdout, stderr }: FindOptions): Promise<number> {
  if (given === '')
    throw new OperatorError('No pushkey was given: write it, or the device of a log line, to standard input')
  const question: DeviceQuestion = {
    ...(appId === undefined ? {} : { appId }),
    ...(LOGGED_DEVICE.test(given)
      ? { device: given }
      : { pushkey: given, data: data === undefined ? {} : readJsonObject(data, '--data') }),
  }
  const found = await withOperator(access, stderr, (operator) => operator.find(question))
  if (isJson) writeJson(stdout, found)
  else write(found, stdout, data !== undefined)
  return found.devices.length === 0 ? NEEDS_YOU : DONE
}

function write({ devices, names, receipts }: FoundDevices, stdout: NodeJS.WritableStream, isDataGiven: boolean): void {
  for (const device of devices) {
    stdout.write(`${device.app}, device ${device.device}\n`)
    for (const [what, value] of factsOf(device)) stdout.write(`  ${what.padEnd(26)}${value}\n`)
    for (const sentence of [...device.advice, ...adviceOnWord(device)])
      stdout.write(`  → ${sentence}${sentence.endsWith('?') ? '' : '.'}\n`)
  }
  if (devices.length > 0) return
  stdout.write('Nothing is known of this device.\n')
  if (names.length > 0)
    stdout.write(`In the log it is: ${names.map(({ app, device }) => `${device} (${app})`).join(', ')}\n`)
  if (!receipts)
    stdout.write('Receipts are off ("receipts" in the configuration): what became of pushes is not kept.\n')
  stdout.write(
    `No push came for it in the last day, or it is another pushkey, or of another app${isDataGiven ? '' : "; a Web Push device is found only with its pusher's data (--data), one of an app with a glob only with its app_id (--app)"}. Ask the homeserver which pushers the user has (GET /_matrix/client/v3/pushers).\n`,
  )
}

function factsOf(device: FoundDevice): readonly (readonly [string, string])[] {
  const { receipt, death, waiting, oldestAcceptedAtMs, dead, unreadable } = device
  const facts: (readonly [string, string | undefined])[] = [
    ['last accepted', receipt && isoTime(receipt.acceptedAtMs).slice(0, 16) + 'Z'],
    ['last attempt', receipt && attemptOf(receipt)],
    [receipt?.result === 'delivered' ? "push service's name" : "push service's word", receipt?.word || undefined],
    ['delivered to, 30 days', device.wasDelivered ? 'yes' : 'no'],
    [
      'dead since',
      death && `${isoTime(death.diedAtMs)}, known since ${isoTime(death.recordedAtMs)}${opinionOf(death)}`,
    ],
    [
      'waiting',
      waiting === 0
        ? '0'
        : `${waiting}, the oldest accepted ${oldestAcceptedAtMs === undefined ? '' : isoTime(oldestAcceptedAtMs)}`,
    ],
    ...dead.map((letter) => ['given up', `${isoTime(letter.diedAtMs)}  ${letter.reason}  (${letter.id})`] as const),
    ['badge remembered', device.hasLatestBadge === undefined ? undefined : device.hasLatestBadge ? 'yes' : 'no'],
    ['last wake-up leaves', device.wakeUpAtMs === undefined ? undefined : isoTime(device.wakeUpAtMs)],
    ['app', device.isBlocked === true ? 'blocked: its credential is refused' : undefined],
    [
      'cannot be opened',
      unreadable === 0 ? undefined : `${unreadable} of the app: sealed with a key that is not in the key file`,
    ],
  ]
  return facts.flatMap(([what, value]) => (value === undefined ? [] : [[what, value] as const]))
}

/** The push service's word, or a code, is not a sentence. */
function adviceOnWord({ receipt }: FoundDevice): readonly string[] {
  const advice = receipt?.result === 'retry' ? adviceOn(receipt.word) : undefined
  return advice === undefined ? [] : [`${receipt?.word ?? ''}: ${advice}`]
}

function attemptOf({ attemptedAtMs, attempt, result }: NonNullable<FoundDevice['receipt']>): string {
  return `${isoTime(attemptedAtMs).slice(0, 16)}Z, attempt ${attempt}: ${result}`
}

function opinionOf({ isRevived, opinion }: NonNullable<FoundDevice['death']>): string {
  if (opinion !== 'believed') return `, ${opinion}`
  return isRevived ? ', registered anew since' : ''
}
