/** The demonstration on a terminal: what somebody received, and beside what was sent, what of it they saw. In colour where there is any (NO_COLOR, FORCE_COLOR). */
import { styleText } from 'node:util'
import { describePush } from '../simulators.ts'
import type { ComparedField, Seen } from './comparison.ts'

const [NAME_WIDTH, VALUE_WIDTH] = [20, 32]

/** `compared` is empty where it is not known what was sent. */
export function describeSeen(seen: Seen, compared: readonly ComparedField[], stream: NodeJS.WritableStream): string {
  const { who, status, headers, body, opened = body } = seen
  if (status !== undefined && status >= 300) return `\n${who} answered ${status}\n`
  const block = describePush(who, headers, opened)
  if (compared.length === 0) return block
  const reader = seen.opened === undefined ? who : 'its push service'
  const title = styleText('bold', `${'The homeserver sent'.padEnd(NAME_WIDTH + VALUE_WIDTH + 2)}${reader} saw`, {
    stream,
  })
  return `${block}\n    ${title}\n${compared.map((each) => row(each, stream)).join('\n')}\n`
}

function row({ field, sent, seenAs }: ComparedField, stream: NodeJS.WritableStream): string {
  const value = sent.length > VALUE_WIDTH ? `${sent.slice(0, VALUE_WIDTH - 1)}…` : sent
  const line = `${field.padEnd(NAME_WIDTH)} ${value.padEnd(VALUE_WIDTH)} `
  return seenAs === undefined
    ? `    ${styleText('dim', line, { stream })}${styleText('green', '–', { stream })}`
    : `    ${line}${styleText('yellow', seenAs, { stream })}`
}
