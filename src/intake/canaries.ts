/** Sends canary pushes when their time has come. Of all processes that share a store, one sends each. */
import { randomBytes, randomUUID } from 'node:crypto'
import type { CanaryConfig, QueueConfig } from '../config/config.ts'
import type { Routes } from '../config/routes.ts'
import { Alarm } from '../core/alarm.ts'
import { StoreUnavailableError } from '../core/errors.ts'
import type { Log } from '../core/log.ts'
import type { CanaryMetrics } from '../metrics/canary-metrics.ts'
import type { Memory } from '../store/contract.ts'
import { canaryNotification } from './canary-notification.ts'
import { encryptForDevice } from './encrypt-for-device.ts'
import type { Intake } from './intake.ts'

export interface CanariesParts {
  readonly memory: Pick<Memory, 'setIfAbsent'>
  readonly intake: Pick<Intake, 'accept'>
  readonly metrics: Pick<CanaryMetrics, 'ended'>
  readonly log: Log
  readonly nowMs: () => number
}

interface Configured {
  readonly canaries: readonly CanaryConfig[]
  readonly routes: Routes
  readonly queue: Pick<QueueConfig, 'maxAgeMs' | 'callMaxAgeMs'>
}

/** How often a canary has been due since 1970, so that all processes mean the same one. */
type Slot = number

/** After a store that was away. */
const AGAIN_MS = 60_000

export class Canaries {
  readonly #parts: CanariesParts
  /** By which this process knows that it is the one that sends. */
  readonly #claim = randomUUID()
  readonly #alarm: Alarm
  /** What was last sent, or left to another process; by the name of the route. */
  readonly #done = new Map<string, { readonly slot: Slot; readonly againAtMs: number }>()
  #configured: Configured | undefined
  /** One after the other. */
  #sending: Promise<void> = Promise.resolve()

  constructor(parts: CanariesParts) {
    this.#parts = parts
    this.#alarm = new Alarm(parts.nowMs, () => void this.sendDue())
  }

  /** The first is sent at once, unless one was sent not long ago. */
  configure(configured: Configured): void {
    this.#configured = configured
    this.#alarm.clear()
    void this.sendDue()
  }

  stop(): void {
    this.#configured = undefined
    this.#alarm.clear()
  }

  /** Resolves when what is due now is stored, or is not to be sent by this process. */
  sendDue(): Promise<void> {
    return (this.#sending = this.#sending.then(() => this.#sendDue()))
  }

  async #sendDue(): Promise<void> {
    const { nowMs } = this.#parts
    const configured = this.#configured
    if (configured === undefined) return
    const sending = configured.canaries.map(async (canary) => {
      const slot = Math.floor(nowMs() / canary.everyMs)
      this.#alarm.set((slot + 1) * canary.everyMs)
      const done = this.#done.get(canary.route)
      if (done?.slot === slot && nowMs() < done.againAtMs) return this.#alarm.set(done.againAtMs)
      this.#done.set(canary.route, { slot, againAtMs: (slot + 1) * canary.everyMs })
      await this.#send(canary, slot, configured)
    })
    await Promise.all(sending)
  }

  async #send(canary: CanaryConfig, slot: Slot, { routes, queue }: Configured): Promise<void> {
    const { memory, intake, metrics, log, nowMs } = this.#parts
    const route = routes.all.find(({ name }) => name === canary.route)
    if (route === undefined) return
    try {
      const key = `canary:${route.name}:${slot}`
      const sender = await memory.setIfAbsent({ route: route.name }, key, this.#claim, 2 * canary.everyMs)
      if (sender !== this.#claim) return
      const circumstances = { ...queue, nowMs: nowMs(), encryptForDevice, randomBytes }
      const notification = canaryNotification(canary, route, circumstances)
      if (notification === undefined) {
        metrics.ended(route, 'not_sent')
        return log.warn('A canary push says nothing under the settings of its app, so it is not sent', {
          app: route.app,
        })
      }
      const { coalesceMs = 0, releaseEveryMs = 0 } = route.timing
      const maxAgeMs = canary.everyMs + coalesceMs + releaseEveryMs
      const rejected = await intake.accept(notification, undefined, { canary: { maxAgeMs } })
      if (rejected.length === 0) return
      metrics.ended(route, 'rejected')
      log.warn('A canary push is not sent: its pushkey is dead. Has the app on that device got another?', {
        app: route.app,
      })
    } catch (error) {
      metrics.ended(route, 'not_stored')
      if (error instanceof StoreUnavailableError) {
        // What is wrong with the store is said elsewhere.
        const againAtMs = nowMs() + AGAIN_MS
        this.#done.set(canary.route, { slot, againAtMs })
        this.#alarm.set(againAtMs)
      } else log.error('A canary push could not be stored because of an error of our own', error, { app: route.app })
    }
  }
}
