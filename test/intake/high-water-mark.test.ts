import { describe, expect, it } from 'vitest'
import { HighWaterMark, type HighWaterMarkParts } from '../../src/intake/high-water-mark.ts'
import { createDelivery } from '../helpers/delivery.ts'

const ROUTE = 'com.example.app'
const HIGH_WATER = 10
const FIVE = Array.from({ length: 5 }, () => {
  const delivery = createDelivery({ route: ROUTE })
  return { delivery, unless: [], claims: undefined, raises: [], lifetimeMs: 1000 }
})
const stored = FIVE.map(() => ({ order: 1 }))

describe('the room for deliveries', () => {
  it('counts what was being stored while the store was asked, and what is not stored no more', async () => {
    let [nowMs, waiting] = [0, 0]
    const depth = () => Promise.resolve({ waiting, delayed: 0, active: 0, dead: 0, oldestAgeMs: 0, overdueMs: 0 })
    const parts: HighWaterMarkParts = {
      store: { queue: { depth }, health: () => ({ fill: 0 }) },
      known: { isLearning: () => Promise.resolve(false) },
      nowMs: () => nowMs,
    }
    const mark = new HighWaterMark(parts)
    const room = async (): Promise<string> => {
      await mark.roomFor(ROUTE, 1, HIGH_WATER)
      // It asks beside the request, and no more than once a second.
      nowMs += 2000
      return mark.roomFor(ROUTE, 1, HIGH_WATER)
    }
    expect(await room()).toBe('for everybody')
    await mark.storing(FIVE, async () => {
      expect(await room()).toBe('for known devices')
      return stored
    })
    // The store was asked before it had them.
    expect(await mark.roomFor(ROUTE, 1, HIGH_WATER)).toBe('for known devices')
    waiting = 4
    expect(await room()).toBe('for everybody')
    await mark.storing(FIVE, () => Promise.resolve(FIVE.map(() => ({ found: [] }))))
    expect(await mark.roomFor(ROUTE, 1, HIGH_WATER)).toBe('for everybody')
  })
})
