/** What a push service learns through an app, in a few lines: what people ask for first, each line from the ledger. The full lists have every field. */
import type { Disclosure, Field } from '../core/disclosure.ts'
import type { StatedApp } from './statement.ts'

interface Line {
  readonly words: string
  readonly fields: readonly Field[]
}

const LINES: readonly Line[] = [
  { words: 'when it came', fields: ['time'] },
  { words: 'for which device', fields: ['pushkey'] },
  { words: 'if it makes a sound', fields: ['prio'] },
  { words: 'the unread count', fields: ['unread', 'missed_calls'] },
  { words: 'who wrote', fields: ['sender', 'sender_display_name'] },
  { words: 'what was written', fields: ['content'] },
  { words: 'which room', fields: ['room_id', 'room_name', 'room_alias'] },
  { words: 'which message', fields: ['event_id'] },
  { words: 'its type, such as an invitation', fields: ['type', 'membership'] },
]

/** How a line is said when less than the value is learned. */
const LESS: Readonly<Partial<Record<Disclosure, (words: string) => string>>> = {
  sum_as_badge: () => 'one unread count',
  category: () => 'at most whether it is a call or an invitation',
  tick: (words) => `${words}, in steps`,
  keyed_hash: (words) => words.replace(/^which /, 'a code per '),
}

export interface InShort {
  readonly learns: readonly string[]
  readonly hidden: readonly string[]
}

export function inShort(app: StatedApp): InShort {
  const short: { learns: string[]; hidden: string[] } = { learns: [], hidden: [] }
  for (const { words, fields } of LINES) {
    const learned = new Set(fields.flatMap((field) => learnedOf(app, field)))
    const less = [...learned].map((each) => LESS[each]).find((said) => said !== undefined)
    if (learned.has('as_sent')) short.learns.push(words)
    else if (less !== undefined) short.learns.push(less(words))
    else short.hidden.push(words)
  }
  return short
}

export type Level = 'least' | 'ids' | 'all'

/** How much of a message reaches the push service. */
export function levelOf(app: StatedApp): Level {
  const isLearned = (field: Field): boolean => learnedOf(app, field).includes('as_sent')
  if (isLearned('sender') || isLearned('content') || isLearned('room_name')) return 'all'
  return isLearned('event_id') || isLearned('room_id') ? 'ids' : 'least'
}

/** One sentence, as HTML; `who` begins it. */
export function verdictOf(level: Level, who: string): string {
  switch (level) {
    case 'least':
      return `${who} learns <em>that</em> something came, not <em>what</em>.`
    case 'ids':
      return `${who} learns <em>which</em> message in which room it is about, by their IDs; not who wrote or what.`
    case 'all':
      return `${who} learns who wrote, in which room and, unless the room is encrypted, <em>what</em>.`
  }
}

function learnedOf({ learns }: StatedApp, field: Field): readonly Disclosure[] {
  return learns[field].push_service
}
