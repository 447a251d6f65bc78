/** Attack 8, and of attack 4 the part about hosts that answer 503: thousands of devices at a host that is not to be hit with them. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Sender } from '../../src/core/provider.ts'
import type { Secret } from '../../src/core/secret.ts'
import { dispositionOf } from '../../src/delivery/retry.ts'
import { GOOD, sendTo, startWebPushRig, targetAt, type WebPushRig } from './web-push-rig.ts'

const DEVICES = 2400
const VICTIM = 'https://victim.test'

let rig: WebPushRig
beforeEach(async () => {
  rig = await startWebPushRig(['victim.test'])
})
afterEach(() => rig[Symbol.asyncDispose]())

const postsTo = (origin: string) => rig.simulator.received.filter((push) => push.origin.startsWith(origin)).length

interface Waiting {
  readonly target: Secret
  readonly attempt: number
  readonly dueAtMs: number
}

/** Sends as the delivery and the store do, a second at a time. How many deliveries were handed out. */
async function deliverFor(sender: Sender, targets: readonly Secret[], seconds: number): Promise<number> {
  const expiresAtMs = rig.clock.nowMs() + 24 * 3600_000
  let waiting: readonly Waiting[] = targets.map((target) => ({ target, attempt: 1, dueAtMs: 0 }))
  let handedOut = 0
  for (let second = 0; second < seconds; second += 1) {
    const nowMs = rig.clock.nowMs()
    const due = waiting.filter(({ dueAtMs }) => dueAtMs <= nowMs)
    handedOut += due.length
    const after = await Promise.all(
      due.map(async ({ target, attempt }) => {
        const outcome = await sendTo(sender, target)
        const next = dispositionOf(outcome, { attempt, nowMs, expiresAtMs, random: 0.5 })
        const attempts = outcome.kind === 'waits' ? attempt : attempt + 1
        return 'atMs' in next ? [{ target, attempt: attempts, dueAtMs: next.atMs }] : []
      }),
    )
    waiting = [...waiting.filter(({ dueAtMs }) => dueAtMs > nowMs), ...after.flat()]
    rig.clock.pass(1000)
  }
  return handedOut
}

describe('attack 8: 2,400 devices at a host that answers 5xx', () => {
  it.each([500, 502, 503, 429])('are not 2,400 requests for it (%i)', async (status) => {
    const sender = await rig.open()
    const targets = Array.from({ length: DEVICES }, (_, index) => targetAt(rig, `xs${status}-${index}`, VICTIM))
    const handedOut = await deliverFor(sender, targets, 150)
    expect(postsTo(VICTIM)).toBeGreaterThan(3)
    expect(postsTo(VICTIM)).toBeLessThanOrEqual(10)
    // Nor are they taken out of the store and put back all the time.
    expect(handedOut).toBeLessThan(2 * DEVICES)
  })

  it('that says how long to wait are none either', async () => {
    const sender = await rig.open()
    const targets = Array.from({ length: DEVICES }, (_, index) => targetAt(rig, `xs503.a1-${index}`, VICTIM))
    await deliverFor(sender, targets, 150)
    expect(postsTo(VICTIM)).toBeLessThanOrEqual(10)
  })

  it('do not stop the devices that the host has taken pushes for', async () => {
    const sender = await rig.open()
    const phone = targetAt(rig, 'phone', GOOD)
    await sendTo(sender, phone)
    for (let count = 0; count < 10; count += 1) await sendTo(sender, targetAt(rig, `xs500-${count}`, GOOD))
    expect(postsTo(GOOD)).toBe(4)
    expect(await sendTo(sender, targetAt(rig, 'xs500-more', GOOD))).toMatchObject({
      kind: 'waits',
      reason: 'host_paused',
    })
    expect(await sendTo(sender, phone)).toEqual({ kind: 'delivered' })
    // What is well with those says nothing of the others.
    expect(await sendTo(sender, targetAt(rig, 'xs500-more', GOOD))).toMatchObject({
      kind: 'waits',
      reason: 'host_paused',
    })
  })

  it('wait together until the host answers again, and then leave together', async () => {
    const sender = await rig.open()
    const failing = ['xs503.n1-a', 'xs503.n1-b', 'xs503.n1-c']
    for (const name of failing) await sendTo(sender, targetAt(rig, name, VICTIM))
    const waits = { kind: 'waits', reason: 'host_paused', group: 'victim.test' }
    expect(await sendTo(sender, targetAt(rig, 'd', VICTIM))).toEqual({ ...waits, afterMs: 30_000 })
    rig.clock.pass(30_000)
    expect(await sendTo(sender, targetAt(rig, 'd', VICTIM))).toEqual({ kind: 'delivered', revives: 'victim.test' })
    for (const name of failing) expect(await sendTo(sender, targetAt(rig, name, VICTIM))).toEqual({ kind: 'delivered' })
  })
})
