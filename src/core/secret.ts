/** A value that cannot be printed: pushkeys, private keys, tokens. Whoever needs it says `reveal()`, which is easy to search for. */

const REDACTED = '[redacted]'

export class Secret<T = string> {
  readonly #value: T

  constructor(value: T) {
    this.#value = value
  }

  reveal(): T {
    return this.#value
  }

  toString(): string {
    return REDACTED
  }

  toJSON(): string {
    return REDACTED
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return REDACTED
  }
}
