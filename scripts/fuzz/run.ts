/** Runs the cases of a seed against a gateway, with what is right beside it, and says what came of it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { BUSY, faultsOf } from './answers.ts'
import { caseOf, describeCase, type FuzzCase, type Port } from './cases.ts'
import { Conversation, Held } from './conversation.ts'
import { startFuzzedGateway, type FuzzedGateway, type Stall } from './gateway.ts'

export interface FuzzOptions {
  readonly seed: number
  /** The index of the first case. */
  readonly first: number
  readonly requests: number
}

export interface Report {
  readonly requests: number
  readonly byStatus: ReadonlyMap<number, number>
  /** Each with the command that repeats it. */
  readonly faults: readonly string[]
  readonly peakRssBytes: number
  /** After all is over. */
  readonly rssBytes: number
  /** The longest first. */
  readonly stalls: readonly Stall[]
  /** What was under way when the longest ended. */
  readonly duringLongestStall: readonly string[]
  /** Ordinary pushes that were sent beside all that. */
  readonly ordinary: {
    readonly count: number
    readonly p50Ms: number
    readonly p99Ms: number
    readonly worstMs: number
  }
  readonly seconds: number
}

/** Of a slice of work with many devices one is done at a time, and fifty may wait. */
const LANES = 12
const BETWEEN_ORDINARY_MS = 20
/** Enough to find the pattern. */
const MOST_FAULTS = 200
/** To start is not what is looked at. */
const SETTLING_MS = 2000
/** Of memory, and of what was begun. */
const REST_MS = 2500
/** What ended so long before a stall did has nothing to do with it. */
const RECENT_MS = 500

interface Past {
  readonly what: string
  readonly endedAtMs: number
}

export async function fuzz(options: FuzzOptions): Promise<Report> {
  await using gateway = await startFuzzedGateway()
  // It ends only after that.
  return await new Run(gateway, options).run()
}

class Run {
  readonly #gateway: FuzzedGateway
  readonly #options: FuzzOptions
  readonly #byStatus = new Map<number, number>()
  readonly #faults: string[] = []
  readonly #held: Readonly<Record<Port, Held>> = { notify: new Held(), admin: new Held() }
  readonly #underWay = new Set<FuzzCase>()
  #past: Past[] = []
  #next: number

  constructor(gateway: FuzzedGateway, options: FuzzOptions) {
    this.#gateway = gateway
    this.#options = options
    this.#next = options.first
  }

