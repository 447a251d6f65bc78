/** What is remembered of dead pushkeys. The judgement itself, case by case, is in tombstone.test.ts. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Delivery } from '../../src/core/delivery.ts'
import { StoreUnavailableError } from '../../src/core/errors.ts'
import type { Identities } from '../../src/core/identities.ts'
import type { Outcome } from '../../src/core/outcome.ts'
import { DeadPushkeys, type KnownDevice } from '../../src/memory/dead-pushkeys.ts'
import { RejectionGuard } from '../../src/memory/rejection-guard.ts'
import { Clock } from '../helpers/clock.ts'
import { createDelivery } from '../helpers/delivery.ts'
import { instead } from '../helpers/instead.ts'
import { openTestStore, type TestStore } from '../helpers/sqlite-store.ts'

const MINUTE_MS = 60_000
const DAY_MS = 24 * 3600_000
const GONE: Outcome = { kind: 'rejected', reason: 'Unregistered' }

const clock = new Clock()
let store: TestStore
let identities: Identities
let guard: RejectionGuard
let deadPushkeys: DeadPushkeys
beforeAll(async () => {
  store = await openTestStore(clock.nowMs)
  ;({ identities, guard, deadPushkeys } = store)
})
afterAll(() => store[Symbol.asyncDispose]())

/** A device of its own for each test, registered an hour ago. */
let device: KnownDevice
beforeEach(() => {
  clock.ms = Math.floor(clock.ms / MINUTE_MS) * MINUTE_MS // tombstones know whole minutes
  device = {
    route: randomUUID(),
    deviceHash: identities.device({ appId: 'app', target: randomUUID() }),
    pushkeyTs: clock.ms / 1000 - 3600,
    kind: 'event',
  }
})

const delivery = (more: Partial<Delivery> = {}) => createDelivery({ ...device, ...more })
const record = (outcome: Outcome, more: Partial<Delivery> = {}) => deadPushkeys.record(delivery(more), outcome)

describe('a device', () => {
  it('of which nothing is known is sent to', async () => {
    expect(await deadPushkeys.admit(device)).toBe('alive')
  })

  it('that was called dead is rejected, events and badges alike', async () => {
    await record(GONE)
    expect(await deadPushkeys.admit(device)).toBe('dead')
    expect(await deadPushkeys.admit({ ...device, kind: 'counts' })).toBe('dead')
  })

  it.each<Outcome>([
    { kind: 'delivered' },
    { kind: 'failed', reason: 'PayloadTooLarge' },
    { kind: 'blocked', reason: 'InvalidProviderToken' },
    { kind: 'retry', reason: '503', scope: 'delivery', ambiguous: false },
  ])('is not dead after $kind', async (outcome) => {
    await record(outcome)
    expect(await deadPushkeys.admit(device)).toBe('alive')
  })

  it('that was registered anew is probed, under that registration for as long as it lives', async () => {
    await record(GONE)
    const reborn = { ...device, pushkeyTs: clock.ms / 1000 + 5 }
    expect([await deadPushkeys.admit(reborn), await deadPushkeys.admit(reborn)]).toEqual(['probe', 'probe'])
    expect(await deadPushkeys.admit(device)).toBe('dead')
    await record(GONE, { pushkeyTs: reborn.pushkeyTs, probesDead: true })
    expect(await deadPushkeys.admit(reborn)).toBe('dead')
  })

  it('that died before it was registered, as the push service says, is probed', async () => {
    await record({ ...GONE, sinceMs: clock.ms - 2 * 3600_000 })
    expect(await deadPushkeys.admit(device)).toBe('probe')
  })

  it('without pushkey_ts is probed once a day', async () => {
    const unnamed = { ...device, pushkeyTs: undefined }
    await record({ kind: 'delivered' })
    await record(GONE, { pushkeyTs: undefined })
    expect(await deadPushkeys.admit(unnamed)).toBe('dead')
    clock.pass(DAY_MS)
    expect([await deadPushkeys.admit(unnamed), await deadPushkeys.admit(unnamed)]).toEqual(['probe', 'dead'])
  })

  it('that a push was delivered to is forgotten after 30 days without a word of it', async () => {
    await record({ kind: 'delivered' })
    await record(GONE)
    clock.pass(29 * DAY_MS)
    expect(await deadPushkeys.admit(device)).toBe('dead')
    clock.pass(2 * DAY_MS)
    expect(await deadPushkeys.admit(device)).toBe('alive')
  })
})

