/** What an operator can do, done on the store: by the running gateway, or by a command where none runs. */
import { randomUUID } from 'node:crypto'
import type { Config } from '../config/config.ts'
import type { OpenRoute, Routes } from '../config/routes.ts'
import { Identities } from '../core/identities.ts'
import type { Keyring } from '../core/keyring.ts'
import { DeadPushkeys } from '../memory/dead-pushkeys.ts'
import { Deduplication } from '../memory/deduplication.ts'
import type { KnownDevices } from '../memory/known-devices.ts'
import { Receipts } from '../memory/receipts.ts'
import { areSuspected, type RejectionGuard, type SuspectedWindow } from '../memory/rejection-guard.ts'
import { WakeUps } from '../memory/wake-ups.ts'
import * as contract from '../store/contract.ts'
import { findDevices } from './find-devices.ts'
import { shownDeadLetter } from './shown-dead-letter.ts'
import type {
  DeadLetter,
  DeadLetterFilter,
  DeviceQuestion,
  Forgotten,
  ForgottenDevice,
  FoundDevices,
  Operator,
  SuspectedApp,
  Verdict,
} from './operator.ts'

export interface StoreOperatorParts {
  readonly store: Pick<contract.Store, 'queue' | 'memory'>
  readonly guard: RejectionGuard
  readonly known: KnownDevices
  /** Undefined where this process sends nothing. */
  readonly isBlocked: (route: string) => boolean | undefined
  readonly keyring: Keyring
  readonly nowMs: () => number
  /** As they are configured now. */
  readonly routes: () => Routes
  readonly config: () => Pick<Config, 'receipts'> & {
    readonly queue: Pick<Config['queue'], 'maxAgeMs' | 'callMaxAgeMs'>
  }
}

const MOST_DEAD_LISTED = 1000
const KEYS_AT_ONCE = 50

export class StoreOperator implements Operator {
  readonly #parts: StoreOperatorParts
  readonly #identities: Identities
  readonly #receipts: Receipts

  constructor(parts: StoreOperatorParts) {
    this.#parts = parts
    this.#identities = new Identities(parts.keyring)
    const { store, keyring, nowMs, config } = parts
    const areKept = (): boolean => config().receipts
    this.#receipts = new Receipts({ memory: store.memory, identities: this.#identities, keyring, nowMs, areKept })
  }

  async listDead(filter: DeadLetterFilter): Promise<readonly DeadLetter[]> {
    const { store, routes } = this.#parts
    const letters = await Promise.all(
      this.#filters(filter).map((each) => store.queue.listDead(each, MOST_DEAD_LISTED, { withDevices: true })),
    )
    const apps = new Map(routes().all.map(({ name, app }) => [name, app]))
    return letters.flat().map((letter) => shownDeadLetter({ ...letter, route: apps.get(letter.route) ?? letter.route }))
  }

