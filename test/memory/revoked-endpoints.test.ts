/** What is remembered of endpoints that were revoked: which of a device, for how long, how many, and on whose word. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { RevokedEndpoints } from '../../src/memory/revoked-endpoints.ts'
import { Clock } from '../helpers/clock.ts'
import { createDelivery } from '../helpers/delivery.ts'
import { openTestStore, type TestStore } from '../helpers/sqlite-store.ts'

const HOUR_MS = 3600_000
const DAY_MS = 24 * HOUR_MS
const VAPID_KEY = 'the key of a homeserver'

const clock = new Clock()
let store: TestStore
beforeAll(async () => {
  store = await openTestStore(clock.nowMs)
})
afterAll(() => store[Symbol.asyncDispose]())

let revoked: RevokedEndpoints
let device: { readonly route: string; readonly deviceHash: string }
beforeEach(() => {
  const { memory, known, identities } = store
  revoked = new RevokedEndpoints({ memory, known, identities, nowMs: clock.nowMs })
  device = deviceOf(randomUUID())
})

/** A push was delivered to it. */
function deviceOf(route: string) {
  const known = { route, deviceHash: store.identities.device({ appId: 'app', target: randomUUID() }) }
  store.known.note(createDelivery(known))
  return known
}

const traded = (secondsAgo = 0, vapidKey = VAPID_KEY) => ({
  vapidKey,
  issuedAt: Math.floor(clock.ms / 1000) - secondsAgo,
})

it('all that the device traded for that sender before is revoked, and nothing that it traded since, or for another', async () => {
  const [before, then] = [traded(20), traded(10)]
  expect(await revoked.revoke(device, then)).toBe('revoked')
  expect([await revoked.isRevoked(device, before), await revoked.isRevoked(device, then)]).toEqual([true, true])
  expect(await revoked.isRevoked(device, traded(9))).toBe(false)
  expect(await revoked.isRevoked(device, traded(10, 'another'))).toBe(false)
  expect(await revoked.isRevoked(deviceOf(device.route), then)).toBe(false)
})

it('what was traded later stays revoked when what was traded before is revoked again', async () => {
  await revoked.revoke(device, traded(10))
  expect(await revoked.revoke(device, traded(20))).toBe('revoked')
  expect(await revoked.isRevoked(device, traded(10))).toBe(true)
})

it('a revocation cannot be sat out: it ends when the last of its endpoints does, a year after the trade', async () => {
  const then = traded(3600)
  await revoked.revoke(device, then)
  clock.pass(365 * DAY_MS - HOUR_MS - 1000)
  expect(await revoked.isRevoked(device, then)).toBe(true)
  clock.pass(2000)
  expect(await store.memory.get(device, revoked.keyOf(device, then))).toBeUndefined()
  expect(await revoked.revoke(device, then)).toBe('revoked')
  expect(await store.memory.get(device, revoked.keyOf(device, then))).toBeUndefined()
})

it('of one device no more than 10 are remembered in an hour, and those that are stay answered as before', async () => {
  const ofSender = (number: number) => traded(0, `sender ${number}`)
  const answers = []
  for (let number = 0; number <= 10; number += 1) answers.push(await revoked.revoke(device, ofSender(number)))
  expect(answers).toEqual([...Array.from({ length: 10 }, () => 'revoked'), 'later'])
  expect(await revoked.isRevoked(device, ofSender(10))).toBe(false)
  expect(await revoked.revoke(device, ofSender(9))).toBe('revoked')
  expect(await revoked.revoke(deviceOf(device.route), ofSender(10))).toBe('revoked')
  clock.pass(HOUR_MS)
  expect(await revoked.revoke(device, ofSender(10))).toBe('revoked')
})

it('of one app no more than 1,000 are remembered in an hour', async () => {
  const { route } = device
  const all = await Promise.all(Array.from({ length: 1000 }, () => revoked.revoke(deviceOf(route), traded())))
  expect(new Set(all)).toEqual(new Set(['revoked']))
  expect(await revoked.revoke(device, traded())).toBe('later')
  expect(await revoked.revoke(deviceOf(randomUUID()), traded())).toBe('revoked')
  clock.pass(HOUR_MS)
  expect(await revoked.revoke(device, traded())).toBe('revoked')
})

it.each<readonly [string, (written: string, ofAnother: string) => string]>([
  ['without a signature', (written) => written.split(' ')[0] ?? ''],
  ['with a signature of his own', (written) => `${written.split(' ')[0]} x`],
  ['of another device', (_written, ofAnother) => ofAnother],
  ['up to another time', (written) => written.replace(/^\d+/, (seconds) => String(Number(seconds) + 3600))],
])('who can write to the store, and has no key file, makes up no revocation %s', async (_what, forge) => {
  const another = deviceOf(device.route)
  const then = traded()
  for (const each of [device, another]) await revoked.revoke(each, then)
  const written = async (of: typeof device) => (await store.memory.get(of, revoked.keyOf(of, then))) ?? ''
  const forged = forge(await written(device), await written(another))
  expect(forged).not.toBe(await written(device))
  await store.memory.set(device, revoked.keyOf(device, then), forged, DAY_MS)
  expect(await revoked.isRevoked(device, then)).toBe(false)
})

it('nothing that is remembered holds the key of a sender', async () => {
  await revoked.revoke(device, traded())
  const key = revoked.keyOf(device, traded())
  expect(`${key} ${await store.memory.get(device, key)}`).not.toContain(VAPID_KEY)
})
