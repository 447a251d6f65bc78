/**
 * How far a move of all that is stored has come (`hushgate move`). While it is not finished, a gateway on either store would send what the other one also has;
 * so neither is served.
 */
import { isJsonObject } from '../core/json.ts'
import type { Memory, Owner } from '../store/contract.ts'

/** What must stay as it was until a move is finished. */
export interface MoveSetUp {
  /** A hash of the names of the keys that open the store that is emptied. */
  readonly keys: string
  /** A hash of `store.shards` of the other one. */
  readonly shards: string
}

/**
 * Of the store that is emptied: `leaving`: some of it is in the other one by now. `left`: all of it is. `done`: it is empty but for what cannot be opened. Of the other
 * one: `arriving`: it has some of it. `arrived`: all of it, and it is served.
 */
export interface MoveMark extends Partial<MoveSetUp> {
  readonly state: 'leaving' | 'left' | 'done' | 'arriving' | 'arrived'
  /** Random, of the move. */
  readonly id: string
  /** With `leaving` and `left`: the other store was filled by another move before, and has been served since. */
  readonly isAgain?: boolean | undefined
  /** With `done`: how many deliveries and dead letters stayed. */
  readonly unreadable?: number | undefined
}

const STATES: ReadonlySet<unknown> = new Set<MoveMark['state']>(['leaving', 'left', 'done', 'arriving', 'arrived'])

export const MOVE_KEY = 'move'
/** Of no route: no app_id has a space. */
export const MOVE_OWNER: Owner = { route: 'all apps' }
/** A year, as everything ends. */
export const MOVE_LIFETIME_MS = 365 * 24 * 3600_000

export function writeMark(mark: MoveMark): string {
  return JSON.stringify(mark)
}

export function readMark(text: string | undefined): MoveMark | undefined {
  const value: unknown = text === undefined ? undefined : JSON.parse(text)
  return isMark(value) ? value : undefined
}

/** Nobody else writes it. */
function isMark(value: unknown): value is MoveMark {
  return isJsonObject(value) && STATES.has(value['state']) && typeof value['id'] === 'string'
}

/** Why this store must not be used; undefined where it may. Rejects when the store does not answer: then it is not known. */
export async function objectionToUse(memory: Pick<Memory, 'get'>): Promise<string | undefined> {
  const mark = readMark(await memory.get(MOVE_OWNER, MOVE_KEY))
  switch (mark?.state) {
    case undefined:
    case 'arrived':
      return undefined
    case 'leaving':
      return 'what is in this store is being moved into another, and that was not finished: run the same hushgate move again, or give it up with hushgate move --give-up'
    case 'arriving':
      return 'what is in another store is being moved into this one, and that was not finished: run the same hushgate move again'
    case 'left':
      return 'all that was in this store is in another by now, but the move was not finished: run the same hushgate move again'
    case 'done':
      return (mark.unreadable ?? 0) > 0
        ? `all that could be opened in this store was moved into another: run the gateway with the configuration of that one. ${mark.unreadable} pushes could not, because their key is not in the key file: put it there, and run the same hushgate move again`
        : 'all that was in this store was moved into another: run the gateway with the configuration of that one, and delete this file'
  }
}
