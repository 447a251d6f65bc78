/** What crosses when all of a store is moved into another (`hushgate move`): what the one reads, page by page, and the other stores. */
import type { Delivery } from '../core/delivery.ts'
import type { Owner } from './contract.ts'

/** A delivery that waits, as it stood in its store. It says when it is due. */
export interface MovedDelivery {
  readonly delivery: Delivery
  /** Made so far. */
  readonly attempts: number
  readonly order: number
}

export interface MovedDeadLetter {
  readonly id: string
  readonly delivery: Delivery
  readonly reason: string
  readonly attempts: number
  readonly diedAtMs: number
}

/** A fact of the memory. Whose it is, is not known where a key alone is stored. */
export interface MovedFact {
  readonly key: string
  readonly value: string
  readonly expiresAtMs: number
}

/** A store that is emptied into another one. Nobody else has it meanwhile. It gives what it can open, page by page; the rest stays where it is. */
export interface Departure extends Disposable {
  getFact(key: string): string | undefined
  setFact(fact: MovedFact): void
  deleteFact(key: string): void
  facts(): Iterable<readonly MovedFact[]>
  deadLetters(): Iterable<readonly MovedDeadLetter[]>
  /** In the order in which they were stored. */
  deliveries(): Iterable<readonly MovedDelivery[]>
  /** Those of which deliveries wait. */
  routes(): readonly string[]
  /** Deletes all but what cannot be opened, and the fact under that key. Returns how many deliveries and dead letters stay. */
  empty(keptKey: string): number
}

/** Takes what comes from another store. Each resolves when all of it is as durable as a new delivery; to store the same again changes nothing. */
export interface Arrival {
  addDeliveries(deliveries: readonly MovedDelivery[]): Promise<void>
  addDeadLetters(deadLetters: readonly MovedDeadLetter[]): Promise<void>
  addFacts(facts: readonly MovedFact[]): Promise<void>
  /** Of a route itself: where a gateway looks for it. */
  getFact(owner: Owner, key: string): Promise<string | undefined>
  setFact(owner: Owner, fact: MovedFact): Promise<void>
  /** How many processes hear of what is stored here, because they send it. */
  countListeners(): Promise<number>
}
