/** What crosses when all of a store is moved into another (`hushgate move`): what the one reads, page by page, and the other stores. */
import type { Delivery } from '../core/delivery.ts'

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

/** Some rows of a table. */
export interface Page<Row> {
  readonly rows: readonly Row[]
  /** How many more there were that cannot be opened. They stay where they are. */
  readonly unreadable: number
}

/** A store that is emptied into another one. Nobody else has it meanwhile. */
export interface Departure extends Disposable {
  getFact(key: string): string | undefined
  setFact(fact: MovedFact): void
  deleteFact(key: string): void
  facts(): Iterable<readonly MovedFact[]>
  deadLetters(): Iterable<Page<MovedDeadLetter>>
  /** In the order in which they were stored. */
  deliveries(): Iterable<Page<MovedDelivery>>
  /** Deletes all but what cannot be opened, and the fact under that key. */
  empty(keptKey: string): void
}

/** Takes what comes from another store. Each resolves when all of it is as durable as a new delivery; to store the same again changes nothing. */
export interface Arrival {
  addDeliveries(deliveries: readonly MovedDelivery[]): Promise<void>
  addDeadLetters(deadLetters: readonly MovedDeadLetter[]): Promise<void>
  addFacts(facts: readonly MovedFact[]): Promise<void>
}
