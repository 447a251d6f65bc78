import { describe, expect, it } from 'vitest'
import type { Outcome } from '../../src/core/outcome.ts'
import { Gate } from '../../src/delivery/gate.ts'

const BLOCKED: Outcome = { kind: 'blocked', reason: 'InvalidProviderToken' }
const WAIT: Outcome = { kind: 'retry', reason: '503', scope: 'app', ambiguous: false, afterMs: 5000 }

function start() {
  const log: string[] = []
  let nowMs = 0
  const timers: { delayMs: number; action: () => void; cancelled: boolean }[] = []
  const gate = new Gate({
    set: (next) => log.push(next),
    nowMs: () => (nowMs += 1000),
    onPaused: (reason) => log.push(reason === undefined ? 'goes on' : `waits for ${reason}`),
    onBlocked: (reason) => log.push(reason === undefined ? 'works again' : `blocked by ${reason}`),
    after: (delayMs, action) => {
      const timer = { delayMs, action, cancelled: false }
      timers.push(timer)
      return () => (timer.cancelled = true)
    },
  })
  const pending = () => timers.filter((timer) => !timer.cancelled).map(({ delayMs }) => delayMs)
  const fire = () => {
    const timer = timers.find((each) => !each.cancelled)
    if (timer === undefined) throw new Error('nothing is scheduled')
    timer.cancelled = true
    timer.action()
  }
  const pass = (ms: number) => (nowMs += ms)
  return { gate, log, pending, fire, pass }
}

