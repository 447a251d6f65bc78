/** A stranger who knows where the gateway is, and nothing else. */
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Helper } from '../bench/calls.ts'
import type { Subscription } from '../../src/simulators/webpush.ts'
import { NOTIFY_PATH } from './requests.ts'
import type { operations } from './services-process.ts'

/** Longer than any answer takes. */
const ANSWER_TIMEOUT_MS = 60_000

export class Attacker {
  readonly url: string
  /** For so long the others are watched. */
  readonly seconds: number
  /** Of what was posted, by its status, or `none`. */
  readonly answers = new Map<string, number>()
  bytes = 0
  readonly #services: Helper<typeof operations>
  readonly #sockets: Socket[] = []

  constructor(url: string, seconds: number, services: Helper<typeof operations>) {
    this.url = url
    this.seconds = seconds
    this.#services = services
  }

  /** Never rejects. */
  async post(notification: object): Promise<void> {
    const body = JSON.stringify({ notification })
    this.bytes += Buffer.byteLength(body)
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS)
    try {
      const response = await fetch(this.url + NOTIFY_PATH, { method: 'POST', body, signal })
      await response.arrayBuffer()
      this.#count(String(response.status))
    } catch {
      this.#count('none')
    }
  }

  /** `perSecond` times in each second, whether or not what was begun before has ended. Resolves when all has. */
  async keepOn(perSecond: number, act: (index: number) => Promise<unknown>): Promise<void> {
    const startedMs = performance.now()
    const acts: Promise<unknown>[] = []
    for (let index = 0; index < perSecond * this.seconds; index += 1) {
      await sleep(Math.max(0, startedMs + (index * 1000) / perSecond - performance.now()))
      acts.push(act(index))
    }
    await Promise.all(acts)
  }

  /** A connection on which this is sent, and no more. */
  hold(bytes: Buffer): void {
    const { hostname, port } = new URL(this.url)
    this.bytes += bytes.length
    const socket = connect({ host: hostname, port: Number(port) })
    socket.on('error', () => {}) // it may be closed at any time
    socket.once('data', (answer: Buffer) => this.#count(answer.toString('latin1').split(' ', 2)[1] ?? ''))
    socket.write(bytes)
    this.#sockets.push(socket)
  }

  /** Browsers of his own; each name says how their push service answers. */
  async browsers(app: string, of: readonly { readonly name: string; readonly origin: string }[]): Promise<object[]> {
    const subscriptions = await this.#services.ask('subscribe', of)
    return subscriptions.map((each: Subscription) => ({
      app_id: app,
      pushkey: each.p256dh,
      data: { endpoint: each.endpoint, auth: each.auth },
    }))
  }

  leave(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  #count(answer: string): void {
    this.answers.set(answer, (this.answers.get(answer) ?? 0) + 1)
  }
}
