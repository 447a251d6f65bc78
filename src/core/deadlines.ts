/**
 * Many deadlines of one length on one timer. Whoever begins first is over first, so a list in the order of beginning is enough: no timer and no
 * abort signal for each.
 */

/** One wait that is under way. */
export interface Deadline {
  /** It is not needed any more. Without effect when it is over, or was cancelled before. */
  cancel(): void
}

export class Deadlines {
  readonly #limitMs: number
  /** Nobody's: where a ring begins and ends. The next one is over first. */
  readonly #head = new Entry(0, () => {})
  #timer: NodeJS.Timeout | undefined

  constructor(limitMs: number) {
    this.#limitMs = limitMs
  }

  /** Calls `onDeadline` after the limit, and never before `add` has returned. The timer does not keep the process alive. */
  add(onDeadline: () => void): Deadline {
    const entry = new Entry(performance.now() + this.#limitMs, onDeadline)
    entry.insertBefore(this.#head)
    if (this.#timer === undefined) this.#timer = setTimeout(this.#onTimer, this.#limitMs).unref()
    return entry
  }

  /** What was cancelled is not looked for: the timer may come for nobody, and then waits for who is next. */
  readonly #onTimer = (): void => {
    const nowMs = performance.now()
    const head = this.#head
    while (head.next !== head && head.next.atMs <= nowMs) {
      const { next } = head
      next.cancel()
      next.onDeadline()
    }
    this.#timer = head.next === head ? undefined : setTimeout(this.#onTimer, Math.ceil(head.next.atMs - nowMs)).unref()
  }
}

/** A link of a ring, so that it is taken out without a search. */
class Entry implements Deadline {
  readonly atMs: number
  readonly onDeadline: () => void
  previous: Entry = this
  next: Entry = this

  constructor(atMs: number, onDeadline: () => void) {
    this.atMs = atMs
    this.onDeadline = onDeadline
  }

  insertBefore(other: Entry): void {
    this.previous = other.previous
    this.next = other
    this.previous.next = this
    other.previous = this
  }

  cancel(): void {
    this.previous.next = this.next
    this.next.previous = this.previous
    this.previous = this
    this.next = this
  }
}
