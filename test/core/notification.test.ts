import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseNotification, type Notification } from '../../src/core/notification.ts'

function parse(json: unknown): ReturnType<typeof parseNotification> {
  return parseNotification(Buffer.from(typeof json === 'string' ? json : JSON.stringify(json)))
}

function accepted(notification: object): Notification {
  const parsed = parse({ notification: { devices: [{ app_id: 'a', pushkey: 'p' }], ...notification } })
  if ('errcode' in parsed) throw new Error(parsed.error)
  return parsed
}

describe('a request that means nothing is refused', () => {
  it.each([
    ['an empty body', '', 'M_NOT_JSON'],
    ['text', 'hello', 'M_NOT_JSON'],
    ['NaN, which Python writes and JSON does not know', '{"notification":NaN}', 'M_NOT_JSON'],
    ['an array', '[]', 'M_BAD_JSON'],
    ['null', 'null', 'M_BAD_JSON'],
    ['a string', '"x"', 'M_BAD_JSON'],
    ['no notification', '{}', 'M_BAD_JSON'],
    ['a notification that is a list', '{"notification":[]}', 'M_BAD_JSON'],
    ['no devices', '{"notification":{}}', 'M_BAD_JSON'],
    ['devices that are no list', '{"notification":{"devices":{}}}', 'M_BAD_JSON'],
    ['no device in the list', '{"notification":{"devices":[]}}', 'M_BAD_JSON'],
    ['a device that is a string', '{"notification":{"devices":["x"]}}', 'M_BAD_JSON'],
    ['a device without app_id', '{"notification":{"devices":[{"pushkey":"p"}]}}', 'M_BAD_JSON'],
    ['a device whose pushkey is a number', '{"notification":{"devices":[{"app_id":"a","pushkey":1}]}}', 'M_BAD_JSON'],
    ['a good and a bad device', '{"notification":{"devices":[{"app_id":"a","pushkey":"p"},{}]}}', 'M_BAD_JSON'],
    [
      'more devices than one request may be for',
      { notification: { devices: Array.from({ length: 101 }, () => ({ app_id: 'a', pushkey: 'p' })) } },
      'M_TOO_LARGE',
    ],
  ])('%s → an errcode', (_what, body, errcode) => {
    expect(parse(body)).toMatchObject({ errcode })
  })

  it('bytes that are not UTF-8 are not JSON', () => {
    expect(parseNotification(Buffer.from('{"notification":"\xe9"}', 'latin1'))).toMatchObject({ errcode: 'M_NOT_JSON' })
  })
})

describe('any other wrong type counts as absent', () => {
  const strings = [
    'event_id',
    'room_id',
    'type',
    'sender',
    'sender_display_name',
    'room_name',
    'room_alias',
    'membership',
  ]
  const wrong = [null, 1, true, {}, [], '']
  it.each(strings.flatMap((field) => wrong.map((value) => [field, value] as const)))('%s: %j', (field, value) => {
    expect(accepted({ [field]: value, counts: {} })).toEqual(accepted({ counts: {} }))
  })

  it.each(
    ['content', 'counts', 'prio', 'user_is_target', 'tweaks', 'id'].flatMap((field) =>
      [null, 5, 'text', [1]].map((value) => [field, value] as const),
    ),
  )('%s: %j', (field, value) => {
    expect(accepted({ event_id: '$e', [field]: value })).toEqual(accepted({ event_id: '$e' }))
  })

  it.each([null, 'x', 5, []])('data: %j', (data) => {
    const parsed = accepted({ devices: [{ app_id: 'a', pushkey: 'p', data }] })
    expect(parsed.devices[0]?.data).toEqual({})
  })

  it.each([null, 'x', {}, -1, 0])('pushkey_ts: %j', (timestamp) => {
    const parsed = accepted({ devices: [{ app_id: 'a', pushkey: 'p', pushkey_ts: timestamp }] })
    expect(parsed.devices[0]?.pushkeyTs).toBeUndefined()
  })

  it('takes any JSON at all without an exception', () => {
    fc.assert(
      fc.property(
        fc.dictionary(
          fc.constantFrom(...strings, 'content', 'counts', 'prio', '__proto__', 'constructor'),
          fc.jsonValue(),
        ),
        fc.jsonValue(),
        (fields, data) => {
          const parsed = parse({
            notification: { ...fields, devices: [{ app_id: 'a', pushkey: 'p', data, pushkey_ts: data, tweaks: data }] },
          })
          expect(parsed).not.toHaveProperty('errcode')
        },
      ),
    )
  })
})

