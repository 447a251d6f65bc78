/** Attack 2: a host that accepts TLS and never answers, named a thousand times. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Outcome } from '../../src/core/outcome.ts'
import type { Secret } from '../../src/core/secret.ts'
import type { Sender } from '../../src/core/provider.ts'
import { until } from '../helpers/received.ts'
import { CONCURRENCY, GOOD, sendTo, startWebPushRig, targetAt, type WebPushRig } from './web-push-rig.ts'

const DEVICES = 1000
const names = (of: (index: number) => string): readonly string[] =>
  Array.from({ length: DEVICES }, (_, index) => of(index))

let rig: WebPushRig
beforeEach(async () => {
  rig = await startWebPushRig(['evil.test', '*.evil.test'])
})
afterEach(() => rig[Symbol.asyncDispose]())

interface Attack {
  /** Of those that have ended. */
  readonly outcomes: readonly Outcome[]
  /** Resolves when all have ended. */
  readonly stop: () => Promise<void>
}

function attack(sender: Sender, origins: readonly string[]): Attack {
  const stopping = new AbortController()
  const outcomes: Outcome[] = []
  const targets = origins.map((origin, index) => targetAt(rig, `xhang-${index}`, origin))
  const sending = targets.map(async (target: Secret) => outcomes.push(await sendTo(sender, target, stopping.signal)))
  return {
    outcomes,
    stop: async () => {
      stopping.abort()
      await Promise.all(sending)
    },
  }
}

describe('attack 2: a thousand pushes for what accepts TLS and never answers', () => {
  it.each([
    ['ports of one host', names((index) => `https://evil.test:${1000 + index}`), 4],
    ['hosts below one domain', names((index) => `https://n${index}.evil.test`), 8],
    ['domains', names((index) => `https://evil${index}.test`), CONCURRENCY / 10],
  ])('at a thousand %s hold few slots, and the rest waits without one', async (_what, origins, slots) => {
    const sender = await rig.open()
    const { outcomes, stop } = attack(sender, origins)
    await until('the rest waits', () => outcomes.length >= DEVICES - slots)
    expect(outcomes).toHaveLength(DEVICES - slots)
    expect(new Set(outcomes.map((outcome) => 'reason' in outcome && `${outcome.kind} ${outcome.reason}`))).toEqual(
      new Set(['waits host_busy']),
    )
    await stop()
  })

  it('do not keep the push of another host waiting, new or not', async () => {
    const sender = await rig.open()
    const { stop } = attack(
      sender,
      names((index) => `https://evil.test:${1000 + index}`),
    )
    for (const name of ['phone', 'phone', 'tablet'])
      expect(await sendTo(sender, targetAt(rig, name, GOOD))).toEqual({ kind: 'delivered' })
    await stop()
  })

  it('come back one by one, not all at once', async () => {
    const sender = await rig.open()
    const { outcomes, stop } = attack(
      sender,
      names((index) => `https://evil.test:${1000 + index}`),
    )
    await until('the rest waits', () => outcomes.length >= DEVICES - 4)
    const turnsMs = outcomes.map((outcome) => (outcome.kind === 'waits' ? outcome.afterMs : undefined))
    expect(turnsMs.slice(0, 4)).toEqual([250, 500, 750, 1000])
    expect(new Set(turnsMs).size).toBe(DEVICES - 4)
    await stop()
  })

  it('have five seconds, and then all of the host waits for one that tries it', async () => {
    const sender = await rig.open()
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    try {
      const { outcomes, stop } = attack(sender, names((index) => `https://evil.test:${1000 + index}`).slice(0, 4))
      while (rig.simulator.received.length < 4) await new Promise((resolve) => setImmediate(resolve))
      rig.clock.pass(5000)
      await vi.advanceTimersByTimeAsync(5000)
      expect(outcomes.map((outcome) => 'reason' in outcome && outcome.reason)).toEqual(Array(4).fill('deadline'))
      const next = [
        sendTo(sender, targetAt(rig, 'a', 'https://evil.test:7')),
        sendTo(sender, targetAt(rig, 'b', 'https://evil.test')),
      ]
      const paused = { kind: 'waits', reason: 'host_paused', group: 'evil.test' }
      expect(await Promise.all(next)).toEqual([
        { ...paused, afterMs: 30_000 },
        { ...paused, afterMs: undefined, latestMs: 120_000 },
      ])
      await stop()
    } finally {
      vi.useRealTimers()
    }
  })

  it('hold few slots also where the host has taken pushes before', async () => {
    const sender = await rig.open()
    for (let count = 0; count < 10; count += 1)
      await sendTo(sender, targetAt(rig, `friend-${count}`, 'https://evil.test'))
    const { outcomes, stop } = attack(sender, Array<string>(DEVICES).fill('https://evil.test'))
    // Each push that is taken gives it one more.
    await until('the rest waits', () => outcomes.length >= DEVICES - 14)
    expect(outcomes).toHaveLength(DEVICES - 14)
    expect(await sendTo(sender, targetAt(rig, 'phone', GOOD))).toEqual({ kind: 'delivered' })
    await stop()
  })

  it('at a host that the operator has named hold twenty slots for longer than two seconds, and then the rest waits', async () => {
    const sender = await rig.open({ endpoint: rig.simulator.url, allowed_endpoints: ['evil.test', 'good.test'] })
    const { stop } = attack(sender, Array<string>(20).fill('https://evil.test'))
    await until('they have arrived', () => rig.simulator.received.length === 20)
    rig.clock.pass(2001)
    const waits = { kind: 'waits', reason: 'host_slow', group: 'evil.test:443 unknown' }
    const phone = targetAt(rig, 'phone', 'https://evil.test')
    expect(await sendTo(sender, phone)).toEqual({ ...waits, afterMs: 10_000 })
    expect(await sendTo(sender, phone)).toEqual({ ...waits, afterMs: undefined, latestMs: 120_000 })
    expect(await sendTo(sender, targetAt(rig, 'phone', GOOD))).toEqual({ kind: 'delivered' })
    await stop()
  })

  it('at a new host that does answer, all that waits may come as soon as it has taken one', async () => {
    const sender = await rig.open()
    const pushes = names((index) => `phone-${index}`)
      .slice(0, 20)
      .map((name) => sendTo(sender, targetAt(rig, name, GOOD)))
    const outcomes = await Promise.all(pushes)
    expect(outcomes.filter(({ kind }) => kind === 'waits')).toHaveLength(16)
    expect(outcomes.filter(({ revives }) => revives === 'good.test')).toHaveLength(1)
  })

  it('at other ports of a host that works do not keep its own pushes waiting', async () => {
    const sender = await rig.open()
    await sendTo(sender, targetAt(rig, 'phone', GOOD))
    rig.simulator.setFault('tls')
    for (let count = 0; count < 4; count += 1) await sendTo(sender, targetAt(rig, 'x', `${GOOD}:9`))
    rig.simulator.setFault(undefined)
    expect(await sendTo(sender, targetAt(rig, 'x', `${GOOD}:10`))).toMatchObject({ kind: 'waits', group: 'good.test' })
    expect(await sendTo(sender, targetAt(rig, 'phone', GOOD))).toEqual({ kind: 'delivered' })
  })
})
