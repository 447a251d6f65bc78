/**
 * Moves all that is stored from SQLite to Redis. What was moved stays in the file until all of it is in Redis, and neither store is served until then
 * (memory/store-move.ts): so a move may end at any point, and is then done again from its beginning, with nothing lost and nothing there twice.
 */
import { randomUUID } from 'node:crypto'
import { mergePauses, PAUSES_KEY, PAUSES_OWNER } from '../memory/pauses.ts'
import {
  MOVE_KEY,
  MOVE_LIFETIME_MS,
  MOVE_OWNER,
  readMark,
  writeMark,
  type MoveMark,
  type MoveSetUp,
} from '../memory/store-move.ts'
import type { Arrival, Departure, MovedFact } from '../store/move.ts'
import { OperatorError } from './operator.ts'

export interface MoveParts {
  readonly from: Departure
  readonly to: Arrival
  readonly setUp: MoveSetUp
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
export async function moveStore(parts: MoveParts): Promise<Moved> {
  const { from, to, setUp } = parts
  const mark = readMark(from.getFact(MOVE_KEY))
  // After one that was finished, what could not be opened then goes with a move of its own.
  const begun = mark?.state === 'done' ? undefined : mark
  const there = readMark(await to.getFact(MOVE_OWNER, MOVE_KEY))
  refuseOther(begun, there, setUp)
  const id = begun?.id ?? randomUUID()
  const isThere = there?.state === 'arrived' && there.id === id
  const isAgain = begun?.isAgain ?? there?.state === 'arrived'
  const moved = isThere
    ? { deliveries: 0, deadLetters: 0, facts: 0 }
    : await fill(parts, { ...setUp, state: 'leaving', id, isAgain })
  // A gateway may serve the other store from here on, so nothing is copied any more.
  const unreadable = from.empty(MOVE_KEY)
  setMark(parts, { state: 'done', id, unreadable })
  return { ...moved, unreadable }
}

/** Throws an OperatorError. `begun` and `there`: what is known of a move in the one store and the other. */
function refuseOther(begun: MoveMark | undefined, there: MoveMark | undefined, setUp: MoveSetUp): void {
  if (begun?.state === 'left' && there?.id !== begun.id)
    throw new OperatorError(
      'All of this file was copied into another store than that: name the configuration that was named before. If that store is lost, give the move up: hushgate move --give-up --to FILE',
    )
  if (there?.state === 'arriving' && there.id !== begun?.id)
    throw new OperatorError(
      'The store to move to holds a part of another move, which was given up or comes from another file: take another store.prefix, or delete the keys of this one',
    )
  if (begun !== undefined && begun.shards !== setUp.shards)
    throw new OperatorError(
      'store.shards is another than when this move began, so all that was copied would be there twice: set it as it was, and change it when the move is finished',
    )
  if (begun !== undefined && begun.keys !== setUp.keys)
    throw new OperatorError(
      'The key file has other keys than when this move began, so it is not known what was copied: make it as it was, and change it when the move is finished',
    )
}

/** Copies everything; then it is as good there as here. */
async function fill(parts: MoveParts, mark: MoveMark): Promise<Omit<Moved, 'unreadable'>> {
  const { from, to, nowMs } = parts
  await refuseServed(to)
  const { id } = mark
  const setThere = async (state: MoveMark['state']): Promise<void> =>
    to.setFact(MOVE_OWNER, {
      key: MOVE_KEY,
      value: writeMark({ state, id }),
      expiresAtMs: nowMs() + MOVE_LIFETIME_MS,
    })
  setMark(parts, mark)
  await setThere('arriving')
  // One that looked for the mark just before.
  await refuseServed(to)
  const moved = await copy(from, to)
  setMark(parts, { ...mark, state: 'left' })
  await setThere('arrived')
  return moved
}

async function refuseServed(to: Arrival): Promise<void> {
  if ((await to.countListeners()) > 0)
    throw new OperatorError('A gateway runs on the store to move to: stop all its processes first')
}

function setMark({ from, nowMs }: Pick<MoveParts, 'from' | 'nowMs'>, mark: MoveMark): void {
  from.setFact({ key: MOVE_KEY, value: writeMark(mark), expiresAtMs: nowMs() + MOVE_LIFETIME_MS })
}

/**
 * False where no move was begun. The store to which it went keeps its mark, so nobody is served what came there. `to`: needed where that store may have all of it, or
 * had something before; it is then given up only if that is lost.
 */
export async function giveUpMove(from: Departure, to?: Pick<Arrival, 'getFact'>): Promise<boolean> {
  const mark = readMark(from.getFact(MOVE_KEY))
  if (mark?.state === 'done') throw new OperatorError('The move is finished, so nothing is left to be given up')
  if (mark?.state === 'left' || mark?.isAgain === true) {
    const needed =
      mark.state === 'left'
        ? 'All of it is in the other store by now'
        : 'The other store was in use before this move, and is not served until it is finished'
    if (to === undefined)
      throw new OperatorError(
        `${needed}: run the same hushgate move again. If that store is lost: hushgate move --give-up --to FILE`,
      )
    if (readMark(await to.getFact(MOVE_OWNER, MOVE_KEY))?.id === mark.id)
      throw new OperatorError(`${needed}: run the same hushgate move again`)
  }
  from.deleteFact(MOVE_KEY)
  return mark !== undefined
}

/** The facts first: what is dead, or was sent before, is then known of each delivery. */
async function copy(from: Departure, to: Arrival): Promise<Omit<Moved, 'unreadable'>> {
  let facts = 0
  for (const page of from.facts()) {
    const known = page.filter(({ key }) => key !== MOVE_KEY)
    await to.addFacts(known.filter(({ key }) => key !== PAUSES_KEY))
    await addPauses(known, to)
    facts += known.length
  }
  const deadLetters = await eachPage(from.deadLetters(), (rows) => to.addDeadLetters(rows))
  const deliveries = await eachPage(from.deliveries(), (rows) => to.addDeliveries(rows))
  return { deliveries, deadLetters, facts }
}

/** They live for longer than the other facts, so they go where they are looked for at last. */
async function addPauses(facts: readonly MovedFact[], to: Arrival): Promise<void> {
  const pauses = facts.find(({ key }) => key === PAUSES_KEY)
  if (pauses === undefined) return
  const value = mergePauses(await to.getFact(PAUSES_OWNER, PAUSES_KEY), pauses.value)
  await to.setFact(PAUSES_OWNER, { ...pauses, value })
}

async function eachPage<Row>(
  pages: Iterable<readonly Row[]>,
  store: (rows: readonly Row[]) => Promise<void>,
): Promise<number> {
  let count = 0
  for (const rows of pages) {
    await store(rows)
    count += rows.length
  }
  return count
}