describe('what a notification is', () => {
  it.each([
    ['an event ID', { event_id: '$e' }, 'event'],
    ['a type', { type: 'm.room.message' }, 'event'],
    ['content', { content: {} }, 'event'],
    ['the three fields of MSC3013', { ephemeral: 'e', ciphertext: 'c', mac: 'm' }, 'event'],
    ['counts alone', { counts: { unread: 0 } }, 'counts'],
    [
      "Synapse's counts-only request, with empty strings and a null type",
      { id: '', type: null, sender: '', counts: { unread: 2 } },
      'counts',
    ],
    ['empty counts', { counts: {} }, 'counts'],
    ['only devices', {}, 'nothing'],
    ['counts that are no object', { counts: 3 }, 'nothing'],
    ['two of the three fields of MSC3013', { ephemeral: 'e', mac: 'm' }, 'nothing'],
  ])('%s', (_what, fields, kind) => {
    expect(accepted(fields).kind).toBe(kind)
  })

  it('whatever stands in clear beside an encrypted push is ignored', () => {
    const parsed = accepted({
      ephemeral: 'e',
      ciphertext: 'c',
      mac: 'm',
      event_id: '$e',
      room_id: '!r',
      sender: '@a:b',
      content: { body: 'x' },
    })
    expect(parsed).toMatchObject({ kind: 'event', encrypted: { ephemeral: 'e', ciphertext: 'c', mac: 'm' } })
    expect(JSON.stringify(parsed)).not.toMatch(/\$e|!r|@a:b/)
  })
})

describe('values', () => {
  it('prio is high unless it says low', () => {
    expect([
      accepted({ prio: 'low' }).prio,
      accepted({ prio: 'high' }).prio,
      accepted({}).prio,
      accepted({ prio: 'urgent' }).prio,
    ]).toEqual(['low', 'high', 'high', 'high'])
  })

  it.each([
    [{ unread: 0 }, { unread: 0 }],
    [
      { unread: 2, missed_calls: 1 },
      { unread: 2, missedCalls: 1 },
    ],
    [{ unread: 2.9 }, { unread: 2 }],
    [{ unread: -1, missed_calls: 0 }, { missedCalls: 0 }],
    [{ unread: 1e300 }, { unread: 2 ** 63 }],
    [{ unread: '2' }, undefined],
    [{}, undefined],
  ])('counts %j are read as %j', (counts, expected) => {
    expect(accepted({ counts }).counts).toEqual(expected)
  })

  it('pushkey_ts is in seconds, and milliseconds are recognised', () => {
    const timestampOf = (pushkey_ts: number) =>
      accepted({ devices: [{ app_id: 'a', pushkey: 'p', pushkey_ts }] }).devices[0]?.pushkeyTs
    expect([timestampOf(1795444128), timestampOf(1795444128123), timestampOf(1795444128.9)]).toEqual([
      1795444128, 1795444128, 1795444128,
    ])
  })

  it('lone surrogates become U+FFFD, and the pushkey stays as it is', () => {
    const parsed = parse('{"notification":{"room_name":"x\\ud800y","devices":[{"app_id":"a","pushkey":"p\\udc00"}]}}')
    expect(parsed).toMatchObject({ roomName: 'x\ufffdy' })
    if ('errcode' in parsed) throw new Error(parsed.error)
    expect(parsed.devices[0]?.pushkey.reveal()).toBe('p\udc00')
  })

  it('content nested beyond all reason counts as absent', () => {
    const deep = `${'{"a":'.repeat(10_000)}1${'}'.repeat(10_000)}`
    expect(
      parse(
        `{"notification":{"event_id":"$e","content":${deep},"devices":[{"app_id":"a","pushkey":"p","data":${deep}}]}}`,
      ),
    ).toMatchObject({
      content: undefined,
      devices: [{ data: {} }],
    })
  })

  it('what in content and data is nested beyond all reason is left out, and the rest stays', () => {
    const deep = `${'['.repeat(10_000)}${']'.repeat(10_000)}`
    const data = `{"endpoint":"https://push.example.org/1","default_payload":{"deep":${deep}},"hushgate_key":{"deep":${deep}}}`
    expect(
      parse(
        `{"notification":{"content":{"body":"hi","deep":${deep}},"devices":[{"app_id":"a","pushkey":"p","data":${data}}]}}`,
      ),
    ).toMatchObject({
      content: { body: 'hi' },
      devices: [{ data: { endpoint: 'https://push.example.org/1', hushgate_key: null } }],
    })
  })

  it('a key named __proto__ changes nothing', () => {
    parse(
      '{"notification":{"__proto__":{"polluted":1},"devices":[{"app_id":"a","pushkey":"p","data":{"__proto__":{"polluted":1}}}]}}',
    )
    expect(Reflect.get({}, 'polluted')).toBeUndefined()
  })

  it('pushkeys cannot be printed', () => {
    expect(JSON.stringify(accepted({ devices: [{ app_id: 'a', pushkey: 'secret-pushkey' }] }))).not.toContain(
      'secret-pushkey',
    )
  })
})

