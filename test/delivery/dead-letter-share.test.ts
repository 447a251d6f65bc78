/** Whose dead letters are kept. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { DeadLetterShare } from '../../src/delivery/dead-letter-share.ts'
import { Clock } from '../helpers/clock.ts'
import { createDelivery } from '../helpers/delivery.ts'
import { instead } from '../helpers/instead.ts'
import { openTestStore, type TestStore } from '../helpers/sqlite-store.ts'

const DAY_MS = 24 * 3600_000
const clock = new Clock()
let store: TestStore
beforeAll(async () => {
  store = await openTestStore(clock.nowMs)
})
afterAll(() => store[Symbol.asyncDispose]())

/** Of an app in which a push was delivered to one device. */
async function openShare(dead: number): Promise<{ share: DeadLetterShare; route: string; known: string }> {
  const route = crypto.randomUUID()
  const known = createDelivery({ route })
  store.known.note(known)
  await store.known.flush()
  const depth = async () => ({ waiting: 0, delayed: 0, active: 0, dead, oldestAgeMs: 0, overdueMs: 0 })
  const queue = instead(store.queue, { depth })
  return {
    route,
    known: known.deviceHash,
    share: new DeadLetterShare({ queue, known: store.known, nowMs: clock.nowMs }),
  }
}

it('of devices that nothing was delivered to, up to half of the places of the app are taken', async () => {
  const { share, route } = await openShare(4990)
  clock.pass(DAY_MS)
  const kept = []
  for (let count = 0; count < 20; count += 1) kept.push(await share.keeps(createDelivery({ route })))
  expect(kept.filter(Boolean)).toHaveLength(10)
})

it('of a device that was delivered to each is kept', async () => {
  const { share, route, known } = await openShare(9999)
  clock.pass(DAY_MS)
  expect(await share.keeps(createDelivery({ route, deviceHash: known }))).toBe(true)
  expect(await share.keeps(createDelivery({ route }))).toBe(false)
})

it('of an app that is new here each is kept: nobody can be told from a stranger', async () => {
  const { share, route } = await openShare(9999)
  expect(await share.keeps(createDelivery({ route }))).toBe(true)
})
