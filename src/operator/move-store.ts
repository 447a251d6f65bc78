/**
 * Moves all that is stored from SQLite to Redis. What was moved stays in the file until all of it is in Redis, and neither store is served until then
 * (memory/store-move.ts): so a move may end at any point, and is then done again from its beginning, with nothing lost and nothing there twice.
 */
import { randomUUID } from 'node:crypto'
import { PAUSES_KEY, PAUSES_OWNER } from '../memory/pauses.ts'
import { MOVE_KEY, MOVE_LIFETIME_MS, MOVE_OWNER, readMark, writeMark, type MoveMark } from '../memory/store-move.ts'
import type { Memory } from '../store/contract.ts'
import type { Arrival, Departure, MovedFact, Page } from '../store/move.ts'
import { OperatorError } from './operator.ts'

export interface MoveParts {
  readonly from: Departure
  readonly to: { readonly arrival: Arrival; readonly memory: Pick<Memory, 'get' | 'set' | 'delete'> }
  readonly nowMs: () => number
}

export interface Moved {
  readonly deliveries: number
  readonly deadLetters: number
  readonly facts: number
  /** Deliveries and dead letters that cannot be opened. They stay in the file. */
  readonly unreadable: number
}

/** Rejects with StoreUnavailableError, and can then be called again; with an OperatorError when it must not go on. */
export async function moveStore({ from, to, nowMs }: MoveParts): Promise<Moved> {
  const setMark = (mark: MoveMark): void =>
    from.setFact({ key: MOVE_KEY, value: writeMark(mark), expiresAtMs: nowMs() + MOVE_LIFETIME_MS })
  const begun = readMark(from.getFact(MOVE_KEY))
  const arriving = readMark(await to.memory.get(MOVE_OWNER, MOVE_KEY))
  const id = begun?.id ?? randomUUID()
  if (arriving !== undefined && (arriving.state !== 'arriving' || arriving.id !== id))
    throw new OperatorError(
      'The store to move to holds a part of another move, which was given up or comes from another file: take another store.prefix, or delete the keys of this one',
    )
  let moved: Moved = { deliveries: 0, deadLetters: 0, facts: 0, unreadable: 0 }
  if (begun?.state !== 'left') {
    setMark({ state: 'leaving', id })
    await to.memory.set(MOVE_OWNER, MOVE_KEY, writeMark({ state: 'arriving', id }), MOVE_LIFETIME_MS)
    moved = await copy(from, to, nowMs)
    setMark({ state: 'left', id })
  }
  await to.memory.delete(MOVE_OWNER, MOVE_KEY)
  from.empty(MOVE_KEY)
  return moved
}

/** False where no move was begun. The store to which it went keeps its mark, so nobody is served what came there. */
export function giveUpMove(from: Departure): boolean {
  const mark = readMark(from.getFact(MOVE_KEY))
  if (mark?.state === 'left')
    throw new OperatorError('All of it is in the other store by now, so nothing is left to be given up')
  from.deleteFact(MOVE_KEY)
  return mark !== undefined
}

/** The facts first: what is dead, or was sent before, is then known of each delivery. */
async function copy(from: Departure, to: MoveParts['to'], nowMs: () => number): Promise<Moved> {
  let facts = 0
  for (const page of from.facts()) {
    const known = page.filter(({ key }) => key !== MOVE_KEY)
    await to.arrival.addFacts(known.filter(({ key }) => key !== PAUSES_KEY))
    await keepPauses(known, to.memory, nowMs)
    facts += known.length
  }
  const dead = await eachPage(from.deadLetters(), (rows) => to.arrival.addDeadLetters(rows))
  const waiting = await eachPage(from.deliveries(), (rows) => to.arrival.addDeliveries(rows))
  return {
    deliveries: waiting.count,
    deadLetters: dead.count,
    facts,
    unreadable: waiting.unreadable + dead.unreadable,
  }
}

/** It lives for longer than the other facts, so it goes where it is looked for at last. */
async function keepPauses(
  facts: readonly MovedFact[],
  memory: Pick<Memory, 'set'>,
  nowMs: () => number,
): Promise<void> {
  const pauses = facts.find(({ key }) => key === PAUSES_KEY)
  if (pauses !== undefined) await memory.set(PAUSES_OWNER, PAUSES_KEY, pauses.value, pauses.expiresAtMs - nowMs())
}

async function eachPage<Row>(
  pages: Iterable<Page<Row>>,
  store: (rows: readonly Row[]) => Promise<void>,
): Promise<{ readonly count: number; readonly unreadable: number }> {
  let [count, unreadable] = [0, 0]
  for (const page of pages) {
    await store(page.rows)
    count += page.rows.length
    unreadable += page.unreadable
  }
  return { count, unreadable }
}
