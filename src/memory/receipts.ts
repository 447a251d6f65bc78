/** One receipt for each device: what became of the last push to it (core/receipt.ts). Written with the disposition of the delivery, so it costs no commit. */
import type { Delivery } from '../core/delivery.ts'
import type { Identities } from '../core/identities.ts'
import type { Keyring } from '../core/keyring.ts'
import type { Outcome } from '../core/outcome.ts'
import { decodeReceipt, encodeReceipt, receiptOf, routeMark, type Receipt } from '../core/receipt.ts'
import type { Memory, Note } from '../store/contract.ts'
import { openNote } from '../store/note.ts'
import { forgetEntry } from './forget-entry.ts'

type Device = Pick<Delivery, 'route' | 'deviceHash'>

const HOUR_MS = 3600_000
const DAY_MS = 24 * HOUR_MS

export interface ReceiptsParts {
  readonly memory: Pick<Memory, 'get' | 'delete'>
  readonly identities: Identities
  readonly keyring: Keyring
  readonly nowMs: () => number
  /** As it is configured now. */
  readonly areKept: () => boolean
}

export class Receipts {
  readonly #parts: ReceiptsParts
  readonly #marks = new Map<string, string>()

  constructor(parts: ReceiptsParts) {
    this.#parts = parts
  }

  get areKept(): boolean {
    return this.#parts.areKept()
  }

  /** What is to be written with the disposition of this attempt; undefined where nothing was attempted, or receipts are off. */
  noteOf({ route, deviceHash, acceptedAtMs }: Delivery, attempt: number, outcome: Outcome): Note | undefined {
    if (!this.areKept) return undefined
    const nowMs = this.#parts.nowMs()
    const facts = { acceptedAtMs, attemptedAtMs: nowMs, attempt, routeMark: this.#markOf(route) }
    const receipt = receiptOf(outcome, facts)
    if (receipt === undefined) return undefined
    // It ends with an hour, so that its lifetime does not tell when it was written.
    const expiresAtMs = Math.floor((nowMs + DAY_MS) / HOUR_MS) * HOUR_MS
    return { key: this.#keyOf(deviceHash, nowMs), text: encodeReceipt(receipt), expiresAtMs }
  }

  /** The latest; undefined where there is none, or it cannot be read. */
  async find(device: Device): Promise<Receipt | undefined> {
    const { memory, keyring } = this.#parts
    for (const key of this.#keysOf(device)) {
      const sealed = await memory.get(device, key)
      const text = sealed === undefined ? undefined : openNote(keyring, key, sealed)
      const receipt = text === undefined ? undefined : decodeReceipt(text)
      if (receipt !== undefined) return receipt
    }
    return undefined
  }

  /** Resolves with whether there was one. */
  async forget(device: Device): Promise<boolean> {
    const { memory } = this.#parts
    const found = await Promise.all(this.#keysOf(device).map((key) => forgetEntry(memory, device, key)))
    return found.includes(true)
  }

  /** Whether the receipt is about a push on this route. */
  isOf({ routeMark: mark }: Receipt, route: string): boolean {
    return mark === this.#markOf(route)
  }

  /** Of today, and of the day before. */
  #keysOf({ deviceHash }: Device): readonly string[] {
    const nowMs = this.#parts.nowMs()
    return [nowMs, nowMs - DAY_MS].map((atMs) => this.#keyOf(deviceHash, atMs))
  }

  #keyOf(deviceHash: string, atMs: number): string {
    return `receipt:${this.#parts.identities.receipt(deviceHash, atMs)}`
  }

  #markOf(route: string): string {
    let mark = this.#marks.get(route)
    if (mark === undefined) {
      mark = routeMark(route)
      this.#marks.set(route, mark)
    }
    return mark
  }
}
