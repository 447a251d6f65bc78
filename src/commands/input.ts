/** What a command is given: a file, or standard input. */
import { readFileSync } from 'node:fs'
import { isJsonObject, type JsonObject } from '../core/json.ts'
import { describeError } from '../log.ts'
import { OperatorError } from '../operator/operator.ts'

export function readGiven(file: string): Uint8Array {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new OperatorError(`${file} cannot be read (${String(describeError(error)['code'])})`)
  }
}

/** `onWaiting` is called where somebody at a terminal has to type it. */
export async function readAll(
  stream: AsyncIterable<Uint8Array> & { readonly isTTY?: boolean },
  onWaiting: () => void = () => {},
): Promise<Uint8Array> {
  if (stream.isTTY === true) onWaiting()
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** `option`: where it was given. */
export function readJsonObject(text: string, option: string): JsonObject {
  try {
    const data: unknown = JSON.parse(text)
    if (isJsonObject(data)) return data
  } catch {}
  throw new OperatorError(`${option} is no JSON object; it is the pusher's data, as the homeserver has it`)
}
