/**
 * Requests at a fixed rate, each at its time whether or not those before it are answered: what a user waits for does not get shorter because the gateway
 * is slow. A process of its own.
 */
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { answerQuestions } from './calls.ts'
import { monotonicMs } from './clock.ts'
import { bodyOf, eventId } from './requests.ts'

export interface PacedLoad {
  readonly url: string
  readonly devicesFile: string
  readonly perSecond: number
  readonly seconds: number
  /** Part of each event ID; unique to the run. */
  readonly run: string
}

export interface PacedReport {
  /** By `monotonicMs`, for each request by its number: when it was due, and when 200 came; 0 when something else did. */
  readonly dueMs: Float64Array
  readonly acceptedMs: Float64Array
}

/** Free ones are used again, the last first; more are opened when none is free. */
const MAX_CONNECTIONS = 400
const TICK_MS = 1
/** Until the last answers have come. */
const PATIENCE_MS = 20_000

type Load = Pick<Filling, 'url' | 'devicesFile' | 'devicesPerRequest' | 'run'>

class Requests {
  readonly #url: URL
  readonly #devices: readonly string[]
  readonly #load: Load
  readonly #free: Connection[] = []
  readonly #waiting: number[] = []
  #connections = 0
  unanswered = 0
  readonly report: PacedReport

  constructor(load: Load, count: number) {
    this.#url = new URL(load.url)
    this.#load = load
    this.#devices = readFileSync(load.devicesFile, 'utf8').split('\n')
    this.report = { dueMs: new Float64Array(count), acceptedMs: new Float64Array(count) }
  }

  send(number: number): void {
    this.unanswered += 1
    const connection = this.#free.pop() ?? this.#open()
    if (connection === undefined) this.#waiting.push(number)
    else connection.send(number, this.#textOf(number))
  }

  #open(): Connection | undefined {
    if (this.#connections === MAX_CONNECTIONS) return undefined
    this.#connections += 1
    const socket = connect(Number(this.#url.port), this.#url.hostname).setNoDelay(true)
    const connection = new Connection(socket, (number, isAccepted) => {
      this.unanswered -= 1
      if (isAccepted) this.report.acceptedMs[number] = monotonicMs()
      const next = this.#waiting.shift()
      if (next === undefined) this.#free.push(connection)
      else connection.send(next, this.#textOf(next))
    })
    socket.once('close', () => this.#onClosed(connection))
    return connection
  }

  /** What was under way on it counts as not accepted. */
  #onClosed(connection: Connection): void {
    this.#connections -= 1
    const at = this.#free.indexOf(connection)
    if (at >= 0) this.#free.splice(at, 1)
    else this.unanswered -= 1
    const next = this.#waiting.shift()
    if (next !== undefined) this.#open()?.send(next, this.#textOf(next))
  }

  #textOf(number: number): string {
    const { devicesPerRequest, run } = this.#load
    const first = number * devicesPerRequest
    const devices = Array.from(
      { length: devicesPerRequest },
      (_, index) => this.#devices[(first + index) % this.#devices.length],
    )
    const body = bodyOf(eventId(run, number), number, devices.join(','))
    const { host, pathname } = this.#url
    return `POST ${pathname} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`
  }
}

/** One request at a time. */
class Connection {
  readonly #socket: Socket
  #number = 0
  #answer = ''

  constructor(socket: Socket, onAnswer: (number: number, isAccepted: boolean) => void) {
    this.#socket = socket
    socket.setEncoding('latin1').on('data', (text: string) => {
      this.#answer += text
      const end = this.#answer.indexOf('\r\n\r\n')
      if (end === -1 || this.#answer.length < end + 4 + lengthOfBody(this.#answer)) return
      const isAccepted = this.#answer.startsWith('HTTP/1.1 200')
      this.#answer = ''
      onAnswer(this.#number, isAccepted)
    })
    socket.on('error', () => {}) // what is not answered counts as not accepted
  }

  send(number: number, text: string): void {
    this.#number = number
    this.#socket.write(text)
  }
}

/** Chunks, which peers may write, end with an empty one. */
function lengthOfBody(answer: string): number {
  const length = /\r\ncontent-length: *(\d+)/i.exec(answer)?.[1]
  if (length !== undefined) return Number(length)
  return answer.endsWith('0\r\n\r\n') ? 0 : Number.POSITIVE_INFINITY
}

export interface Filling {
  readonly url: string
  readonly devicesFile: string
  readonly requests: number
  readonly devicesPerRequest: number
  readonly run: string
}

/** At once; few enough to be accepted within a second, however much is stored already. */
const FILLING_CONNECTIONS = 8

export const operations = {
  /** Posts so many requests as fast as they are accepted. Resolves with how many were. */
  async fill({ requests: count, ...load }: Filling): Promise<number> {
    const requests = new Requests(load, count)
    let next = 0
    while (next < count || requests.unanswered > 0) {
      while (next < count && requests.unanswered < FILLING_CONNECTIONS) requests.send(next++)
      await sleep(TICK_MS)
    }
    return requests.report.acceptedMs.filter((atMs) => atMs > 0).length
  },
  async run(load: PacedLoad): Promise<PacedReport> {
    const requests = new Requests({ ...load, devicesPerRequest: 1 }, load.perSecond * load.seconds)
    const { dueMs } = requests.report
    const startMs = monotonicMs()
    for (let next = 0; next < dueMs.length; await sleep(TICK_MS)) {
      const nowMs = monotonicMs()
      for (; next < dueMs.length; next += 1) {
        const due = startMs + (next * 1000) / load.perSecond
        if (due > nowMs) break
        dueMs[next] = due
        requests.send(next)
      }
    }
    for (const endMs = monotonicMs() + PATIENCE_MS; requests.unanswered > 0 && monotonicMs() < endMs;) await sleep(50)
    return requests.report
  },
}

answerQuestions(operations)
