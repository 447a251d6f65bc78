/** To which devices a push was ever delivered: what is written of it, for how long, and how seldom. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { StoreUnavailableError } from '../../src/core/errors.ts'
import { KnownDevices } from '../../src/memory/known-devices.ts'
import { Clock } from '../helpers/clock.ts'
import { instead } from '../helpers/instead.ts'
import { openTestStore, type TestStore } from '../helpers/sqlite-store.ts'

const HOUR_MS = 3600_000
const DAY_MS = 24 * HOUR_MS

const clock = new Clock()
let store: TestStore
beforeAll(async () => {
  store = await openTestStore(clock.nowMs)
})
afterAll(() => store[Symbol.asyncDispose]())

let device: { readonly route: string; readonly deviceHash: string }
beforeEach(() => {
  device = { route: randomUUID(), deviceHash: randomUUID() }
})

/** As after a start: it remembers nothing itself. */
const another = (memory = store.memory) => new KnownDevices(memory, clock.nowMs)

/** Notes it in a process of its own. */
async function note(...devices: readonly (typeof device)[]): Promise<void> {
  const known = another()
  for (const each of devices) known.note(each)
  await known.flush()
}

describe('a device', () => {
  it('is known in every process once a push was delivered to it, and not before', async () => {
    expect(await another().isKnown(device)).toBe(false)
    await note(device)
    expect(await another().isKnown(device)).toBe(true)
  })

  it('is known at once in the process that delivered', () => {
    const known = another()
    known.note(device)
    expect(known.isRemembered(device.deviceHash)).toBe(true)
  })

  it('is forgotten 30 days after the last push, to the day', async () => {
    await note(device)
    clock.pass(29 * DAY_MS - 12 * HOUR_MS)
    expect(await another().isKnown(device)).toBe(true)
    clock.pass(DAY_MS)
    expect(await another().isKnown(device)).toBe(false)
  })

  it('stays known for as long as it is delivered to', async () => {
    for (let week = 0; week < 10; week += 1) {
      await note(device)
      clock.pass(7 * DAY_MS)
    }
    expect(await another().isKnown(device)).toBe(true)
  })

  it('is written of once in a week, however many pushes it gets', async () => {
    const written: string[] = []
    const memory = instead(store.memory, {
      setMany: (entries, value, lifetimeMs) => {
        written.push(...entries.map(({ key }) => key))
        return store.memory.setMany(entries, value, lifetimeMs)
      },
    })
    const known = another(memory)
    for (let hour = 0; hour < 6 * 24; hour += 1) {
      known.note(device)
      await known.flush()
      clock.pass(HOUR_MS)
    }
    expect(written.filter((key) => key.startsWith('known:'))).toHaveLength(1)
  })

  it('is forgotten by an operator, also in the process that has just delivered to it', async () => {
    await note(device)
    const known = another()
    known.note(device)
    expect(await known.forget(device)).toBe(true)
    await known.flush()
    expect(await known.isKnown(device)).toBe(false)
    expect(await known.forget(device)).toBe(false)
  })

  it('that could not be written down is written down at its next push', async () => {
    const away = () => Promise.reject(new StoreUnavailableError('away'))
    let isAway = true
    const memory = instead(store.memory, {
      setMany: (...all) => (isAway ? away() : store.memory.setMany(...all)),
    })
    const known = another(memory)
    known.note(device)
    await known.flush()
    expect(await another().isKnown(device)).toBe(false)
    isAway = false
    known.note(device)
    await known.flush()
    expect(await another().isKnown(device)).toBe(true)
  })

  it('shows a day and no more of when it was delivered to', async () => {
    await note(device)
    expect(await store.memory.get(device, `known:${device.deviceHash}`)).toBe(String(Math.floor(clock.ms / DAY_MS)))
  })
})

describe('who is a stranger', () => {
  it('cannot be told of an app that is new here, and for a day after its first delivery', async () => {
    expect(await another().isLearning(device.route)).toBe(true)
    await note(device)
    clock.pass(DAY_MS - 1)
    expect(await another().isLearning(device.route)).toBe(true)
    clock.pass(1)
    expect(await another().isLearning(device.route)).toBe(false)
  })

  it('can be told for as long as pushes are delivered', async () => {
    for (let days = 0; days < 60; days += 1) {
      await note({ ...device, deviceHash: randomUUID() })
      clock.pass(DAY_MS)
    }
    expect(await another().isLearning(device.route)).toBe(false)
  })
})