describe('a device that nothing was ever delivered to', () => {
  const HOUR_MS = 3600_000

  it('is forgotten after an hour, also where it is probed meanwhile', async () => {
    await record(GONE)
    clock.pass(HOUR_MS / 2)
    expect(await deadPushkeys.admit({ ...device, pushkeyTs: clock.ms / 1000 + 5 })).toBe('probe')
    clock.pass(HOUR_MS / 2 - 1)
    expect(await deadPushkeys.admit(device)).toBe('dead')
    clock.pass(1)
    expect(await deadPushkeys.admit(device)).toBe('alive')
  })

  it('leaves nothing of its event: its death is the answer to that, too', async () => {
    const deduplicationKey = randomUUID()
    const dead = delivery({ deduplicationKey })
    await store.deduplication.claim({ delivery: dead, attempt: 1, order: 1 })
    await record(GONE, dead)
    expect(await store.deduplication.isKnown(dead, deduplicationKey)).toBe(false)
  })

  it('has no place in the memory when 10,000 others of its app were called dead in this hour', async () => {
    const others = Array.from({ length: 10_000 }, () => ({ deviceHash: randomUUID(), pushkeyTs: undefined }))
    // What is asked at once has to be answered within a second.
    for (let start = 0; start < others.length; start += 200)
      await Promise.all(others.slice(start, start + 200).map((other) => record(GONE, other)))
    await record(GONE)
    expect(await deadPushkeys.admit(device)).toBe('alive')
    clock.pass(HOUR_MS)
    await record(GONE)
    expect(await deadPushkeys.admit(device)).not.toBe('alive')
  })

  it('has no say about its app, once that is known for a day by the devices that were delivered to', async () => {
    const verdicts = async (count: number) => {
      for (let index = 0; index < count; index += 1) await record(GONE, { deviceHash: randomUUID() })
    }
    await record({ kind: 'delivered' })
    await store.known.flush()
    clock.pass(DAY_MS)
    await verdicts(40)
    expect(await guard.windows(device.route)).toEqual([])
  })

  it('has a say in the first day, when nobody can be told from a stranger: a wrong topic must not unregister all', async () => {
    await record({ kind: 'delivered' })
    await store.known.flush()
    clock.pass(DAY_MS - MINUTE_MS)
    for (let index = 0; index < 40; index += 1) await record(GONE, { deviceHash: randomUUID() })
    expect(await guard.windows(device.route)).toHaveLength(1)
  })
})

describe('a delivery that waited while its device died', () => {
  it('is not sent', async () => {
    const waiting = delivery()
    expect(await deadPushkeys.isDead({ delivery: waiting })).toBe(false)
    await record(GONE)
    expect(await deadPushkeys.isDead({ delivery: waiting })).toBe(true)
  })

  it('is not sent either when it comes from memory, though the memory was asked when it was stored', async () => {
    const fresh = { latestOrder: undefined }
    const waiting = delivery()
    expect(await deadPushkeys.isDead({ delivery: waiting, fresh })).toBe(false)
    await record(GONE)
    expect(await deadPushkeys.isDead({ delivery: waiting, fresh })).toBe(true)
  })

  it('is sent all the same when it is a probe; what is delivered proves that the device lives', async () => {
    await record(GONE)
    const probe = delivery({ probesDead: true })
    expect(await deadPushkeys.isDead({ delivery: probe })).toBe(false)
    await deadPushkeys.record(probe, { kind: 'delivered' })
    expect(await deadPushkeys.admit(device)).toBe('alive')
  })

  it('proves nothing when it is no probe: it was on its way before the push service knew', async () => {
    await record(GONE)
    await record({ kind: 'delivered' })
    expect(await deadPushkeys.admit(device)).toBe('dead')
  })
})

describe('while the rejections of the route are suspected', () => {
  const trip = async () => {
    for (let count = 0; count < 25; count += 1)
      await record(GONE, { deviceHash: identities.device({ appId: 'app', target: randomUUID() }) })
    await record(GONE)
  }

  it('its dead devices are probed', async () => {
    await trip()
    expect(await deadPushkeys.admit(device)).toBe('probe')
    expect(await deadPushkeys.admit({ ...device, kind: 'counts' })).toBe('probe')
  })

  it.each([
    ['confirm', 'dead'],
    ['discard', 'alive'],
  ] as const)('and the operator says %s, they are %s', async (verdict, expected) => {
    await trip()
    await guard.release(device.route, verdict)
    expect(await deadPushkeys.admit(device)).toBe(expected)
  })
})

