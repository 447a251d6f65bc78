/** Which keyed hash is made of what: what can be linked, and by whom. And that no recipe changes unseen, since what is stored would not be found again. */
import { describe, expect, it } from 'vitest'
import { Identities, shortHash, type CountsPer, type Recipient } from '../../src/core/identities.ts'
import { Keyring } from '../../src/core/keyring.ts'
import type { Counts } from '../../src/core/push.ts'

const HOUR_MS = 3600_000

/** All that a hash may be made of. */
interface Inputs extends Recipient {
  readonly eventId: string
  readonly roomId: string
  readonly pushkeyTs: number
  readonly prio: 'high' | 'low'
  readonly atMs: number
  /** Hours since the epoch. */
  readonly hour: number
  /** Tens of minutes since the epoch. */
  readonly tenMinutes: number
  readonly counts: Counts
}

const SOME: Inputs = {
  route: 'com.example.*',
  appId: 'com.example.app',
  target: 'pushkey',
  data: { default_payload: { cs: 'secret' } },
  eventId: '$event',
  roomId: '!room:example.org',
  pushkeyTs: 1_700_000_000,
  prio: 'high',
  atMs: 1_790_000_000_000,
  hour: 500_000,
  tenMinutes: 2_983_333,
  counts: { unread: 3 },
}
/** Each input as another one. */
const OTHER: Inputs = {
  route: 'com.example.other',
  appId: 'com.example.app2',
  target: 'pushkey2',
  data: { default_payload: { cs: 'other' } },
  eventId: '$event2',
  roomId: '!room2:example.org',
  pushkeyTs: 1_700_000_001,
  prio: 'low',
  atMs: 1_790_000_000_001,
  hour: 500_001,
  tenMinutes: 2_983_334,
  counts: { unread: 3, missedCalls: 1 },
}

function identitiesOf(keyByte: number): Identities {
  const id = Buffer.alloc(4)
  return new Identities(new Keyring(Buffer.alloc(32, keyByte), [{ id, key: Buffer.alloc(32) }]))
}
const identities = identitiesOf(1)

type Hash = (inputs: Inputs, by?: Identities) => string | number
const device: Hash = (inputs, by = identities) => by.device(inputs)
const event: Hash = (inputs, by = identities) => by.event(inputs, inputs.eventId)
const badge =
  (countsPer: CountsPer): Hash =>
  (inputs, by = identities) =>
    by.badge(inputs, countsPer)
const wakeUp: Hash = (inputs, by = identities) => by.wakeUp(inputs, inputs.prio)

const OF_DEVICE = ['appId', 'target'] as const
const OF_REGISTRATION = ['route', 'appId', 'target', 'data'] as const

/** What names what, the inputs that it is made of, and its value for SOME under a key of 32 bytes of 1, computed once by a program of its own (Python). */
const TABLE: readonly (readonly [string, Hash, readonly (keyof Inputs)[], string | number])[] = [
  ['a device, on whatever route', device, OF_DEVICE, 'cMxPeQRCGb56VLtfGtc1EriwaI-K9LBt7rbRz2rh7Is'],
  [
    'the time of a registration',
    (inputs, by = identities) => by.registration(String(device(inputs, by)), inputs.pushkeyTs),
    [...OF_DEVICE, 'pushkeyTs'],
    '4YtDXPaY_d8wx1LDn8S1_44mYYzejqB4Xk0suHXRgBU',
  ],
  [
    'an event on a registration',
    event,
    [...OF_DEVICE, 'data', 'eventId'],
    '_c5T5QRc7uKlOtUAXYRGQ3tNKTpYOTKHFbMb_Trk5gs',
  ],
  [
    'a push, to the push service',
    (inputs, by = identities) => by.push(String(event(inputs, by))).id,
    [...OF_DEVICE, 'data', 'eventId'],
    '2c2137be-715c-8b18-b681-397cb6b8d150',
  ],
  [
    'what the same push takes the place of, to the push service',
    (inputs, by = identities) => by.push(String(event(inputs, by))).collapseId,
    [...OF_DEVICE, 'data', 'eventId'],
    'q5waHTfN7tGzrDQHD3AENT486gBahBxF',
  ],
  [
    'what a badge takes the place of, to the push service',
    (inputs, by = identities) => by.collapse(String(event(inputs, by))),
    [...OF_DEVICE, 'data', 'eventId'],
    '2MfR7Bva0q0n4xuZEwYc3aA_vZKNsdlA',
  ],
  [
    'a room on one device, to the push service',
    (inputs, by = identities) => by.roomCollapse(inputs, inputs.roomId),
    [...OF_DEVICE, 'roomId'],
    'WAp-Fqf_sQ1ZUJGlX0oVibYi60O19GKO',
  ],
  [
    'the badge of a device on a route',
    badge('pushkey'),
    ['route', ...OF_DEVICE],
    'NComwQ3I6Y1blZu73VYhrTQyXwpGis3dRU8mpBprtiY',
  ],
  [
    'the badge of a registration on a route',
    badge('pusher'),
    OF_REGISTRATION,
    '7UIfYAlhDfx_jCsk0AL8rl-pjeFe7EJHyM-kuaI8FEE',
  ],
  [
    'counts on a device, for ten minutes',
    (inputs, by = identities) =>
      by.counts(String(badge('pushkey')(inputs, by)), inputs.counts, inputs.tenMinutes * 600_000),
    ['route', ...OF_DEVICE, 'counts', 'tenMinutes'],
    'cw7LvIIaxGAJA45LIUxIfuh4xykv5PaBWgFRwCvGCr0',
  ],
  ['when the next wake-up leaves', wakeUp, [...OF_REGISTRATION, 'prio'], '9FdgaHPyc2p3i24gukMveOc1qEC734f1UfQ7wK-bQmQ'],
  [
    'wake-ups that leave together',
    (inputs, by = identities) => by.trailingWakeUp(String(wakeUp(inputs, by)), inputs.atMs, inputs.pushkeyTs),
    [...OF_REGISTRATION, 'pushkeyTs', 'prio', 'atMs'],
    'zIfEVXeEsUt6fJQ3e3dR58nb2j0sbhZtZk8slMSHPBY',
  ],
  [
    'the place of a device in the order of a tick',
    (inputs, by = identities) => by.releaseFraction(String(device(inputs, by)), inputs.atMs),
    [...OF_DEVICE, 'atMs'],
    0.3451886475086212,
  ],
  [
    'a device to the rejection guard, for an hour',
    (inputs, by = identities) => by.counted(String(device(inputs, by)), inputs.hour * HOUR_MS),
    [...OF_DEVICE, 'hour'],
    'Qx9biK7l97wWj96THiPrwhRJCz0gQkNY_7htMehURj8',
  ],
]

