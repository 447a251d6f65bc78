/** What is in the store, and whether it can be written to. */
import type { Route } from '../core/route.ts'
import type { QueueDepth, StoreHealth } from '../store/contract.ts'
import type { Instruments } from './instruments.ts'

const STATES = ['waiting', 'delayed', 'active', 'dead'] as const

export class StoreMetrics {
  readonly #deliveries
  readonly #oldestAge
  readonly #writable
  readonly #dangers
  readonly #clockSkew

  constructor(instruments: Instruments) {
    this.#deliveries = instruments.gauge(
      'hushgate_queue_deliveries',
      'Deliveries in the store; the same from every replica, so never sum them.',
      ['app', 'state'],
    )
    this.#oldestAge = instruments.gauge(
      'hushgate_queue_oldest_age_seconds',
      'Age of the oldest delivery that could be sent now.',
      ['app'],
    )
    this.#writable = instruments.gauge('hushgate_store_writable', '1 when new deliveries can be stored.', [])
    this.#dangers = instruments.gauge(
      'hushgate_store_dangers',
      'Settings of the store under which deliveries may be lost.',
      [],
    )
    this.#clockSkew = instruments.gauge(
      'hushgate_clock_skew_seconds',
      'How far the clock of this machine is ahead of the time that pushes wait and expire by: that of Redis, or on SQLite that from before a leap.',
      [],
    )
  }

  clockSkew(skewMs: number): void {
    this.#clockSkew.set(skewMs / 1000)
  }

  health({ writable, dangers }: StoreHealth): void {
    this.#writable.set(writable ? 1 : 0)
    this.#dangers.set(dangers.length)
  }

  depth({ app }: Route, depth: QueueDepth): void {
    for (const state of STATES) this.#deliveries.set({ app, state }, depth[state])
    this.#oldestAge.set({ app }, depth.oldestAgeMs / 1000)
  }
}
