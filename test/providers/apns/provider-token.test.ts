import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createRig, message, never, pushkey, type Rig } from './rig.ts'

const MINUTE_MS = 60_000

describe('the provider token', { timeout: 30_000 }, () => {
  let rig: Rig
  let passedMs = 0
  beforeEach(() => {
    passedMs = 0
    rig = createRig()
    rig.nowMs = () => Date.now() + passedMs
  })
  afterEach(async () => {
    await rig[Symbol.asyncDispose]()
  })

  it('is one for every sender with the same key, signed again after 50 minutes', async () => {
    const apns = await rig.simulate()
    const [one, other] = [await rig.open(), await rig.open()]
    for (passedMs of [0, 20 * MINUTE_MS, 49 * MINUTE_MS, 51 * MINUTE_MS]) {
      await one.send(message, pushkey('device'), never)
      await other.send(message, pushkey('device'), never)
    }
    const tokens = apns.received.map(({ authorization }) => authorization)
    expect(new Set(tokens.slice(0, 6)).size).toBe(1)
    expect(new Set(tokens.slice(6)).size).toBe(1)
    expect(tokens[6]).not.toBe(tokens[0])
  })

  it('is signed again, and the push sent again, when APNs calls it expired', async () => {
    const apns = await rig.simulate()
    const sender = await rig.open()
    passedMs = 2 * MINUTE_MS
    const outcome = await sender.send(message, pushkey('xrExpiredProviderToken.n1-1'), never)
    expect(outcome).toMatchObject({ kind: 'delivered' })
    expect(apns.received.map(({ status }) => status)).toEqual([403, 200])
    expect(new Set(apns.received.map(({ authorization }) => authorization)).size).toBe(2)
  })

  it('is signed once for many that were refused with the same one', async () => {
    const apns = await rig.simulate()
    const sender = await rig.open()
    await sender.send(message, pushkey('warm'), never)
    passedMs = 2 * MINUTE_MS
    const texts = Array.from({ length: 20 }, (_, index) => `xrExpiredProviderToken.n1-${index}`)
    const outcomes = await Promise.all(texts.map((text) => sender.send(message, pushkey(text), never)))
    expect(new Set(outcomes.map(({ kind }) => kind))).toEqual(new Set(['delivered']))
    expect(new Set(apns.received.map(({ authorization }) => authorization)).size).toBe(2)
  })

  it('is not signed again when a fresh one is called expired: a clock is wrong, and the app is blocked', async () => {
    const apns = await rig.simulate()
    const sender = await rig.open()
    const outcome = await sender.send(message, pushkey('xrExpiredProviderToken-1'), never)
    expect(outcome).toEqual({ kind: 'blocked', reason: 'ExpiredProviderToken' })
    expect(apns.received).toHaveLength(1)
  })
})