describe.each(TABLE)('what names %s', (_what, hash, madeOf, value) => {
  it(`is made of ${madeOf.join(', ')}: equal where these are, and not elsewhere`, () => {
    const inputs = Object.keys(SOME).filter((key) => key in OTHER)
    const changing = inputs.filter((key) => hash({ ...SOME, [key]: Reflect.get(OTHER, key) }) !== hash(SOME))
    expect(changing.toSorted()).toEqual(madeOf.toSorted())
  })

  it('is what it was in every version: what is stored is found again', () => {
    expect(hash(SOME)).toBe(value)
  })

  it('is another under another key', () => {
    expect(hash(SOME, identitiesOf(2))).not.toBe(hash(SOME))
  })
})

it('no two of them are alike, so none can be looked up as another', () => {
  expect(new Set(TABLE.map(([, hash]) => String(hash(SOME)))).size).toBe(TABLE.length)
})

it('where one part ends and the next begins counts', () => {
  const [one, two] = [
    { appId: 'app', target: 'key' },
    { appId: 'ap', target: 'pkey' },
  ]
  expect(identities.device(one)).not.toBe(identities.device(two))
})

describe('what a push service is told', () => {
  it('is a UUID of version 8 for a push', () => {
    expect(identities.push('some event').id).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    )
  })

  it('is 32 characters that every push service takes for what a push replaces, also of a room', () => {
    const ids = [
      identities.collapse('some'),
      identities.roomCollapse(SOME, '!room'),
      identities.push('event').collapseId,
    ]
    for (const id of ids) expect(id).toMatch(/^[A-Za-z0-9_-]{32}$/)
  })
})

it('what forget removes of a device is what can be looked up without knowing its events', () => {
  expect(identities.ofDevice(SOME, 'pusher')).toEqual({
    device: device(SOME),
    badge: badge('pusher')(SOME),
    wakeUps: [wakeUp({ ...SOME, prio: 'high' }), wakeUp({ ...SOME, prio: 'low' })],
  })
})

it('the guard counts a device as one for an hour, which is longer than its window', () => {
  const hash = String(device(SOME))
  expect(identities.counted(hash, 500_000 * HOUR_MS)).toBe(identities.counted(hash, 500_001 * HOUR_MS - 1))
})

it('the place in a tick is at least 0 and less than 1', () => {
  const fractions = Array.from({ length: 200 }, (_, tick) => identities.releaseFraction('device', tick * 1000))
  expect(fractions.every((fraction) => fraction >= 0 && fraction < 1)).toBe(true)
  expect(Math.min(...fractions)).toBeLessThan(0.1)
  expect(Math.max(...fractions)).toBeGreaterThan(0.9)
})

it('the log shows eight hexadecimal digits of a device', () => {
  expect(shortHash(identities.device(SOME))).toMatch(/^[0-9a-f]{8}$/)
})
