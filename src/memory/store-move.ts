/**
 * How far a move of all that is stored has come (`hushgate move`). While it is not finished, a gateway on either store would send what the other one also has;
 * so neither is served.
 */
import { isJsonObject } from '../core/json.ts'
import type { Memory, Owner } from '../store/contract.ts'

/** `leaving`: some of it is in the other store by now. `left`: all of it is. `arriving`: this is the other one, and has some of it. */
export interface MoveMark {
  readonly state: 'leaving' | 'left' | 'arriving'
  /** Random, of the move. */
  readonly id: string
}

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
  if (!isJsonObject(value)) return undefined
  const { state, id } = value
  if (typeof id !== 'string' || (state !== 'leaving' && state !== 'left' && state !== 'arriving')) return undefined
  return { state, id }
}

/** Why a gateway must not run on this store; undefined where it may. A store that does not answer says nothing of it. */
export async function objectionToServing(memory: Pick<Memory, 'get'>): Promise<string | undefined> {
  const mark = readMark(await memory.get(MOVE_OWNER, MOVE_KEY).catch(() => undefined))
  switch (mark?.state) {
    case undefined:
      return undefined
    case 'leaving':
      return 'what is in this store is being moved into another, and that was not finished: run the same hushgate move again, or give it up with hushgate move --give-up'
    case 'arriving':
      return 'what is in another store is being moved into this one, and that was not finished: run the same hushgate move again'
    case 'left':
      return 'all that was in this store was moved into another: run the gateway with the configuration of that one, and delete this file'
  }
}
