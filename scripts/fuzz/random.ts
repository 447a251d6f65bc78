/** Chance that is the same for the same seed. */
import { randomOf } from '../faults/schedule.ts'

/** So the cases of neighbouring seeds have nothing in common. */
const STRIDE = 0x9e3779b1

export class Random {
  readonly #next: () => number

  constructor(seed: number, index: number) {
    this.#next = randomOf(Math.imul(seed, STRIDE) ^ Math.imul(index + 1, 0x85ebca6b))
  }

  /** From 0 to `below` - 1. */
  under(below: number): number {
    return Math.floor(this.#next() * below)
  }

  /** Once in so many times. */
  once(inTimes: number): boolean {
    return this.under(inTimes) === 0
  }

  pick<Value>(values: readonly Value[]): Value {
    const value = values[this.under(values.length)]
    if (value === undefined) throw new Error('there is nothing to pick from')
    return value
  }

  /** From 1 to `most`; small numbers are as likely as large ones. */
  size(most: number): number {
    return Math.max(1, Math.floor(most ** this.#next()))
  }

  bytes(count: number): Buffer {
    return Buffer.from(Array.from({ length: count }, () => this.under(256)))
  }
}