  async run(): Promise<Report> {
    await sleep(SETTLING_MS)
    const startedMs = performance.now()
    const end = new AbortController()
    const ordinary = this.#pushOrdinarily(end.signal)
    const stalls = this.#watch(end.signal)
    await Promise.all(Array.from({ length: LANES }, () => this.#lane()))
    const seconds = (performance.now() - startedMs) / 1000
    await sleep(REST_MS)
    end.abort()
    const { requests } = this.#options
    const report = { requests, byStatus: this.#byStatus, ordinary: await ordinary, ...(await stalls), seconds }
    for (const port of ['notify', 'admin'] as const) this.#held[port].destroy()
    this.#faults.push(...(await this.#gateway.stop()))
    return { ...report, faults: this.#faults }
  }

  async #lane(): Promise<void> {
    const kept: Partial<Record<Port, Conversation>> = {}
    const { seed, first, requests } = this.#options
    for (let index = this.#next++; index < first + requests; index = this.#next++) {
      if (this.#faults.length >= MOST_FAULTS) break
      const fuzzCase = caseOf(seed, index, this.#gateway.places)
      this.#underWay.add(fuzzCase)
      await this.#say(fuzzCase, kept)
      this.#underWay.delete(fuzzCase)
      this.#past.push({ what: describeCase(fuzzCase), endedAtMs: Date.now() })
    }
    for (const conversation of Object.values(kept)) conversation.destroy()
  }

  async #say(fuzzCase: FuzzCase, kept: Partial<Record<Port, Conversation>>): Promise<void> {
    const { port, isPlain } = fuzzCase
    const before = isPlain ? kept[port] : undefined
    const conversation = before ?? new Conversation(this.#gateway[port])
    const { isHeld, ...received } = await conversation.say(fuzzCase)
    const { answers, isClosed } = received
    // It was closed before all of the case was there: as any client does, it is said again.
    if (before !== undefined && answers.length === 0 && isClosed) {
      delete kept[port]
      return this.#say(fuzzCase, kept)
    }
    for (const { status } of answers) this.#count(status)
    for (const fault of faultsOf(fuzzCase, received)) this.#faults.push(`${fault}\n    ${describeCase(fuzzCase)}`)
    if (isHeld) this.#held[port].keep(conversation)
    else if (isPlain && !isClosed && answers.every(({ head }) => !/^connection: close/im.test(head)))
      kept[port] = conversation
    else {
      if (isPlain) delete kept[port]
      conversation.destroy()
    }
  }

  #count(status: number): void {
    this.#byStatus.set(status, (this.#byStatus.get(status) ?? 0) + 1)
  }

  /** What a homeserver sends, all the while: each is to be taken, and soon. */
  async #pushOrdinarily(signal: AbortSignal): Promise<Report['ordinary']> {
    const times: number[] = []
    const pushes: Promise<void>[] = []
    while (!signal.aborted) {
      pushes.push(this.#pushOnce(times))
      await sleep(BETWEEN_ORDINARY_MS)
    }
    await Promise.all(pushes)
    const sorted = times.toSorted((a, b) => a - b)
    const at = (share: number): number =>
      sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
    return { count: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), worstMs: at(1) }
  }

  async #pushOnce(times: number[]): Promise<void> {
    const pushkey = Buffer.from(`ordinary-${times.length}-phone-of-somebody`).toString('base64')
    const devices = [{ app_id: 'fuzz.ios', pushkey }]
    const body = JSON.stringify({ notification: { event_id: `$${performance.now()}`, room_id: '!room', devices } })
    const startedMs = performance.now()
    try {
      const response = await fetch(new URL('/_matrix/push/v1/notify', this.#gateway.notify), { method: 'POST', body })
      const text = await response.text()
      times.push(performance.now() - startedMs)
      if (response.status === BUSY) return this.#count(BUSY)
      if (response.status !== 200 || text !== '{"rejected":[]}')
        this.#faults.push(`an ordinary push was answered ${response.status}: ${text.slice(0, 200)}`)
    } catch {
      this.#faults.push('an ordinary push was not answered')
    }
  }

  async #watch(
    signal: AbortSignal,
  ): Promise<Pick<Report, 'peakRssBytes' | 'rssBytes' | 'stalls' | 'duringLongestStall'>> {
    const stalls: Stall[] = []
    let longest: Stall | undefined
    let duringLongestStall: readonly string[] = []
    let memory = { peakRssBytes: 0, rssBytes: 0 }
    this.#gateway.watched()
    while (!signal.aborted) {
      await sleep(1000)
      const { stalls: fresh, ...measured } = this.#gateway.watched()
      if (measured.peakRssBytes > 0) memory = measured
      for (const stall of fresh) {
        stalls.push(stall)
        if (longest !== undefined && ownMs(longest) >= ownMs(stall)) continue
        longest = stall
        duringLongestStall = this.#around(stall)
      }
      this.#past = this.#past.filter(({ endedAtMs }) => endedAtMs > Date.now() - 3000)
    }
    return { ...memory, stalls: stalls.toSorted((a, b) => ownMs(b) - ownMs(a)), duringLongestStall }
  }

  #around({ atMs, ms }: Stall): string[] {
    const recent = this.#past.filter(({ endedAtMs }) => endedAtMs > atMs - ms && endedAtMs < atMs + RECENT_MS)
    return [...[...this.#underWay].map(describeCase), ...recent.map(({ what }) => what)]
  }
}

/** Without the time until a processor was free. */
export function ownMs({ ms, waitedMs }: Stall): number {
  return Math.max(0, ms - waitedMs)
}
