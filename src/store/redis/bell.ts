/**
 * Tells the other processes that something in a shard can be fetched, so that none has to wait at a thousand idle queues. It is only a hint: what is not heard
 * is found at the next look (looks.ts).
 */
import { withTimeLimit } from '../../core/time-limit.ts'
import { isReady, type Client } from './connection.ts'

/** Rings within this time travel together. */
const TOGETHER_MS = 2
const SEPARATOR = '\n'
/**
 * A connection on which nothing is sent may be gone for a quarter of an hour before anybody notices: its other side vanished without a word. So it is asked this
 * often, and taken to be gone if it does not answer for so long.
 */
const CHECK_EVERY_MS = 3000
const CHECK_LIMIT_MS = 2500

export class Bell {
  readonly #client: Client
  readonly #channel: string
  readonly #rung = new Set<string>()
  #isScheduled = false
  #rungAtMs = -Infinity
  #checks: NodeJS.Timeout | undefined

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
    this.#checks = setInterval(() => void this.#check(client), CHECK_EVERY_MS).unref()
  }

  stop(): void {
    clearInterval(this.#checks)
  }

  /** To subscribe again is the one question that a client of a Cluster, too, asks on the connection on which it listens. */
  async #check(client: Client): Promise<void> {
    if (!isReady(client)) return
    const answer = withTimeLimit(CHECK_LIMIT_MS, client.subscribe(this.#channel), () => new Error('no answer'))
    const isAnswered = await answer.then(
      () => true,
      // Redis does not allow it: that is an answer, too.
      (error: unknown) => error instanceof Error && error.name === 'ReplyError',
    )
    if (!isAnswered && isReady(client)) client.disconnect(true)
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
