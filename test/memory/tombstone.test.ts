import { describe, expect, it } from 'vitest'
import { bury, decodeTombstone, encodeTombstone, judge, type Tombstone } from '../../src/memory/tombstone.ts'

const DAY_MS = 24 * 3600_000
const DIED_MS = Date.parse('2026-11-20T00:00:00Z')
const NOW_MS = DIED_MS + 3600_000
const DIED_SECONDS = DIED_MS / 1000
const dead: Tombstone = { deathMs: DIED_MS, recordedMs: DIED_MS, isRevived: false }
const sign = (text: string): string => `signed ${text.length} ${text}`
const event = { kind: 'event', isSuspected: false, ...registered(undefined) } as const

/** A registration as the memory knows it: by a name of its own. */
function registered(pushkeyTs: number | undefined) {
  return { pushkeyTs, registration: pushkeyTs === undefined ? undefined : `registration ${pushkeyTs}` }
}

describe('a pushkey that died', () => {
  it('is alive when nothing is known of it', () => {
    expect(judge(undefined, event, NOW_MS)).toEqual({ kind: 'alive' })
  })

  it.each([
    ['registered an hour before it died', DIED_SECONDS - 3600, 'dead'],
    ['registered 61 s before it died', DIED_SECONDS - 61, 'dead'],
    ['registered 60 s before it died: the clocks of two machines', DIED_SECONDS - 60, 'probe'],
    ['registered after it died', DIED_SECONDS + 1, 'probe'],
  ])('%s is %s', (_what, pushkeyTs, expected) => {
    expect(judge(dead, { ...event, ...registered(pushkeyTs) }, NOW_MS).kind).toBe(expected)
  })

  it('is revived by a newer pushkey_ts, and stays alive under it until a push service says otherwise', () => {
    const pushkeyTs = DIED_SECONDS + 10
    const revival = judge(dead, { ...event, ...registered(pushkeyTs) }, NOW_MS)
    if (revival.kind !== 'probe' || revival.next === undefined) throw new Error('not revived')
    expect(judge(revival.next, { ...event, ...registered(pushkeyTs) }, NOW_MS)).toEqual({ kind: 'probe' })
    expect(judge(revival.next, { ...event, ...registered(pushkeyTs), kind: 'counts' }, NOW_MS)).toEqual({
      kind: 'probe',
    })
  })

  it('dead again under the same pushkey_ts, it died at that attempt: no second revival by the push service own date', () => {
    const pushkeyTs = DIED_SECONDS + 10
    const revived: Tombstone = { ...dead, revivedBy: registered(pushkeyTs).registration, isRevived: true }
    const again = bury(revived, revived.revivedBy, DIED_MS, false, NOW_MS)
    expect(again.deathMs).toBe(NOW_MS)
    expect(judge(again, { ...event, ...registered(pushkeyTs) }, NOW_MS).kind).toBe('dead')
    expect(judge(again, { ...event, ...registered(NOW_MS / 1000 + 5) }, NOW_MS).kind).toBe('probe')
  })

  it('is not revived twice by the same pushkey_ts even when that lies within the slack of the new death', () => {
    const pushkeyTs = NOW_MS / 1000 - 10
    const again = bury(
      { ...dead, revivedBy: registered(pushkeyTs).registration, isRevived: true },
      registered(pushkeyTs).registration,
      undefined,
      false,
      NOW_MS,
    )
    expect(judge(again, { ...event, ...registered(pushkeyTs) }, NOW_MS).kind).toBe('dead')
  })

  it.each([
    ['a day after its death gets one probe', DIED_MS + DAY_MS, 'probe'],
    ['before that stays dead', DIED_MS + DAY_MS - 1, 'dead'],
  ])('without pushkey_ts, %s', (_what, nowMs, expected) => {
    expect(judge(dead, event, nowMs).kind).toBe(expected)
  })

  it('without pushkey_ts, one probe a day', () => {
    const probe = judge(dead, event, DIED_MS + DAY_MS)
    if (probe.kind !== 'probe' || probe.next === undefined) throw new Error('no probe')
    expect(judge(probe.next, event, DIED_MS + DAY_MS + 1000).kind).toBe('dead')
    expect(judge(probe.next, event, DIED_MS + 2 * DAY_MS).kind).toBe('probe')
  })

  it.each([undefined, DIED_SECONDS + 100])(
    'counts-only requests neither revive nor probe (pushkey_ts %s)',
    (pushkeyTs) => {
      expect(judge(dead, { ...event, ...registered(pushkeyTs), kind: 'counts' }, DIED_MS + 3 * DAY_MS).kind).toBe(
        'dead',
      )
    },
  )

  it('is tried all the same while its death is only suspected', () => {
    expect(judge(dead, { ...event, isSuspected: true }, NOW_MS)).toEqual({ kind: 'probe' })
    expect(judge(dead, { ...event, kind: 'counts', isSuspected: true }, NOW_MS)).toEqual({ kind: 'probe' })
  })

  it('died when the push service says, and not in the future', () => {
    expect(bury(undefined, 'registration 5', DIED_MS, false, NOW_MS).deathMs).toBe(DIED_MS)
    expect(bury(undefined, 'registration 5', undefined, false, NOW_MS).deathMs).toBe(NOW_MS)
    expect(bury(undefined, 'registration 5', NOW_MS + DAY_MS, false, NOW_MS).deathMs).toBe(NOW_MS)
  })

  it.each<Tombstone>([
    dead,
    { ...dead, revivedBy: 'registration 5', isRevived: true },
    { ...dead, probedMs: DIED_MS + DAY_MS },
    { ...dead, isOfStranger: true },
  ])('is remembered as it was: %j', (tombstone) => {
    expect(decodeTombstone(encodeTombstone(tombstone, sign), sign)).toEqual({
      revivedBy: undefined,
      probedMs: undefined,
      isOfStranger: false,
      ...tombstone,
    })
  })

  it('is remembered to the minute, rounded down', () => {
    const written = encodeTombstone({ ...dead, deathMs: DIED_MS + 59_999, probedMs: DIED_MS + 60_001 }, sign)
    expect(decodeTombstone(written, sign)).toMatchObject({ deathMs: DIED_MS, probedMs: DIED_MS + 60_000 })
  })
})
