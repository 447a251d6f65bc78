/** Counts connections and answers of each route, over all senders that it had. */
import type { Dial } from '../core/provider.ts'
import type { WireCounts } from '../core/wire.ts'

interface Counted extends Pick<WireCounts, 'app' | 'provider'> {
  connections: number
  readonly answers: Map<number, number>
}

/** What a sender is given so that it is counted. */
interface CountedWay {
  readonly dial: Dial
  readonly answered: (status: number) => void
}

export class WireCounter {
  readonly #routes = new Map<string, Counted>()

  count(app: string, provider: string, dial: Dial): CountedWay {
    const known = this.#routes.get(`${app} ${provider}`)
    const of: Counted = known ?? { app, provider, connections: 0, answers: new Map() }
    this.#routes.set(`${app} ${provider}`, of)
    return {
      async dial(...way) {
        const stream = await dial(...way)
        if (stream.destroyed) return stream
        of.connections += 1
        stream.once('close', () => (of.connections -= 1))
        return stream
      },
      answered: (status) => void of.answers.set(status, (of.answers.get(status) ?? 0) + 1),
    }
  }

  counts(): readonly WireCounts[] {
    return [...this.#routes.values()].map((of) => ({ ...of, answers: [...of.answers] }))
  }
}
