/** What the page says in a few lines is never less than what the ledger says of each field. */
import { describe, expect, it } from 'vitest'
import type { Disclosure, Field } from '../../src/core/disclosure.ts'
import { inShort, levelOf } from '../../src/privacy/in-short.ts'
import { privacyPage } from '../../src/privacy/page.ts'
import { KEPT, keptInShort } from '../../src/privacy/retention.ts'
import { statedApp } from '../../src/privacy/statement.ts'
import { POLICIES } from '../ledger/cases.ts'
import type { Service } from '../ledger/services.ts'
import { statedRoute, THREE_APPS } from './stated.ts'

/** Which fields a line speaks of. */
const FIELDS_OF: Readonly<Record<string, readonly Field[]>> = {
  'when it came': ['time'],
  'for which device': ['pushkey'],
  'if it makes a sound': ['prio'],
  'the unread count': ['unread', 'missed_calls'],
  'who wrote': ['sender', 'sender_display_name'],
  'what was written': ['content'],
  'which room': ['room_id', 'room_name', 'room_alias'],
  'which message': ['event_id'],
  'its type, such as an invitation': ['type', 'membership'],
}
const TOLD_ONLY_BY_MODE: readonly Field[] = ['sender', 'sender_display_name', 'content', 'room_name', 'room_alias']

const cases = (['apns', 'fcm', 'hedwig', 'hms', 'webpush'] as const satisfies readonly Service[]).flatMap((service) =>
  POLICIES.flatMap((policy) =>
    ([false, true] as const).flatMap((isPlain) =>
      [{}, { releaseEveryMs: 60_000 }].map((timing) => ({ service, ...policy, isPlain, timing })),
    ),
  ),
)

describe.each(cases)('of $service with $privacy, $counts, plain: $isPlain, timing: $timing', (each) => {
  const { policy } = statedRoute(each.service)
  const { privacy, counts, timing } = each
  const app = statedApp(statedRoute(each.service, { policy: { ...policy, privacy, counts }, timing }, each.isPlain))
  const learned = (field: Field): readonly Disclosure[] => app.learns[field].push_service

  it('of what is said to be hidden nothing is learned, be it a code', () => {
    const { hidden } = inShort(app)
    for (const line of hidden) {
      const fields = FIELDS_OF[line] ?? []
      expect(fields).not.toEqual([])
      expect(fields.flatMap(learned)).toEqual([])
    }
  })

  it('each line is said once, as learned or as hidden', () => {
    const { learns, hidden } = inShort(app)
    expect(learns.length + hidden.length).toBe(Object.keys(FIELDS_OF).length)
    expect(new Set([...learns, ...hidden]).size).toBe(learns.length + hidden.length)
  })

  it('the verdict is the worst that is true', () => {
    const isLearned = (field: Field) => learned(field).includes('as_sent')
    const expected = TOLD_ONLY_BY_MODE.some(isLearned)
      ? 'all'
      : isLearned('event_id') || isLearned('room_id')
        ? 'ids'
        : 'least'
    expect(levelOf(app)).toBe(expected)
  })
})

describe('how long something is kept, in a few lines', () => {
  const HOURS: Readonly<Record<string, number>> = { minute: 1 / 60, hour: 1, day: 24, year: 365 * 24 }
  const hoursIn = (text: string): readonly number[] =>
    [...text.matchAll(/\b(\d+|an?) (minute|hour|day|year)s?/g)].map(
      ([, count = '', unit = '']) => (count.startsWith('a') ? 1 : Number(count)) * (HOURS[unit] ?? Number.NaN),
    )
  const lifetimeOf = (start: string) => KEPT.find(({ what }) => what.startsWith(start))?.lifetime

  it('is as long as the list of what is kept says of pushes and of codes for messages', () => {
    const [waiting, undelivered, codes] = keptInShort(false)
    expect(lifetimeOf('a push that is on its way')).toContain(waiting?.lifetime)
    expect(lifetimeOf('a push that could not be delivered')).toContain(undelivered?.lifetime)
    expect(codes?.lifetime).toBe(lifetimeOf('that an event was sent to a device'))
  })

  it.each([false, true])('is at least as long as any code is kept; with an app that has a relay: %s', (hasRelay) => {
    const longest = Math.max(...hoursIn(keptInShort(hasRelay).at(-1)?.lifetime ?? ''))
    const ofCodes = KEPT.filter(
      ({ what, readable }) => readable.includes('keyed hash') && (hasRelay || !what.includes('webpush_relay')),
    )
    expect(ofCodes.length).toBeGreaterThan(4)
    for (const { lifetime } of ofCodes) {
      expect(hoursIn(lifetime)).not.toEqual([])
      expect(Math.max(...hoursIn(lifetime))).toBeLessThanOrEqual(longest)
    }
  })

  it('is told with the year of a revoked address where an app has a relay, and only there', () => {
    const route = statedRoute('apns')
    const relayed = privacyPage({ ...THREE_APPS, routes: [{ ...route, relay: {} }] })
    expect(relayed).toContain('with a revoked address</dt><dd>a year</dd>')
    expect(privacyPage({ ...THREE_APPS, routes: [route] })).not.toContain('with a revoked address')
  })
})