describe('the gate of a route', () => {
  it('stops on proof that our credential is refused, sends one probe every 30 s, and resumes with the first that is accepted', () => {
    const { gate, log, pending, fire } = start()
    gate.onOutcome(BLOCKED)
    expect(pending()).toEqual([30_000])
    fire()
    gate.onOutcome(BLOCKED)
    fire()
    gate.onOutcome({ kind: 'delivered' })
    expect(log).toEqual(['closed', 'blocked by InvalidProviderToken', 'one', 'closed', 'one', 'open', 'works again'])
    expect(pending()).toEqual([])
  })

  it('probes at once after a reload', () => {
    const { gate, pending } = start()
    gate.onOutcome(BLOCKED)
    gate.probeNow()
    expect(pending()).toEqual([0])
  })

  it('asks with the next delivery when the probe needed no attempt', () => {
    const { gate, pending, fire } = start()
    gate.onOutcome(BLOCKED)
    fire()
    gate.onNotAttempted()
    expect(pending()).toEqual([0])
  })

  it('asks with the next delivery when the probe was refused by our own rules: a garbage pushkey proves no credential', () => {
    const { gate, log, pending, fire } = start()
    gate.onOutcome(BLOCKED)
    fire()
    gate.onOutcome({ kind: 'rejected', reason: 'not a device token', isLocal: true })
    expect(log).toEqual(['closed', 'blocked by InvalidProviderToken', 'one'])
    expect(pending()).toEqual([0])
  })

  it('resumes when the probe learns that its pushkey is dead: that answer needs a good credential', () => {
    const { gate, log, fire } = start()
    gate.onOutcome(BLOCKED)
    fire()
    gate.onOutcome({ kind: 'rejected', reason: 'Unregistered' })
    expect(log.at(-2)).toBe('open')
  })

  it('stays closed while the push service cannot be reached', () => {
    const { gate, log, pending, fire } = start()
    gate.onOutcome(BLOCKED)
    fire()
    gate.onOutcome({ kind: 'retry', reason: 'network', scope: 'app', ambiguous: false })
    expect(log.at(-1)).toBe('one')
    expect(pending()).toEqual([30_000])
    expect(gate.isBlocked).toBe(true)
  })

  it('asks a push service that is away less often the longer it is away: after a tenth of that time, up to ten seconds', () => {
    const { gate, pending, fire, pass } = start()
    const away: Outcome = { kind: 'retry', reason: 'ECONNREFUSED', scope: 'app', ambiguous: false, afterMs: 2000 }
    const pauses = [0, 10_000, 20_000, 60_000, 60_000].flatMap((passedMs) => {
      pass(passedMs)
      gate.onOutcome(away)
      const pause = pending()
      fire()
      return pause
    })
    expect(pauses.map((ms) => Math.floor(ms / 1000))).toEqual([2, 2, 3, 9, 10])
    gate.onOutcome({ kind: 'delivered' })
    gate.onOutcome(away)
    expect(pending()).toEqual([2000])
  })

  it('waits as long as a push service asks the whole app to wait, without being called blocked', () => {
    const { gate, log, pending, fire } = start()
    gate.onOutcome(WAIT)
    expect(pending()).toEqual([5000])
    expect(gate.isBlocked).toBe(false)
    fire()
    gate.onOutcome({ kind: 'delivered' })
    expect(log).toEqual(['waits for 503', 'closed', 'one', 'open', 'goes on'])
  })

  describe('whose push service fails and does not say for how long', () => {
    const FAILURE: Outcome = { kind: 'retry', reason: '503', scope: 'app', ambiguous: false }
    const fail = (gate: Gate, times: number): void => {
      for (let time = 0; time < times; time += 1) gate.onOutcome(FAILURE)
    }

    it('stays open while others are served', () => {
      const { gate, log } = start()
      for (let round = 0; round < 5; round += 1) {
        fail(gate, 9)
        gate.onOutcome({ kind: 'delivered' })
      }
      expect(log).toEqual([])
    })

    it('waits after ten failures in a row, and twice as long after each probe that fails, up to half a minute', () => {
      const { gate, log, pending, fire } = start()
      // The last ones had been on their way.
      fail(gate, 15)
      expect(log).toEqual(['waits for 503', 'closed'])
      const pauses: number[] = []
      for (let probe = 0; probe < 7; probe += 1) {
        pauses.push(...pending())
        fire()
        fail(gate, 1)
      }
      expect(pauses).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000])
    })

    it('opens with the first push that is taken, and is as patient as before', () => {
      const { gate, log, pending, fire } = start()
      fail(gate, 10)
      fire()
      fail(gate, 1)
      fire()
      gate.onOutcome({ kind: 'delivered' })
      expect(log.slice(-2)).toEqual(['open', 'goes on'])
      fail(gate, 9)
      expect(pending()).toEqual([])
      fail(gate, 1)
      expect(pending()).toEqual([1000])
    })

    it('waits as long as that push service wants at least', () => {
      const { gate, pending } = start()
      for (let time = 0; time < 10; time += 1) gate.onOutcome({ ...FAILURE, floorMs: 10_000 })
      expect(pending()).toEqual([10_000])
    })
  })

  it('neither puts off nor hurries its probe for what had been on its way before', () => {
    const { gate, pending, fire } = start()
    gate.onOutcome(WAIT)
    gate.onOutcome({ kind: 'retry', reason: 'connection lost', scope: 'delivery', ambiguous: true })
    gate.onOutcome({ kind: 'failed', reason: 'PayloadTooLarge' })
    expect(pending()).toEqual([5000])
    // A badge that another has overtaken, handed out together with what was told to wait.
    gate.onNotAttempted()
    expect(pending()).toEqual([5000])
    fire()
    expect(pending()).toEqual([])
  })

  it('asks with another soon where the answer was about the probe alone, and ever later, up to as long as it was to wait', () => {
    const { gate, pending, fire } = start()
    gate.onOutcome(BLOCKED)
    const pauses = Array.from({ length: 7 }, () => {
      fire()
      gate.onOutcome({
        kind: 'retry',
        reason: 'TooManyRequests',
        scope: 'delivery',
        ambiguous: false,
        afterMs: 900_000,
      })
      return pending()
    })
    expect(pauses).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000].map((pauseMs) => [pauseMs]))
    fire()
    gate.onOutcome(BLOCKED)
    expect(pending()).toEqual([30_000])
    fire()
    gate.onOutcome({ kind: 'failed', reason: 'PayloadTooLarge' })
    expect(pending()).toEqual([1000])
  })

  it('probes again after as long a pause when the probe learnt nothing at all', () => {
    const { gate, pending, fire } = start()
    gate.onOutcome(WAIT)
    fire()
    gate.onNothingLearnt()
    expect(pending()).toEqual([5000])
  })

  it.each<[string, Outcome]>([
    ['one delivery', { kind: 'retry', reason: '503', scope: 'delivery', ambiguous: false, afterMs: 5000 }],
    ['one target', { kind: 'retry', reason: '429', scope: 'target', ambiguous: false, afterMs: 5000 }],
    ['a message error', { kind: 'failed', reason: 'PayloadTooLarge' }],
    ['a dead pushkey', { kind: 'rejected', reason: 'Unregistered' }],
  ])('is not touched by what concerns %s: a stranger must not be able to stop an app', (_what, outcome) => {
    const { gate, log, pending } = start()
    gate.onOutcome(outcome)
    expect([log, pending()]).toEqual([[], []])
  })

  it('says since when it is not open, and why, in the word of the push service', () => {
    const { gate, fire } = start()
    expect(gate.status).toEqual({ state: 'open' })
    gate.onOutcome(WAIT)
    expect(gate.status).toEqual({ state: 'held', reason: '503', sinceMs: 1000 })
    // The next one is about something else: it began then.
    gate.onOutcome(BLOCKED)
    expect(gate.status).toEqual({ state: 'blocked', reason: 'InvalidProviderToken', sinceMs: 2000 })
    // Still the same trouble, whatever else is answered meanwhile.
    fire()
    gate.onOutcome(BLOCKED)
    gate.onOutcome(WAIT)
    expect(gate.status).toEqual({ state: 'blocked', reason: 'InvalidProviderToken', sinceMs: 2000 })
    gate.onOutcome({ kind: 'delivered' })
    expect(gate.status).toEqual({ state: 'open' })
  })

  it('hands out nothing while the operator pauses it, not even a probe', () => {
    const { gate, log, fire } = start()
    gate.onOutcome(BLOCKED)
    gate.setPaused(true)
    gate.setPaused(true)
    fire()
    gate.probeNow()
    fire()
    expect(log).toEqual(['closed', 'blocked by InvalidProviderToken', 'closed'])
    gate.setPaused(false)
    expect(log.at(-1)).toBe('one')
  })

  it('is after a pause as it has become meanwhile', () => {
    const blocked = start()
    blocked.gate.setPaused(true)
    blocked.gate.onOutcome(BLOCKED)
    blocked.gate.setPaused(false)
    expect(blocked.log.at(-1)).toBe('closed')

    const works = start()
    works.gate.onOutcome(BLOCKED)
    works.gate.setPaused(true)
    works.gate.onOutcome({ kind: 'delivered' })
    expect(works.log).not.toContain('open')
    works.gate.setPaused(false)
    expect(works.log.at(-1)).toBe('open')
  })
})
