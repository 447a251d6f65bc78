/** The devices that pushes were delivered to before, of the attacked app and of another, and what their pushes take while something else goes on. */
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Helper } from '../bench/calls.ts'
import { monotonicMs } from '../bench/clock.ts'
import type { operations as loadOperations } from '../bench/paced-load-process.ts'
import { eventId, writeDevices } from '../bench/requests.ts'
import { APPS, type App, type Variant } from './configuration.ts'
import type { operations as servicesOperations, Ports } from './services-process.ts'

export interface Percentiles {
  readonly p50: number
  readonly p99: number
}

/** Of the pushes of one app. */
export interface KnownFigures {
  /** From the moment a request was due until 200. */
  readonly answerMs: Percentiles
  /** From 200 until the push service had the push; less than nothing where it was there before. */
  readonly arrivalMs: Percentiles
  /** Requests that were answered with something else, or not at all. */
  readonly refused: number
  /** Accepted, and not delivered. */
  readonly missing: number
}

export interface KnownApps {
  readonly attacked: App
  readonly other: App
  readonly variant?: Variant
}

/** The apps take turns in the file, so which one a request is for shows in its number. */
export const ROLES = ['attacked', 'other'] as const
export type Role = (typeof ROLES)[number]
export type BothFigures = Readonly<Record<Role, KnownFigures>>

const DEVICES_OF_AN_APP = 40
/** Of a new Web Push host few are tried at once, and what finds no place comes some seconds later. */
const FIRST_PATIENCE_MS = 20_000
const WARM_UP_PUSHES = 1000
const ARRIVAL_PATIENCE_MS = 4000
const POLL_MS = 50

interface KnownDevicesParts {
  readonly load: Helper<typeof loadOperations>
  readonly services: Helper<typeof servicesOperations>
  readonly ports: Ports
  readonly folder: string
  readonly apps: KnownApps
  /** Of the known browsers: a name of nobody, or behind a proxy loopback. */
  readonly origin: string
}

export class KnownDevices {
  readonly #parts: KnownDevicesParts
  readonly #file: string
  #runs = 0
  readonly #id = randomUUID().slice(0, 8)

  constructor(parts: KnownDevicesParts) {
    this.#parts = parts
    this.#file = join(parts.folder, 'devices')
  }

