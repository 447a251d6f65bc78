/** What an operator can do about a device, from what is known of it. Sentences; pure. */
import type { FoundDevice } from './operator.ts'

type Known = Omit<FoundDevice, 'advice'>

export function adviceFor(device: Known, areReceiptsKept: boolean): readonly string[] {
  const { death, waiting, dead, receipt, isBlocked } = device
  const sentences: readonly (string | false | undefined)[] = [
    isBlocked === true &&
      `The push service refuses the credential of ${device.app}: nothing is delivered to any device of it. Ask "hushgate check --online", and repair the credential`,
    death !== undefined && adviceOnDeath(death, device.app),
    waiting > 0 && isBlocked !== true && 'It waits, and is tried again by itself',
    dead.length > 0 &&
      `What was given up can be sent again: hushgate dead retry --id ${dead[0]?.id ?? ''} (or drop it)`,
    receipt !== undefined && adviceOnReceipt(receipt),
    receipt === undefined &&
      waiting === 0 &&
      dead.length === 0 &&
      death === undefined &&
      adviceOnSilence(areReceiptsKept),
  ]
  return sentences.filter((sentence) => typeof sentence === 'string')
}

function adviceOnDeath({ isRevived, opinion }: NonNullable<Known['death']>, app: string): string {
  if (opinion === 'suspected')
    return `The rejection guard does not believe that it is dead, so pushes go on to it: is the topic, project or environment of ${app} wrong? Then "hushgate rejections ${app} --discard", else --confirm`
  if (opinion === 'discarded') return 'That it was called dead is discarded: pushes go on to it'
  return isRevived
    ? 'It was registered anew after it died, and pushes are tried again'
    : 'The push service says that this pushkey is dead. The homeserver was told, and drops the pusher; the app has to register again: open it on the device. If it is not dead after all: hushgate forget'
}

function adviceOnReceipt({ result }: NonNullable<Known['receipt']>): string | undefined {
  if (result === 'delivered')
    return 'The push service took the last push, so what is missing is lost after it: is the device on, are its notifications allowed, does the app show them? The push service finds the push by the name above'
  if (result === 'failed')
    return 'The push service says that the message is at fault, not the device: compare with "hushgate render"'
  return result === 'retry' ? 'The push service did not take the last push; the word above says why' : undefined
}

function adviceOnSilence(areReceiptsKept: boolean): string {
  return areReceiptsKept
    ? 'In the last day no push to it was attempted: does the homeserver have its pusher (GET /_matrix/client/v3/pushers), with the URL of this gateway?'
    : 'Receipts are off ("receipts" in the configuration), so what became of its last push is not known'
}
