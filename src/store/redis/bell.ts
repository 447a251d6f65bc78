/**
 * Tells the other processes that something in a shard can be fetched, so that none has to wait at a thousand idle queues. It is only a hint: what is not heard
 * is found at the next look (looks.ts).
 */
import { isReady, type Client } from './connection.ts'

/** Rings within this time travel together. */
const TOGETHER_MS = 2
const SEPARATOR = '\n'

export class Bell {
  readonly #client: Client
  readonly #channel: string
  readonly #rung = new Set<string>()
  #isScheduled = false
  #rungAtMs = -Infinity

  constructor(client: Client, channel: string) {
    this.#client = client
    this.#channel = channel
  }

  ring(shardId: string): void {
    this.#rung.add(shardId)
    if (this.#isScheduled) return
    this.#isScheduled = true
    const publish = (): void => void this.#publish()
    const waitMs = TOGETHER_MS - (performance.now() - this.#rungAtMs)
    if (waitMs <= 0) setImmediate(publish)
    else setTimeout(publish, waitMs).unref()
  }

  /** Calls back for each ring of any process, and when rings may have been missed. `client` can then do nothing else, unless it is a Cluster's. */
  listen(client: Client, onRing: (shardId: string) => void, onMissed: () => void): void {
    client.on('message', (channel: string, message: string) => {
      if (channel === this.#channel) for (const shardId of message.split(SEPARATOR)) onRing(shardId)
    })
    const subscribe = (): void => {
      client.subscribe(this.#channel).then(onMissed, () => {})
    }
    client.on('ready', subscribe)
    if (isReady(client)) subscribe()
  }

  /** Rings what is not rung yet; resolves when that was heard, or cannot be. */
  async flush(): Promise<void> {
    if (this.#rung.size > 0) await this.#publish()
  }

  async #publish(): Promise<void> {
    this.#isScheduled = false
    if (this.#rung.size === 0) return
    this.#rungAtMs = performance.now()
    const message = [...this.#rung].join(SEPARATOR)
    this.#rung.clear()
    if (isReady(this.#client)) await this.#client.publish(this.#channel, message).catch(() => {})
  }
}