it('what an operator has forgotten was there, or was not', async () => {
  expect(await deadPushkeys.forget(device)).toBe(false)
  await record(GONE)
  expect(await deadPushkeys.forget(device)).toBe(true)
  expect(await deadPushkeys.admit(device)).toBe('alive')
})

describe('who can write to the store, and has no key file', () => {
  const key = ({ deviceHash }: Pick<Delivery, 'deviceHash'>) => `dead:${deviceHash}`
  const write = (text: string) => store.memory.set(device, key(device), text, DAY_MS)
  const written = async (of: KnownDevice) => (await store.memory.get(of, key(of))) ?? ''
  /** As the store has it of a device that did die. */
  const deathOf = async (of: KnownDevice) => {
    await record(GONE, of)
    return written(of)
  }
  const minutes = () => clock.ms / MINUTE_MS

  it.each<readonly [string, () => string | Promise<string>]>([
    ['without a signature', () => JSON.stringify([minutes(), minutes(), null, false, null])],
    ['with a signature of his own', () => JSON.stringify([minutes(), minutes(), null, false, null, false, 'x'])],
    ['with the signature of another device', () => deathOf({ ...device, deviceHash: randomUUID() })],
    ['that is no text of ours', () => '{"dead":'],
    [
      'that says another time than the signature is for',
      async () => {
        const [, ...rest] = JSON.parse(await deathOf(device))
        return JSON.stringify([minutes() + 60, ...rest])
      },
    ],
  ])('makes up no death %s', async (_what, forged) => {
    await write(await forged())
    expect(await deadPushkeys.admit(device)).toBe('alive')
    expect(await deadPushkeys.describe(device)).toBeUndefined()
  })

  it('keeps no true death from being remembered by what he wrote in its place', async () => {
    await write('made up')
    await record(GONE)
    expect(await deadPushkeys.admit(device)).toBe('dead')
  })

  it('can write down again what a gateway once wrote of that device', async () => {
    const before = await deathOf(device)
    await deadPushkeys.forget(device)
    expect(await deadPushkeys.admit(device)).toBe('alive')
    await write(before)
    expect(await deadPushkeys.admit(device)).toBe('dead')
  })

  it.each([
    ['a device that a push was delivered to', true, 30 * DAY_MS],
    ['a device that nothing was delivered to', false, DAY_MS / 24],
  ])('brings no death of %s back that is past its life', async (_what, isKnown, lifeMs) => {
    if (isKnown) await record({ kind: 'delivered' })
    const before = await deathOf(device)
    clock.pass(lifeMs - 1)
    await write(before)
    expect(await deadPushkeys.admit(device)).toBe('dead')
    clock.pass(1)
    expect(await written(device)).toBe(before)
    expect(await deadPushkeys.admit(device)).toBe('alive')
    expect(await deadPushkeys.describe(device)).toBeUndefined()
  })
})

describe('where the memory does not answer', () => {
  const away = () => Promise.reject(new StoreUnavailableError('away'))
  const broken = () => {
    const memory = instead(store.memory, { set: away, delete: away, addMembers: away })
    return new DeadPushkeys({
      memory,
      guard: new RejectionGuard(memory, clock.nowMs, () => {}),
      known: store.known,
      identities,
      nowMs: clock.nowMs,
    })
  }

  it('a delivered push stays delivered: that nobody wrote it down is not worth a second one', async () => {
    await expect(broken().record(delivery({ probesDead: true }), { kind: 'delivered' })).resolves.toBeUndefined()
  })

  it('a rejection is not lost: the delivery is tried again', async () => {
    await expect(broken().record(delivery(), GONE)).rejects.toThrow('away')
  })
})

it('nothing that is remembered holds a pushkey or the second of a registration', async () => {
  const written: string[] = []
  const memory = instead(store.memory, {
    set: (owner, key, value, lifetimeMs) => {
      written.push(key, value)
      return store.memory.set(owner, key, value, lifetimeMs)
    },
  })
  const watched = new DeadPushkeys({ memory, guard, known: store.known, identities, nowMs: clock.nowMs })
  const dead = delivery()
  await watched.record(dead, GONE)
  await watched.admit({ ...device, pushkeyTs: clock.ms / 1000 + 77 })
  expect(written).toHaveLength(4)
  expect(written.join()).not.toContain(dead.target.reveal())
  expect(written.join()).not.toContain(String(clock.ms / 1000 + 77))
})
