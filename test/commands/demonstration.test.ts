/** What the demonstration says of a push beside what was sent. */
import { describe, expect, it } from 'vitest'
import { compare, type Seen } from '../../src/commands/demonstration/comparison.ts'
import { describeSeen } from '../../src/commands/demonstration/print.ts'
import { SentNotifications } from '../../src/commands/demonstration/sent.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { textSink } from '../helpers/text-sink.ts'

const DEVICE = { app_id: 'com.example.ios', pushkey: 'key' }
const messageOf = (eventId: string): JsonObject => ({
  event_id: eventId,
  sender: '@alice:example.org',
  content: { body: 'See you at eight' },
  counts: { unread: 2 },
  prio: 'high',
  devices: [DEVICE],
})
const MESSAGE = messageOf('$event')
const MINIMAL: Seen = { who: 'Apple', status: 200, headers: { 'apns-priority': '10' }, body: { aps: { badge: 2 } } }

describe('what was sent, beside what was seen', () => {
  it('is found by its values, wherever they stand', () => {
    const body = { aps: { alert: { 'loc-args': ['@alice:example.org says', 'x'] } }, data: { unread: '2' } }
    const seenAs = Object.fromEntries(compare(MESSAGE, { headers: {}, body }).map((each) => [each.field, each.seenAs]))
    expect(seenAs).toEqual({
      event_id: undefined,
      sender: 'aps.alert.loc-args.0',
      'content.body': undefined,
      'counts.unread': 'data.unread',
    })
  })

  it('also in headers', () => {
    const [eventId] = compare(MESSAGE, { headers: { 'apns-collapse-id': '$event' }, body: {} })
    expect(eventId).toEqual({ field: 'event_id', sent: '$event', seenAs: 'apns-collapse-id' })
  })

  it('belongs to the push of which most was seen, else to the latest', () => {
    const sent = new SentNotifications({ Apple: DEVICE })
    const [first, second, third] = ['$first', '$second', '$third'].map((id) => sent.add(messageOf(id)))
    expect(sent.match({ ...MINIMAL, body: { event_id: '$second' } })?.id).toBe(second)
    expect(sent.match(MINIMAL)?.id).toBe(third)
    expect(sent.match(MINIMAL)?.id).toBe(first)
    expect(sent.match(MINIMAL)).toBeUndefined()
    sent.add({ ...MESSAGE, devices: [{ ...DEVICE, pushkey: 'of somebody else' }] })
    expect(sent.match(MINIMAL)).toBeUndefined()
  })
})

describe('on a terminal', () => {
  const compared = compare(MESSAGE, MINIMAL)

  it('says in two columns what went out and what did not, plain where there is no colour', () => {
    const text = describeSeen(MINIMAL, compared, textSink())
    expect(text).toMatch(/^Apple received\n {4}apns-priority: 10\n {4}\{"aps":\{"badge":2\}\}\n/m)
    expect(text).toMatch(/^ {4}The homeserver sent +Apple saw$/m)
    expect(text).toMatch(/^ {4}sender +@alice:example\.org +–$/m)
    expect(text).toMatch(/^ {4}counts\.unread +2 +aps\.badge$/m)
    expect(text).not.toContain('\u001b')
  })

  it('is in colour on a terminal that has it', () => {
    const terminal = Object.assign(textSink(), { isTTY: true, getColorDepth: () => 8 })
    expect(describeSeen(MINIMAL, compared, terminal)).toContain('\u001b[32m–')
  })

  it('of a refused push says no more than the answer', () => {
    expect(describeSeen({ ...MINIMAL, status: 503 }, compared, textSink())).toBe('\nApple answered 503\n')
  })
})
