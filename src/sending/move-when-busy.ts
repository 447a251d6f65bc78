/** Gives the senders that take most of the time a thread of their own, when there is not enough of it. */
import type { RouteConfig } from '../config/config.ts'
import type { Log } from '../core/log.ts'
import type { MovableSenders } from './movable-senders.ts'
import { whenBusy } from './when-busy.ts'

export interface MoveWhenBusyParts {
  readonly senders: MovableSenders
  /** Opens the senders anew of those that are meant; rejects when one cannot be opened, and then all are as before. */
  readonly reopen: (isMeant: (route: RouteConfig) => boolean) => Promise<void>
  readonly log: Log
}

export class MoveWhenBusy {
  readonly #parts: MoveWhenBusyParts
  #stopWatching: (() => void) | undefined

  constructor(parts: MoveWhenBusyParts) {
    this.#parts = parts
  }

  /** `routes`: all that are in use now. */
  watch(routes: readonly RouteConfig[]): void {
    const isUseful = routes.some((route) => this.#parts.senders.movesToThread(route))
    if (isUseful) this.#stopWatching ??= whenBusy(() => void this.#move())
  }

  stop(): void {
    this.#stopWatching?.()
  }

  async #move(): Promise<void> {
    const { senders, reopen, log } = this.#parts
    try {
      await senders.moveToThread(() => reopen((route) => senders.movesToThread(route)))
      log.info('There is much to do: from now on a thread of its own encrypts and sends Web Push')
    } catch (error) {
      this.#stopWatching = undefined
      log.error('Web Push could not be moved to a thread of its own; it is sent as before; a reload tries again', error)
    }
  }
}