  async register(): Promise<void> {
    const [attacked = [], other = []] = await Promise.all(ROLES.map((role) => this.#devicesOf(role)))
    writeDevices(
      this.#file,
      attacked.flatMap((device, index) => [device, other[index] ?? device]).map((device) => JSON.stringify(device)),
    )
  }

  /** One push for each, until all are there. */
  async introduce(url: string): Promise<void> {
    const count = DEVICES_OF_AN_APP * ROLES.length
    const both = await this.#push(url, count, 1, FIRST_PATIENCE_MS)
    const missing = ROLES.reduce((sum, role) => sum + both[role].refused + both[role].missing, 0)
    if (missing > 0) throw new Error(`${missing} of ${count} devices did not get their first push`)
  }

  /** Many pushes, as fast as they are accepted, until all are there: what a gateway compiles and connects once, and its first collections of garbage, are then over. */
  async warmUp(url: string): Promise<void> {
    const run = this.#nextRun()
    const devicesFile = this.#file
    await this.#parts.load.ask('fill', { url, devicesFile, requests: WARM_UP_PUSHES, devicesPerRequest: 1, run })
    const wanted = this.#arriving(run, [...Array(WARM_UP_PUSHES).keys()])
    const arrivedMs = await this.#arrivals(wanted, FIRST_PATIENCE_MS)
    const missing = wanted.filter((event) => !arrivedMs.has(event)).length
    if (missing > 0) throw new Error(`${missing} of ${WARM_UP_PUSHES} pushes did not arrive before the measurement`)
  }

  /** So many pushes a second for each of the two apps. */
  push(url: string, perSecond: number, seconds: number): Promise<BothFigures> {
    return this.#push(url, perSecond * ROLES.length, seconds, ARRIVAL_PATIENCE_MS)
  }

  async #push(url: string, perSecond: number, seconds: number, patienceMs: number): Promise<BothFigures> {
    const run = this.#nextRun()
    const { dueMs, acceptedMs } = await this.#parts.load.ask('run', {
      url,
      devicesFile: this.#file,
      perSecond,
      seconds,
      run,
    })
    const accepted = [...acceptedMs.keys()].filter((number) => (acceptedMs[number] ?? 0) > 0)
    const arrivedMs = await this.#arrivals(this.#arriving(run, accepted), patienceMs)
    const figuresOf = (role: Role): KnownFigures => {
      const numbers = [...dueMs.keys()].filter((number) => roleOf(number) === role)
      const pushes = numbers.map((number) => ({
        dueMs: dueMs[number] ?? 0,
        answeredMs: acceptedMs[number] ?? 0,
        arrivedMs: arrivedMs.get(eventId(run, number)),
      }))
      return figuresFrom(pushes)
    }
    return { attacked: figuresOf('attacked'), other: figuresOf('other') }
  }

  #nextRun(): string {
    this.#runs += 1
    return `${this.#id}-${this.#runs}`
  }

  /** Event IDs of these requests; without those of an app that is blocked, whose pushes wait. */
  #arriving(run: string, numbers: readonly number[]): readonly string[] {
    const isBlocked = this.#parts.apps.variant?.isRefused === true
    return numbers.filter((number) => !isBlocked || roleOf(number) === 'other').map((number) => eventId(run, number))
  }

  /** When each push came, by its event ID, as soon as all these have come, or after `patienceMs`. */
  async #arrivals(wanted: readonly string[], patienceMs: number): Promise<ReadonlyMap<string, number>> {
    const endMs = monotonicMs() + patienceMs
    let arrivedMs: ReadonlyMap<string, number>
    do {
      await sleep(POLL_MS)
      const { arrivals } = await this.#parts.services.ask('report', undefined)
      arrivedMs = new Map(arrivals)
    } while (monotonicMs() < endMs && wanted.some((event) => !arrivedMs.has(event)))
    return arrivedMs
  }

  async #devicesOf(role: Role): Promise<readonly object[]> {
    const { apps, services, origin } = this.#parts
    const app = apps[role]
    const names = Array.from({ length: DEVICES_OF_AN_APP }, (_, index) => `known-device-${role}-${index}-of-somebody`)
    if (app === 'web') {
      const browsers = await services.ask(
        'subscribe',
        names.map((name) => ({ name, origin })),
      )
      return browsers.map(({ p256dh, endpoint, auth }) => ({
        app_id: APPS.web,
        pushkey: p256dh,
        data: { endpoint, auth },
      }))
    }
    const pushkeyOf = (name: string): string => (app === 'ios' ? Buffer.from(name).toString('hex') : name)
    return names.map((name) => ({ app_id: APPS[app], pushkey: pushkeyOf(name) }))
  }
}

function roleOf(number: number): Role {
  return ROLES[number % ROLES.length] ?? 'other'
}

interface Pushed {
  readonly dueMs: number
  /** 0: it was not accepted. */
  readonly answeredMs: number
  readonly arrivedMs: number | undefined
}

function figuresFrom(pushes: readonly Pushed[]): KnownFigures {
  const accepted = pushes.filter(({ answeredMs }) => answeredMs > 0)
  const arrivals = accepted.flatMap(({ answeredMs, arrivedMs }) =>
    arrivedMs === undefined ? [] : [arrivedMs - answeredMs],
  )
  return {
    answerMs: percentilesOf(accepted.map(({ dueMs, answeredMs }) => answeredMs - dueMs)),
    arrivalMs: percentilesOf(arrivals),
    refused: pushes.length - accepted.length,
    missing: accepted.length - arrivals.length,
  }
}

/** NaN where there is none. */
function percentilesOf(values: readonly number[]): Percentiles {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN
  return { p50: at(0.5), p99: at(0.99) }
}