  async retryDead(filter: DeadLetterFilter): Promise<number> {
    const { store, nowMs, config } = this.#parts
    const { maxAgeMs, callMaxAgeMs } = config().queue
    const times = { expiresAtMs: nowMs() + maxAgeMs, callMaxAgeMs }
    return sumOf(this.#filters(filter).map((each) => store.queue.retryDead(each, times)))
  }

  async countDead(filter: DeadLetterFilter): Promise<number> {
    const { store, routes } = this.#parts
    const most = contract.DEAD_LETTERS_PER_ROUTE * (routes().all.length + 1)
    return sumOf(this.#filters(filter).map(async (each) => (await store.queue.listDead(each, most)).length))
  }

  async dropDead(filter: DeadLetterFilter): Promise<number> {
    return sumOf(this.#filters(filter).map((each) => this.#parts.store.queue.dropDead(each)))
  }

  /** Those of all configured apps. */
  async listSuspected(): Promise<readonly SuspectedApp[]> {
    const { guard, routes } = this.#parts
    const suspected = await Promise.all(
      routes().all.map(async ({ name, app }) => ({ app, windows: await guard.windows(name) })),
    )
    return suspected
      .filter(({ windows }) => areSuspected(windows))
      .map(({ app, windows }) => ({ app, windows: windows.map(shownWindow) }))
  }

  releaseSuspected(app: string, verdict: Verdict): Promise<number> {
    return sumOf(this.#routesNamed(app).map((route) => this.#parts.guard.release(route, verdict)))
  }

  /** Which of an app's push services a device is of depends on its pusher's data, which may have been others: so from all of them. */
  async forget(device: ForgottenDevice): Promise<Forgotten | undefined> {
    const routes = this.#parts.routes()
    const { appId, pushkey, data } = device
    const own = routes.ofApp(appId)
    const caught = own.length > 0 ? undefined : routes.routeFor(appId, pushkey.reveal(), data)
    const all = caught === undefined ? own : [caught]
    const forgotten = await Promise.all(all.map((route) => this.#forgetOn(route, device)))
    return forgotten.length === 0 ? undefined : forgotten.reduce(together)
  }

  find(question: DeviceQuestion): Promise<FoundDevices> {
    return findDevices({ ...this.#parts, receipts: this.#receipts, identities: this.#identities }, question)
  }

  /** What waits for the device or was given up, and what is remembered under hashes that can be made from its pushkey or were found there. */
  async #forgetOn(route: OpenRoute, { appId, pushkey, data }: ForgottenDevice): Promise<Forgotten> {
    const { store, guard, known, nowMs } = this.#parts
    const { memory } = store
    const recipient = { route: route.name, appId, target: route.targetOf(pushkey.reveal(), data), data }
    const { device, badge, wakeUps } = this.#identities.ofDevice(recipient, route.countsPer)
    const owner = { route: route.name, deviceHash: device }
    const removed = await store.queue.forget(route.name, device)
    const deduplication = new Deduplication(memory)
    const remembered = new WakeUps(memory, randomUUID)
    const [death, receipt, wasDelivered, latestBadge, ...departures] = await Promise.all([
      new DeadPushkeys({ memory, guard, known, identities: this.#identities, nowMs }).forget(owner),
      this.#receipts.forget(owner),
      known.forget(owner),
      deduplication.forgetLatest(owner, badge),
      ...wakeUps.map((wakeUp) => remembered.forget(owner, wakeUp)),
    ])
    const { deliveries, deadLetters, unreadable } = removed
    const all = [...deliveries, ...deadLetters]
    for (let start = 0; start < all.length; start += KEYS_AT_ONCE)
      await Promise.all(all.slice(start, start + KEYS_AT_ONCE).map((delivery) => deduplication.forget(delivery)))
    return {
      death,
      receipt,
      wasDelivered,
      latestBadge,
      departure: departures.includes(true),
      deliveries: deliveries.length,
      deadLetters: deadLetters.length,
      unreadable,
    }
  }

  /** The names of an app's routes; of one that is not configured any more, its own. */
  #routesNamed(app: string): readonly string[] {
    const names = this.#parts
      .routes()
      .named(app)
      .map(({ name }) => name)
    return names.length === 0 ? [app] : names
  }

  #filters({ app, id, reason }: DeadLetterFilter): readonly contract.DeadLetterFilter[] {
    if (app === undefined) return [{ id, reason }]
    return this.#routesNamed(app).map((route) => ({ route, id, reason }))
  }
}

/** What is undefined is left out. */
function shownWindow({ sinceMs, untilMs, isDiscarded }: SuspectedWindow): SuspectedApp['windows'][number] {
  return {
    sinceMs,
    ...(untilMs === undefined ? {} : { untilMs }),
    ...(isDiscarded === undefined ? {} : { isDiscarded }),
  }
}

function together(a: Forgotten, b: Forgotten): Forgotten {
  return {
    death: a.death || b.death,
    receipt: a.receipt || b.receipt,
    wasDelivered: a.wasDelivered || b.wasDelivered,
    latestBadge: a.latestBadge || b.latestBadge,
    departure: a.departure || b.departure,
    deliveries: a.deliveries + b.deliveries,
    deadLetters: a.deadLetters + b.deadLetters,
    unreadable: a.unreadable + b.unreadable,
  }
}

async function sumOf(counts: readonly Promise<number>[]): Promise<number> {
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
}
