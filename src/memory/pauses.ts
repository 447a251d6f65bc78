/**
 * Which routes the operator has paused: their deliveries are kept and not handed out. Written to the store, so that a pause survives a restart and every
 * process knows of it. One entry for all routes: what a thousand idle ones cost is one question now and then.
 */
import { isJsonObject } from '../core/json.ts'
import type { Memory, Owner } from '../store/contract.ts'

/** Since when, by the name of the route; epoch ms. */
export type PausedRoutes = ReadonlyMap<string, number>

export const PAUSES_KEY = 'paused'
/** Of no route: no app_id has a space. */
export const PAUSES_OWNER: Owner = { route: 'all apps' }
/** Until it is resumed; a year, as everything ends. */
const LIFETIME_MS = 365 * 24 * 3600_000
/** So soon other processes do as one was told. */
const READ_EVERY_MS = 5000
/** As long as nothing is known, what is paused may be handed out. */
const ASK_AGAIN_MS = 200

export class Pauses {
  readonly #memory: Memory
  readonly #nowMs: () => number
  #paused: PausedRoutes = new Map()
  #onRead: (paused: PausedRoutes) => void = () => {}
  #timer: NodeJS.Timeout | undefined
  #isKnown = false
  #isStopped = false
  /** One change at a time; those of two processes in the same moment may lose one, and the answer shows it. */
  #changing: Promise<unknown> = Promise.resolve()

  constructor(memory: Memory, nowMs: () => number) {
    this.#memory = memory
    this.#nowMs = nowMs
  }

  /**
   * Calls back with what is paused: now, each time when it is read or changed here, and, where other processes may change it, soon after. Such a store may be away
   * when a process starts; then it is asked again until it answers. Rejects when another does not answer.
   */
  async follow(onRead: (paused: PausedRoutes) => void, isShared: boolean): Promise<void> {
    this.#onRead = onRead
    if (!isShared) await this.read()
    else await this.#readAgainAndAgain()
  }

  async #readAgainAndAgain(): Promise<void> {
    const pauseMs = await this.read().then(
      () => READ_EVERY_MS,
      () => (this.#isKnown ? READ_EVERY_MS : ASK_AGAIN_MS),
    )
    if (!this.#isStopped) this.#timer = setTimeout(() => void this.#readAgainAndAgain(), pauseMs).unref()
  }

  stop(): void {
    this.#isStopped = true
    clearTimeout(this.#timer)
  }

  /** As it was last read. */
  get paused(): PausedRoutes {
    return this.#paused
  }

  /** Rejects when the store does not answer. */
  read(): Promise<PausedRoutes> {
    return this.#inTurn(async () => {
      const text = await this.#memory.get(PAUSES_OWNER, PAUSES_KEY)
      return this.#heard(text === undefined ? new Map() : decode(text))
    })
  }

  /** Pauses or resumes these. One that is paused stays so since before. */
  async set(routes: readonly string[], isPaused: boolean): Promise<PausedRoutes> {
    await this.read()
    return this.#inTurn(async () => {
      const next = new Map(this.#paused)
      for (const route of routes)
        if (!isPaused) next.delete(route)
        else if (!next.has(route)) next.set(route, this.#nowMs())
      if (next.size === 0) await this.#memory.delete(PAUSES_OWNER, PAUSES_KEY)
      else await this.#memory.set(PAUSES_OWNER, PAUSES_KEY, encode(next), LIFETIME_MS)
      return this.#heard(next)
    })
  }

  #heard(paused: PausedRoutes): PausedRoutes {
    this.#isKnown = true
    this.#paused = paused
    this.#onRead(paused)
    return paused
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const done = this.#changing.then(action)
    this.#changing = done.catch(() => {})
    return done
  }
}

/** Of two stores that become one: what is paused in either, since it was first. Epoch ms. */
export function mergePauses(...texts: readonly (string | undefined)[]): string {
  const merged = new Map<string, number>()
  for (const text of texts)
    for (const [route, sinceMs] of text === undefined ? [] : decode(text))
      merged.set(route, Math.min(sinceMs, merged.get(route) ?? sinceMs))
  return encode(merged)
}

function encode(paused: PausedRoutes): string {
  return JSON.stringify(Object.fromEntries(paused))
}

function decode(text: string): PausedRoutes {
  const value: unknown = JSON.parse(text)
  const entries = isJsonObject(value) ? Object.entries(value) : []
  return new Map(
    entries.flatMap(([route, sinceMs]) => (typeof sinceMs === 'number' ? [[route, sinceMs] as const] : [])),
  )
}
