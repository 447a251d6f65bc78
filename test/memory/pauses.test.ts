/** Which routes an operator has paused, as two processes on one store know it. */
import { afterEach, beforeEach, expect, it } from 'vitest'
import { StoreUnavailableError } from '../../src/core/errors.ts'
import { Pauses } from '../../src/memory/pauses.ts'
import { Clock } from '../helpers/clock.ts'
import { instead } from '../helpers/instead.ts'
import { until } from '../helpers/received.ts'
import { openTestStore, type TestStore } from '../helpers/sqlite-store.ts'

const clock = new Clock()
let store: TestStore
let pauses: Pauses
beforeEach(async () => {
  store = await openTestStore(clock.nowMs)
  pauses = new Pauses(store.memory, clock.nowMs)
})
afterEach(() => store[Symbol.asyncDispose]())

const another = (): Pauses => new Pauses(store.memory, clock.nowMs)

it('a route that was paused is so for whoever asks later, since then', async () => {
  const sinceMs = clock.ms
  await pauses.set(['ios'], true)
  clock.ms += 5000
  await another().set(['ios', 'android'], true)
  expect(await another().read()).toEqual(
    new Map([
      ['ios', sinceMs],
      ['android', clock.ms],
    ]),
  )
})

it('what is resumed goes on, and no other', async () => {
  await pauses.set(['ios', 'android'], true)
  await another().set(['ios'], false)
  expect([...(await pauses.read()).keys()]).toEqual(['android'])
  await pauses.set(['android'], false)
  expect(await another().read()).toEqual(new Map())
})

it('changes at once are made one after the other', async () => {
  await Promise.all([pauses.set(['one'], true), pauses.set(['two'], true), pauses.set(['one'], false)])
  expect([...(await another().read()).keys()]).toEqual(['two'])
})

it('who follows is told at the beginning and of each change', async () => {
  await another().set(['ios'], true)
  const told: string[][] = []
  await pauses.follow((paused) => told.push([...paused.keys()]), false)
  await pauses.set(['android'], true)
  expect(told[0]).toEqual(['ios'])
  expect(told.at(-1)).toEqual(['ios', 'android'])
})

it('a process starts also where a store that it shares is away, and knows what is paused when that answers', async () => {
  await another().set(['ios'], true)
  let isAway = true
  const memory = instead(store.memory, {
    get: (owner, key) => (isAway ? Promise.reject(new StoreUnavailableError('away')) : store.memory.get(owner, key)),
  })
  const starting = new Pauses(memory, clock.nowMs)
  const told: string[][] = []
  await starting.follow((paused) => told.push([...paused.keys()]), true)
  expect(told).toEqual([])
  isAway = false
  await until('it is told', () => told.length > 0)
  starting.stop()
  expect(told[0]).toEqual(['ios'])
})

it('a pause does not end by itself within a year', async () => {
  await pauses.set(['ios'], true)
  clock.ms += 364 * 24 * 3600_000
  expect([...(await another().read()).keys()]).toEqual(['ios'])
})
