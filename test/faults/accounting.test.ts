/** The account of `npm run test:faults` (scripts/faults): what is lost must not pass. */
import { describe, expect, it } from 'vitest'
import { account, countVerdicts, isRight, type Account, type Arrival } from '../../scripts/faults/accounting.ts'
import type { Fate, Notice } from '../../scripts/faults/notices.ts'

const POSTED_MS = 1000
const EVENT: Notice['event'] = { event_id: '$one', room_id: '!room', type: 'm.room.message', prio: 'high' }

interface Seen {
  readonly arrivals?: readonly Partial<Arrival>[]
  readonly isAcknowledged?: boolean
  readonly deadLetters?: number
}

function accountOf(fate: Fate, seen: Seen): Account {
  const { arrivals = [], isAcknowledged = true, deadLetters = 0 } = seen
  const notice: Notice = { service: 'apns', token: 'device', fate, event: EVENT }
  const posted = { firstAtMs: POSTED_MS, acknowledgedAtMs: isAcknowledged ? POSTED_MS + 10 : undefined }
  const [only] = account([notice], {
    arrivals: arrivals.map((arrival) => ({
      token: 'device',
      id: 'id',
      collapseId: 'collapse',
      status: 200,
      atMs: 2000,
      ...arrival,
    })),
    posted: new Map([[notice, posted]]),
    deadLetters,
  })
  if (only === undefined) throw new Error('there is one')
  return only
}

const RIGHT: readonly (readonly [string, Fate, Seen])[] = [
  ['delivered once', 'delivered', { arrivals: [{}] }],
  ['delivered once', 'delivered', { arrivals: [{ id: undefined, status: 201 }] }],
  ['delivered once', 'delivered', { arrivals: [{ status: 503 }, { status: undefined }, {}] }],
  ['delivered again', 'delivered', { arrivals: [{}, {}] }],
  ['merged', 'merged', { arrivals: [{ atMs: POSTED_MS, id: 'of another' }, { id: 'and another' }] }],
  ['rejected', 'rejected', { arrivals: [{ status: 410 }] }],
  ['dead-lettered', 'dead-lettered', { arrivals: [{ status: 400 }], deadLetters: 1 }],
  ['expired', 'expired', { arrivals: [{ status: 429 }] }],
]

const WRONG: readonly (readonly [string, string, Fate, Seen])[] = [
  ['acknowledged and never seen again', 'unknown', 'delivered', {}],
  ['tried, and then forgotten', 'unknown', 'delivered', { arrivals: [{ status: 503 }] }],
  ['sent, and forgotten when no answer came', 'unknown', 'delivered', { arrivals: [{ status: undefined }] }],
  ['named anew when it is repeated', 'delivered under another id', 'delivered', { arrivals: [{}, { id: 'new' }] }],
  ['collapsed by another name', 'delivered under another id', 'delivered', { arrivals: [{}, { collapseId: 'new' }] }],
  ['merged with one that came before it', 'unknown', 'merged', { arrivals: [{ atMs: POSTED_MS - 1 }] }],
  ['merged with one that was refused', 'unknown', 'merged', { arrivals: [{ status: 503 }] }],
  ['given up, and in no dead letter', 'unknown', 'dead-lettered', { arrivals: [{ status: 400 }] }],
  ['a call that nobody tried to deliver', 'unknown', 'expired', {}],
  ['a call that was tried and not told to wait', 'unknown', 'expired', { arrivals: [{ status: 503 }] }],
  ['never answered 200', 'never acknowledged', 'delivered', { arrivals: [{}], isAcknowledged: false }],
  // Known, and not what the push service would have had.
  ['rejected though its device is well', 'rejected', 'delivered', { arrivals: [{ status: 410 }] }],
  [
    'a dead letter though its device is well',
    'dead-lettered',
    'delivered',
    { arrivals: [{ status: 400 }], deadLetters: 1 },
  ],
  ['delivered to a dead device', 'delivered once', 'rejected', { arrivals: [{}] }],
]

describe('the account of a notification', () => {
  it.each(RIGHT)('says %s, which is right, of one that is to be %s and was: %j', (verdict, fate, seen) => {
    const only = accountOf(fate, seen)
    expect(only.verdict).toBe(verdict)
    expect(isRight(only)).toBe(true)
  })

  it.each(WRONG)('fails for one that was %s: %s', (_, verdict, fate, seen) => {
    const only = accountOf(fate, seen)
    expect(only.verdict).toBe(verdict)
    expect(isRight(only)).toBe(false)
  })

  it('calls no more notifications dead letters than there are', () => {
    const notices = ['one', 'two', 'three'].map((token): Notice => ({
      service: 'apns',
      token,
      fate: 'dead-lettered',
      event: EVENT,
    }))
    const accounts = account(notices, {
      arrivals: notices.map(({ token }) => ({ token, id: token, collapseId: token, status: 400, atMs: 2000 })),
      posted: new Map(notices.map((notice) => [notice, { firstAtMs: POSTED_MS, acknowledgedAtMs: POSTED_MS }])),
      deadLetters: 2,
    })
    expect(countVerdicts(accounts).get('dead-lettered')).toBe(2)
    expect(countVerdicts(accounts).get('unknown')).toBe(1)
  })
})