describe('what no push service could take', () => {
  it('is cut off once, so that a hundred devices do not cost a hundred times as much', () => {
    const content = {
      body: 'x'.repeat(400_000),
      ...Object.fromEntries(Array.from({ length: 2000 }, (_, index) => [`k${index}`, 'v'])),
    }
    const parsed = accepted({
      room_name: 'r'.repeat(100_000),
      content,
      devices: [
        {
          app_id: 'a',
          pushkey: 'p',
          data: { default_payload: { text: 'y'.repeat(100_000) }, other: 'z'.repeat(9000) },
        },
      ],
    })
    expect(parsed.content?.['body']).toHaveLength(8192)
    expect(Object.keys(parsed.content ?? {})).toHaveLength(512)
    expect(parsed.roomName).toHaveLength(8192)
    expect(parsed.devices[0]?.data).toEqual({ default_payload: { text: 'y'.repeat(8192) }, other: 'z'.repeat(9000) })
  })

  const contentOf = (content: object) => accepted({ content }).content ?? {}
  const large = (more: object) => ({ body: 'hello', msgtype: 'm.text', ...more })
  it.each([
    [
      'many texts',
      large(Object.fromEntries(Array.from({ length: 440 }, (_, index) => [`k${index}`, 'x'.repeat(1030)]))),
    ],
    ['nested texts', large({ info: { list: Array.from({ length: 100 }, () => ['x'.repeat(1030)]) } })],
    ['long keys', large({ ['k'.repeat(70_000)]: 1 })],
  ])('is no larger than an event, however it is made: %s', (_, content) => {
    const kept = contentOf(content)
    expect(Buffer.byteLength(JSON.stringify(kept))).toBeLessThanOrEqual(65_536)
    expect(kept).toMatchObject({ body: 'hello', msgtype: 'm.text' })
  })

  it('is passed on as it is, where it is as large as an event may be', () => {
    const content = { nested: { text: ['x'.repeat(60_000)] }, body: 'ü'.repeat(2000) }
    expect(contentOf(content)).toEqual(content)
  })

  it('is an event, also where nothing of its content can be one', () => {
    expect(accepted({ content: { nested: ['x'.repeat(70_000)] } })).toMatchObject({ kind: 'event', content: {} })
  })

  it('leaves no half a character behind', () => {
    expect(accepted({ room_name: `${'r'.repeat(8191)}😀` }).roomName?.isWellFormed()).toBe(true)
  })
})
