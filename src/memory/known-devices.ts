/**
 * To which devices a push service has ever taken a push. Anybody can post for a device that nobody has: who was never delivered to has a share of what is
 * there, and no say about an app. What is noted is one mark for each device, by its keyed hash.
 */
import { forgetOldest } from '../core/forget-oldest.ts'
import type { Delivery } from '../core/delivery.ts'
import type { Memory } from '../store/contract.ts'
import { forgetEntry } from './forget-entry.ts'

type Device = Pick<Delivery, 'route' | 'deviceHash'>

const DAY_MS = 24 * 3600_000
/** Marks end with a day, and hold only a day: at which time of it the device was sent something shows nowhere. */
const LIFETIME_DAYS = 30
const RENEWED_AFTER_DAYS = 7
/** Until then most devices of an app that is new here, or whose marks were lost, have had no chance to be noted: nobody is taken for a stranger. */
const LEARNING_MS = DAY_MS
/** Devices that this process need not ask about: some megabytes. */
const MAX_REMEMBERED = 50_000
const WRITE_EVERY_MS = 1000
/** Each takes the store some microseconds. */
const MAX_NOTED = 200
/** About 200 bytes each. Further devices stay strangers. */
const MARKS_PER_ROUTE = 2_000_000

export class KnownDevices {
  readonly #memory: Memory
  readonly #nowMs: () => number
  /** The day on which each was last noted. */
  readonly #remembered = new Map<string, number>()
  #noted: Device[] = []
  readonly #marks = new Map<string, number>()
  /** The day on which the beginning of a route's marks was last written. */
  readonly #begun = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined

  constructor(memory: Memory, nowMs: () => number) {
    this.#memory = memory
    this.#nowMs = nowMs
  }

  /** A push to it was delivered. Written together with others, within a second: what a crash forgets of it is noted at the next push. */
  note({ route, deviceHash }: Device): void {
    const today = this.#today()
    const noted = this.#remembered.get(deviceHash)
    if (noted !== undefined && today - noted < RENEWED_AFTER_DAYS) return
    this.#remember(deviceHash, today)
    const marks = this.#marks.get(route) ?? 0
    if (marks >= MARKS_PER_ROUTE) return
    this.#marks.set(route, marks + 1)
    this.#noted.push({ route, deviceHash })
    if (this.#noted.length >= MAX_NOTED) void this.flush()
    else this.#timer ??= setTimeout(() => void this.flush(), WRITE_EVERY_MS).unref()
  }

  /** This process knows it; of others the memory has to be asked. */
  isRemembered(deviceHash: string): boolean {
    return this.#remembered.has(deviceHash)
  }

  async isKnown(device: Device): Promise<boolean> {
    if (this.isRemembered(device.deviceHash)) return true
    const day = await this.#memory.get(device, knownKey(device))
    if (day !== undefined) this.#remember(device.deviceHash, Number(day))
    return day !== undefined
  }

  /** Whether marks of this route are so new that a device without one proves nothing. */
  async isLearning(route: string): Promise<boolean> {
    const since = await this.#memory.get({ route }, sinceKey(route))
    return since === undefined || this.#nowMs() - Number(since) < LEARNING_MS
  }

  /** Not a stranger, as far as can be told. Never rejects: what cannot be told is nobody's fault. */
  async isTrusted(device: Device): Promise<boolean> {
    if (this.isRemembered(device.deviceHash)) return true
    try {
      const [isKnown, isLearning] = await Promise.all([this.isKnown(device), this.isLearning(device.route)])
      return isKnown || isLearning
    } catch {
      return true
    }
  }

  /** Resolves with whether it was known. */
  forget(device: Device): Promise<boolean> {
    this.#remembered.delete(device.deviceHash)
    this.#noted = this.#noted.filter(({ deviceHash }) => deviceHash !== device.deviceHash)
    return forgetEntry(this.#memory, device, knownKey(device))
  }

  #today(): number {
    return Math.floor(this.#nowMs() / DAY_MS)
  }

  #remember(deviceHash: string, day: number): void {
    this.#remembered.delete(deviceHash)
    this.#remembered.set(deviceHash, day)
    forgetOldest(this.#remembered, MAX_REMEMBERED)
  }

  /** Resolves when all that was noted is written. Never rejects: what could not be written is noted again at the next push. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const devices = this.#noted
    this.#noted = []
    if (devices.length === 0) return
    const today = this.#today()
    const lifetimeMs = (today + LIFETIME_DAYS) * DAY_MS - this.#nowMs()
    const routes = new Set(devices.map(({ route }) => route))
    const entries = devices.map((device) => ({ owner: device, key: knownKey(device) }))
    await Promise.all([
      ...[...routes].map((route) => this.#begin(route, today).catch(() => this.#begun.delete(route))),
      this.#memory.setMany(entries, String(today), lifetimeMs).catch(() => {
        for (const { deviceHash } of devices) this.#remembered.delete(deviceHash)
      }),
    ])
  }

  /** Since when there are marks of the route: kept for as long as there are any. */
  async #begin(route: string, today: number): Promise<void> {
    if (this.#begun.get(route) === today) return
    this.#begun.set(route, today)
    const key = sinceKey(route)
    const since = await this.#memory.setIfAbsent({ route }, key, String(this.#nowMs()), LIFETIME_DAYS * DAY_MS)
    await this.#memory.set({ route }, key, since, LIFETIME_DAYS * DAY_MS)
  }
}

/** Key of the memory with an entry for a device that a push was delivered to. */
export function knownKey({ deviceHash }: Pick<Device, 'deviceHash'>): string {
  return `known:${deviceHash}`
}

function sinceKey(route: string): string {
  return `known-since:${route}`
}
