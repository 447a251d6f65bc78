/** Asks together what is asked in one turn of the event loop: one command for a hundred keys costs us and Redis little more than one for a single key. */

interface Waiting<Question, Answer> {
  readonly question: Question
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
}

/** Redis serves nobody else meanwhile. */
const MAX_TOGETHER = 200

export class Together<Question, Answer> {
  readonly #ask: (questions: readonly Question[]) => Promise<readonly Answer[]>
  #groups = new Map<string, Waiting<Question, Answer>[]>()

  /** `ask`: resolves with an answer for each, in the same order. */
  constructor(ask: (questions: readonly Question[]) => Promise<readonly Answer[]>) {
    this.#ask = ask
  }

  /** `group`: what can be asked in one command. */
  add(group: string, question: Question): Promise<Answer> {
    return new Promise((resolve, reject) => {
      if (this.#groups.size === 0) setImmediate(() => this.#flush())
      const waiting = this.#groups.get(group)
      if (waiting === undefined) this.#groups.set(group, [{ question, resolve, reject }])
      else waiting.push({ question, resolve, reject })
    })
  }

  #flush(): void {
    const groups = this.#groups
    this.#groups = new Map()
    for (const waiting of groups.values())
      for (let start = 0; start < waiting.length; start += MAX_TOGETHER)
        void this.#askFor(waiting.slice(start, start + MAX_TOGETHER))
  }

  async #askFor(waiting: readonly Waiting<Question, Answer>[]): Promise<void> {
    try {
      const answers = await this.#ask(waiting.map(({ question }) => question))
      for (const [index, answer] of answers.entries()) waiting[index]?.resolve(answer)
    } catch (error) {
      for (const { reject } of waiting) reject(error)
    }
  }
}
