/** How much of a route may be handed out: its gate, and how many deliveries may still go in flight. All shards of the route share it. */
import { MAX_BATCH, type GateState } from '../contract.ts'

/** With so many deliveries in flight, other processes are asked to help. */
const HELP_FROM = 16

export class Allowance {
  readonly #slots: number
  #gate: GateState = 'open'
  #freeSlots: number
  #isStopping = false
  #changed = Promise.withResolvers<void>()

  constructor(slots: number) {
    this.#slots = slots
    this.#freeSlots = slots
  }

  get gate(): GateState {
    return this.#gate
  }

  setGate(state: GateState): void {
    this.#gate = state
    this.#notify()
  }

  get isStopping(): boolean {
    return this.#isStopping
  }

  stop(): void {
    this.#isStopping = true
    this.#notify()
  }

  /** Something that is stored now would be handed out at once. */
  get isOpen(): boolean {
    return !this.#isStopping && this.#gate !== 'closed' && this.#freeSlots > 0
  }

  /** So many jobs may be asked for at once by each of so many shards: one at least, and no more than can be handed out whatever is in them. */
  batchesFor(shardCount: number): number {
    return this.#gate === 'open' ? Math.max(1, Math.floor(this.#freeSlots / MAX_BATCH / shardCount)) : 1
  }

  /** Something that is stored now needs nobody else. */
  get needsNoHelp(): boolean {
    return this.isOpen && this.#slots - this.#freeSlots < HELP_FROM
  }

  take(slots: number): void {
    this.#freeSlots -= slots
  }

  giveBack(slots: number): void {
    this.#freeSlots += slots
    this.#notify()
  }

  /** So many slots may become free. Not while the gate is closed, nor when it is stopping. */
  mustWaitFor(slots: number): boolean {
    return !this.#isStopping && this.#gate !== 'closed' && this.#freeSlots < slots
  }

  /** Resolves when something of this has changed. Whoever waits has to look again then: another shard may have been faster. */
  get change(): Promise<void> {
    return this.#changed.promise
  }

  #notify(): void {
    this.#changed.resolve()
    this.#changed = Promise.withResolvers()
  }
}
