/** What Apple gets of a message that is relayed, and what goes with the relay. */
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Urgency } from '../../../src/core/relay.ts'
import { checkHeaders, checkPayload } from '../../../src/simulators/apns-request.ts'
import type { ApnsOptions } from '../../../src/providers/apns/options.ts'
import { MAX_TEXT_BYTES, relay, relayMistake } from '../../../src/providers/apns/relay.ts'

const ORIGIN = 'https://push.example.com'
const OPTIONS: ApnsOptions = { topic: 'com.example.app', webpush_relay: ORIGIN }
const message = { record: 'cmVjb3Jk', kid: 'AAAAAAAAAAAAAAAAAAAAAg', urgency: 'high' as Urgency }
const identity = { id: '11111111-2222-4333-8444-555555555555', collapseId: 'collapse', expiresAtMs: 1_800_000_000_999 }

function rendered(options: ApnsOptions, more: Partial<typeof message> = {}, other: object = {}) {
  const made = relay({ ...OPTIONS, ...options })?.render({ ...message, ...more }, { ...identity, ...other })
  if (made === undefined) throw new TypeError('it is not relayed')
  return { ...made, payload: JSON.parse(made.body) }
}

describe('a relayed message', () => {
  it('is an alert that the extension replaces, with the record and the name of its keys beside it', () => {
    const { headers, payload } = rendered({ loc_key: 'NEWS' })
    expect(payload).toEqual({
      aps: { alert: { 'loc-key': 'NEWS' }, 'mutable-content': 1, sound: 'default' },
      hushgate_kid: message.kid,
      hushgate_webpush: 'cmVjb3Jk',
    })
    expect(headers).toEqual({
      'apns-topic': 'com.example.app',
      'apns-push-type': 'alert',
      'apns-priority': '10',
      'apns-expiration': '1800000000',
      'apns-id': identity.id,
      'apns-collapse-id': 'collapse',
    })
  })

  it.each(['very-low', 'low', 'normal'] as const)(
    'of urgency %s makes no sound, and may wait for the battery',
    (urgency) => {
      const { headers, payload } = rendered({}, { urgency })
      expect(headers['apns-priority']).toBe('5')
      expect(payload.aps).not.toHaveProperty('sound')
    },
  )

  it('that must not be kept is tried once, and one without a topic takes no place of another', () => {
    const { headers } = rendered({}, {}, { expiresAtMs: undefined, collapseId: undefined })
    expect(headers['apns-expiration']).toBe('0')
    expect(headers).not.toHaveProperty('apns-collapse-id')
  })

  it('has no name of keys where the app gave none', () => {
    const made = relay(OPTIONS)?.render({ ...message, kid: undefined }, identity)
    expect(JSON.parse(made?.body ?? '')).not.toHaveProperty('hushgate_kid')
  })

  it('of the largest size is taken by Apple with the longest text, and of a kilobyte more is not', () => {
    const longest = { loc_key: 'x'.repeat(MAX_TEXT_BYTES - '""'.length) }
    const { maxBytes = 0 } = relay(OPTIONS) ?? {}
    const judged = (bytes: number) => {
      const { headers, body } = rendered(longest, { record: randomBytes(bytes).toString('base64url') })
      return [checkHeaders(headers), checkPayload(headers, Buffer.from(body))]
    }
    expect(judged(maxBytes)).toEqual([undefined, { payload: expect.anything() }])
    expect(judged(maxBytes + 1024)).toEqual([undefined, 'PayloadTooLarge'])
  })
})

describe('the relay', () => {
  it('is off unless the app has it', () => {
    expect(relay({ topic: 'com.example.app' })).toBeUndefined()
    expect(relayMistake({ push_type: 'voip' })).toBeUndefined()
  })

  it('has the origin of its address', () => {
    expect(relay({ webpush_relay: 'https://Push.example.com:443/' })?.origin).toBe(ORIGIN)
  })

  it.each([
    [{}, 'nothing is wrong'],
    [{ push_type: 'none' }, 'nothing is wrong'],
    [{ push_type: 'background' }, 'which only an alert runs'],
    [{ push_type: 'voip' }, 'which only an alert runs'],
    [{ webpush_relay: 'https://[' }, 'is not an https address'],
    [{ loc_key: 'ü'.repeat(120) }, 'leaves no room for a loc_key of more than 200 bytes'],
  ] as const)('with %j: %s', (more, expected) => {
    const mistake = relayMistake({ ...OPTIONS, ...more })
    expect(mistake ?? 'nothing is wrong').toContain(expected)
  })
})
