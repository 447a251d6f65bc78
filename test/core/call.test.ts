import { describe, expect, it } from 'vitest'
import { callLifetimeMs, isCall } from '../../src/core/call.ts'

const NOW_MS = 1_790_000_000_000
const RTC = 'org.matrix.msc4075.rtc.notification'

describe('an event rings', () => {
  it.each([
    [true, { type: 'm.call.invite' }],
    [true, { type: 'm.rtc.notification', content: { notification_type: 'ring' } }],
    [true, { type: RTC }],
    [true, { type: 'org.matrix.msc4075.call.notify', content: { notify_type: 'ring' } }],
    [false, { type: RTC, content: { notification_type: 'notification' } }],
    [false, { type: 'm.call.notify', content: { notify_type: 'notify' } }],
    [false, { type: 'm.room.message', content: { notification_type: 'ring' } }],
    [false, {}],
  ])('%s: %j', (rings, notification) => {
    expect(isCall(notification)).toBe(rings)
  })
})

describe('a call is over', () => {
  it.each([
    // [ms from now, type, content]
    [60_000, 'm.call.invite', { lifetime: 60_000 }],
    [20_000, RTC, { sender_ts: NOW_MS - 10_000, lifetime: 30_000 }],
    [0, RTC, { sender_ts: NOW_MS - 30_000, lifetime: 30_000 }],
    [-70_000, RTC, { sender_ts: NOW_MS - 100_000, lifetime: 30_000 }],
    // No clock makes a call longer, and none is longer than MSC4075 has them.
    [30_000, RTC, { sender_ts: NOW_MS + 3_600_000, lifetime: 30_000 }],
    [120_000, RTC, { sender_ts: NOW_MS, lifetime: 1e12 }],
    [30_000, RTC, { lifetime: 30_000.7 }],
    [20_000, 'm.rtc.notification', { notification_type: 'notification', sender_ts: NOW_MS - 10_000, lifetime: 30_000 }],
    [undefined, RTC, { sender_ts: NOW_MS }],
    [undefined, 'm.call.invite', { lifetime: '60000' }],
    [undefined, 'm.call.invite', { lifetime: -1 }],
    [undefined, 'm.room.message', { lifetime: 1, sender_ts: 1 }],
  ])('after %s ms: %s %j', (lifetimeMs, type, content) => {
    expect(callLifetimeMs({ type, content }, NOW_MS)).toBe(lifetimeMs)
  })
})
