/** Whatever strangers send: never a 5xx, never the end of the process, and what is accepted is accounted for. From outside, against a gateway as a process. */
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { startGatewayProcess, type GatewayProcess } from '../helpers/gateway-process.ts'
import { metricValue } from '../helpers/gateway.ts'
import { madeUpBody, PROTOTYPE_NAMES, TEXT_FIELDS } from './made-up.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'
import { openConnection } from '../helpers/raw-http.ts'
import { until } from '../helpers/received.ts'

const NOTIFY = '/_matrix/push/v1/notify'
const BODY_LIMIT_BYTES = 512 * 1024
const FUZZ_RUNS = 200
const REQUESTS_PER_RUN = 12

const ACCEPTED = { rejected: expect.any(Array) }
const REFUSED = { errcode: expect.stringMatching(/^M_[A-Z_]+$/), error: expect.any(String) }

let services: PushServices
let gateway: GatewayProcess
/** Devices of requests that were answered 200. */
let acceptedDevices = 0

beforeAll(async () => {
  services = await startPushServices()
  const { apps } = parse(services.appsYaml)
  const [ios, android] = [apps['com.example.ios'], apps['com.example.android']]
  gateway = await startGatewayProcess({
    'com.example.ios': { ...ios, privacy: 'full' },
    'com.example.android': { ...android, privacy: 'full' },
    'com.example.ids.*': { ...android, privacy: 'event_id_only', badge_pushes: 'send' },
    'com.example.hush.*': { ...ios, default_payload_allow: PROTOTYPE_NAMES },
  })
})
afterAll(async () => {
  await gateway.close()
  await services[Symbol.asyncDispose]()
})

/** Expects 200, 400 or 413 in the form that the specification gives them, and nothing else; resolves with the status. */
async function post(body: string | Uint8Array<ArrayBuffer>): Promise<number> {
  const response = await fetch(gateway.url + NOTIFY, { method: 'POST', body })
  const answer: unknown = await response.json()
  expect(response.headers.get('content-type')).toMatch(/^application\/json\b/)
  const { status } = response
  expect(status).toBeOneOf([200, 400, 413])
  expect(answer).toEqual(status === 200 ? ACCEPTED : REFUSED)
  if (status === 200) acceptedDevices += JSON.parse(Buffer.from(body).toString()).notification.devices.length
  return status
}

let devices = 0
/** A new device, of each app in turn. */
function device(more: object = {}): object {
  devices += 1
  const { fcm, apns } = newPushkey()
  return devices % 2 === 0
    ? { app_id: 'com.example.ios', pushkey: apns, ...more }
    : { app_id: 'com.example.android', pushkey: fcm, ...more }
}

/** As text, so that what JavaScript cannot hold can be put in; `more` goes into the device, `about` beside it. */
function bodyText({ event = '"event_id":"$x"', more = '', about = '' }): string {
  return `{"notification":{${event},"devices":[${JSON.stringify(device()).slice(0, -1)}${more}}]${about}}}`
}

describe('a body that means nothing is refused:', () => {
  const good = bodyText({})
  const MEANINGLESS: readonly (readonly [string, string | Uint8Array<ArrayBuffer>])[] = [
    ['nothing', ''],
    ['half of one', good.slice(0, -5)],
    ['one and a half', good + good.slice(0, 9)],
    ['no UTF-8', Buffer.concat([Buffer.from(good.slice(0, 20)), Buffer.of(0xff, 0xfe, 0xc0)])],
    ['UTF-16', Buffer.from(good, 'utf16le')],
    ['gzip', Buffer.from(gzipSync(good))],
    ['a form', 'notification=%7B%7D'],
    ['NaN', '{"notification": NaN}'],
    ['100,000 open lists', '['.repeat(100_000)],
    ['20,000 open objects', '{"a":'.repeat(20_000)],
    ['200,000 lists in each other', '['.repeat(200_000) + ']'.repeat(200_000)],
    ...'null 1 "x" [] [{}] {} {"notification":null} {"notification":[]}'
      .split(' ')
      .map((text) => [text, text] as const),
  ]
  it.each(MEANINGLESS)('%s', async (_, body) => {
    expect(await post(body)).toBe(400)
  })

  it.each([
    ...'null 0 "x" {} [] [null] [1] ["x"] [[]] [{}] [{"app_id":"a"}] [{"pushkey":"a"}]'.split(' '),
    '[{"app_id":1,"pushkey":"a"}]',
    '[{"app_id":"a","pushkey":null}]',
    '[{"app_id":{"toString":"a"},"pushkey":["a"]}]',
    '[{"__proto__":{"app_id":"a","pushkey":"a"}}]',
  ])('devices: %.60s', async (list) => {
    expect(await post(`{"notification":{"event_id":"$x","devices":${list}}}`)).toBe(400)
  })

  it.each([
    ['600 KiB of blanks', good + ' '.repeat(600 * 1024)],
    [
      'more devices than a hundred',
      JSON.stringify({
        notification: { event_id: '$x', devices: Array.from({ length: 101 }, () => ({ app_id: 'a', pushkey: 'a' })) },
      }),
    ],
    ['600 KiB of text', bodyText({ about: `,"content":{"body":"${'x'.repeat(600 * 1024)}"}` })],
  ])('%s, as too large', async (_, body) => {
    expect(await post(body)).toBe(413)
  })
})

describe('whatever type it has, a request is accepted for all that:', () => {
  const VALUES = [
    ...'null true false 0 -0 -1 1.5 1e308 1e999 -1e999 123456789012345678901234567890'.split(' '),
    ...'"" "x" "\\ud800" "\\udc00\\ud800" "\\u0000" [] [[]] ["x"] {} {"x":null}'.split(' '),
    ...PROTOTYPE_NAMES.flatMap((name) => [`"${name}"`, `{"${name}":{"x":1}}`, `{"${name}":"x"}`]),
    '['.repeat(5000) + ']'.repeat(5000),
    `${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}`,
  ]
  const acceptAll = async (bodyWith: (value: string) => string): Promise<void> => {
    const answers = await Promise.all(VALUES.map(async (value) => [value, await post(bodyWith(value))]))
    expect(answers).toEqual(VALUES.map((value) => [value, 200]))
  }

  it.each([...TEXT_FIELDS, 'user_is_target', 'prio', 'content', 'counts', ...PROTOTYPE_NAMES])('%s', (field) =>
    acceptAll((value) => bodyText({ about: `,"${field}":${value}` })),
  )

  it.each(['pushkey_ts', 'data', 'tweaks', ...PROTOTYPE_NAMES])('%s of a device', (field) =>
    acceptAll((value) => bodyText({ more: `,"${field}":${value}`, event: '"type":"m.x"' })),
  )

  it.each(['default_payload', 'format', 'brand', ...PROTOTYPE_NAMES])('%s in the data of a pusher', (field) =>
    acceptAll((value) => bodyText({ more: `,"data":{"${field}":${value}}` })),
  )

  it.each(
    ['aps', 'aps.alert', 'aps.alert.loc-args', 'cs', ...PROTOTYPE_NAMES].flatMap((path) =>
      ['com.example.ios', 'com.example.android', 'com.example.ids.x', 'com.example.hush.x'].map((app) => [path, app]),
    ),
  )('%s in the default_payload for %s', (path = '', app = '') =>
    acceptAll((value) => {
      const payload = path.split('.').reduceRight((inner, key) => `{"${key}":${inner}}`, value)
      return bodyText({ more: `,"app_id":"${app}","data":{"default_payload":${payload}}` })
    }),
  )

  it.each(PROTOTYPE_NAMES)('%s as an app_id and a pushkey', async (name) => {
    expect(await post(bodyText({ more: `,"app_id":"${name}","pushkey":"${name}"` }))).toBe(200)
    expect(await post(bodyText({ more: `,"pushkey":"${name}"` }))).toBe(200)
  })

  it('a key that is there twice, of which the last counts', async () => {
    const { token, fcm } = newPushkey()
    const more = `,"app_id":"other","app_id":"com.example.android","pushkey":"other","pushkey":"${fcm}"`
    expect(await post(bodyText({ more, about: ',"room_id":"!a","room_id":"!b"' }))).toBe(200)
    expect(await services.waitFor(token, 1)).toMatchObject([{ body: { data: { room_id: '!b' } } }])
  })

  it('a hundred devices', async () => {
    const list = Array.from({ length: 100 }, () => device())
    expect(await post(JSON.stringify({ notification: { event_id: '$hundred', devices: list } }))).toBe(200)
  })

  it('thousands of requests made up at random, or else they are refused', async () => {
    const bodies = fc.array(madeUpBody, { minLength: REQUESTS_PER_RUN, maxLength: REQUESTS_PER_RUN })
    const property = fc.asyncProperty(bodies, async (several) => {
      await Promise.all(several.map((body) => post(body)))
    })
    await fc.assert(property, { numRuns: FUZZ_RUNS, endOnFailure: true })
  })
})

describe('on the wire', () => {
  const REQUESTS: readonly (readonly [string, () => string | Uint8Array, readonly number[]])[] = [
    ['a request', () => whole(bodyText({})), [200]],
    ['two at once', () => whole(bodyText({})) + whole(bodyText({})), [200, 200]],
    // What comes after the garbage began is not answered any more.
    ['a request and then garbage', () => `${whole('{}')}GARBAGE\r\n\r\n`, [400]],
    ['a length that is too short', () => `${head('Content-Length: 10')}${bodyText({})}`, [400]],
    ['a length that is no number', () => `${head('Content-Length: ten')}${bodyText({})}`, [400]],
    ['a length below zero', () => `${head('Content-Length: -1')}${bodyText({})}`, [400]],
    ['two lengths', () => `${head('Content-Length: 1', 'Content-Length: 2')}${bodyText({})}`, [400]],
    ['a length and chunks', () => `${head('Content-Length: 1', 'Transfer-Encoding: chunked')}0\r\n\r\n`, [400]],
    ['a length beyond the limit', () => head(`Content-Length: ${BODY_LIMIT_BYTES + 1}`), [413]],
    ['a length beyond all numbers', () => head('Content-Length: 99999999999999999999999'), [400]],
    ['no length at all', () => head(), [400]],
    ['chunks', () => chunked(bodyText({})), [200]],
    ['chunks beyond the limit', () => chunked(' '.repeat(600 * 1024)), [413]],
    ['a chunk of no length', () => `${head('Transfer-Encoding: chunked')}zz\r\n{}\r\n`, [400]],
    ['another encoding of the transfer', () => `${head('Transfer-Encoding: gzip')}x`, [400]],
    ['another encoding of the content', () => whole(bodyText({}), 'Content-Encoding: gzip'), [200]],
    ['another type of content', () => whole(bodyText({}), 'Content-Type: ;;"'), [200]],
    ['an unknown expectation', () => whole('{}', 'Expect: the-unexpected'), [417]],
    ['an upgrade', () => whole('{}', 'Connection: Upgrade', 'Upgrade: websocket'), [400]],
    ['no line of a request', () => '\0\x01\x02\r\n\r\n', [400]],
    ['TLS', () => Buffer.from('16030100a5010000a10303', 'hex'), [400]],
    ['HTTP/2', () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [400]],
    ['a header of 64 KiB', () => head(`X-Long: ${'x'.repeat(65_536)}`), [431]],
    ['an address of 64 KiB', () => line(`GET /${'x'.repeat(65_536)}`), [431]],
    ['an address with a broken escape', () => line('GET /%zz%00'), [400]],
    ['the asterisk', () => line('OPTIONS *'), [404]],
    ['a tunnel', () => line('CONNECT example.org:443'), []],
    ['a method that nobody has here', () => line(`PURGE ${NOTIFY}`), [405]],
  ]
  it.each(REQUESTS)('%s is answered as it should be', async (_, bytes, expected) => {
    expect(await say(bytes(), Math.max(1, expected.length))).toEqual(expected)
  })

  it('a body that comes after "100 Continue" is taken', async () => {
    const body = bodyText({})
    const connection = await openConnection(gateway.url)
    connection.write(head('Expect: 100-continue', `Content-Length: ${Buffer.byteLength(body)}`))
    expect(await connection.answer()).toMatchObject({ status: 100 })
    connection.write(body)
    expect(await connection.answer()).toMatchObject({ status: 200 })
    acceptedDevices += 1
    connection.destroy()
  })

  it('a request that trickles in is taken', async () => {
    const connection = await openConnection(gateway.url)
    for (const byte of Buffer.from(whole(bodyText({})))) {
      connection.write(Buffer.of(byte))
      await sleep(1)
    }
    expect(await connection.answer()).toMatchObject({ status: 200 })
    acceptedDevices += 1
    connection.destroy()
  })

  it('bodies that never end hold nobody up, and are forgotten with their connections', async () => {
    const connections = await Promise.all(Array.from({ length: 50 }, () => openConnection(gateway.url)))
    for (const connection of connections) connection.write(`${head('Content-Length: 1000')}{"notification":`)
    expect(await say(whole(bodyText({})), 1)).toEqual([200])
    for (const connection of connections) connection.destroy()
    await Promise.all(connections.map(({ closed }) => closed))
    expect(await say(whole(bodyText({})), 1)).toEqual([200])
  })
})

describe('512 KiB', () => {
  const manyKeys = (count = 23_500) =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 'v']))
  const aps = () => ({ alert: { 'loc-args': Array.from({ length: 79_000 }, () => 'x') } })
  const cpuSeconds = async () => metricValue(await gateway.admin('/metrics'), 'process_cpu_seconds_total') ?? Number.NaN
  const withData = (payload: object) => ({ devices: [device({ data: { default_payload: payload } })] })
  it.for([
    ['of letters', () => ({ content: { msgtype: 'm.text', body: fill('x') } })],
    ['of emoji', () => ({ content: { msgtype: 'm.text', body: fill('\u{1f468}\u200d\u{1f469}') } })],
    ['of accents on one letter', () => ({ content: { msgtype: 'm.text', body: `e${fill('\u0301')}` } })],
    ['of quotation marks', () => ({ content: { msgtype: 'm.text', body: fill('"') } })],
    ['of a name', () => ({ room_name: fill('\u0301'), sender_display_name: 'x' })],
    ['of an event ID', () => ({ event_id: `$${fill('ü')}` })],
    ['of keys', () => ({ content: manyKeys() })],
    ['of lists', () => ({ content: { list: Array.from({ length: 79_000 }, () => []) } })],
    ['of default_payload', () => withData({ x: fill('\u0301') })],
    ['of loc-args in it', () => withData({ aps: aps() })],
    ['of keys in it', () => withData(manyKeys())],
    ['of devices', () => ({ devices: Array.from({ length: 100 }, () => withData({ x: fill('x', 2500) }).devices[0]) })],
  ] as const)('%s are taken, and take little time', async ([what, about], { annotate }) => {
    const devicesOfBoth = [device(), device()]
    const notification = { event_id: `$${what}`, type: 'm.room.message', devices: devicesOfBoth, ...about() }
    const before = await cpuSeconds()
    expect(await post(JSON.stringify({ notification }))).toBe(200)
    const tookSeconds = (await cpuSeconds()) - before
    await annotate(`took ${Math.round(tookSeconds * 1000)} ms of a processor`)
    // Only against what would be a quadratic mistake. Of a processor, and not by the clock: the machine may have other things to do.
    expect(tookSeconds).toBeLessThan(2)
  })

  it.for([
    ['keys', () => ({ content: manyKeys(24_000) })],
    ['lists', () => ({ content: { list: Array.from({ length: 80_000 }, () => []) } })],
  ] as const)('of more %s than any event has are refused before they are parsed', async ([, about]) => {
    expect(await post(JSON.stringify({ notification: { event_id: '$many', devices: [device()], ...about() } }))).toBe(
      413,
    )
  })
})

describe('after all that', () => {
  const QUEUED = { intake: 'queued' }

  it('an ordinary push is delivered', async () => {
    const { token, apns } = newPushkey()
    expect(await post(bodyText({ more: `,"app_id":"com.example.ios","pushkey":"${apns}"` }))).toBe(200)
    expect(await services.waitFor(token, 1)).toMatchObject([{ status: 200 }])
  })

  it('every device of every accepted request is accounted for, and so is every delivery', async () => {
    expect(sumOf(await gateway.admin('/metrics'), 'hushgate_devices_received_total')).toBe(acceptedDevices)
    await until('everything has had its outcome', async () => {
      const metrics = await gateway.admin('/metrics')
      const queued = sumOf(metrics, 'hushgate_devices_received_total', QUEUED)
      return sumOf(metrics, 'hushgate_outcomes_total') === queued
    })
  })

  it('no push service has been sent what it does not understand, and no app is blocked', async () => {
    const metrics = await gateway.admin('/metrics')
    expect(sumOf(metrics, 'hushgate_outcomes_total', { outcome: 'failed' })).toBe(0)
    expect(sumOf(metrics, 'hushgate_app_blocked')).toBe(0)
  })

  it('no request was answered with a 5xx, and the log knows of no mistake', async () => {
    expect(await gateway.admin('/metrics')).not.toMatch(/notify_request_duration_seconds_count\{code="5/)
    const problems = (await gateway.stop()).split('\n').filter((text) => /"level":"(error|fatal)"|^(?!\{)./.test(text))
    // That most of these pushkeys are refused is as it should be.
    expect(problems.filter((text) => !text.includes('Most pushkeys of this app were called dead'))).toEqual([])
  })
})

function line(start: string): string {
  return `${start} HTTP/1.1\r\nHost: gateway\r\n\r\n`
}

function head(...headers: readonly string[]): string {
  return [`POST ${NOTIFY} HTTP/1.1`, 'Host: gateway', ...headers, '', ''].join('\r\n')
}

function whole(body: string, ...headers: readonly string[]): string {
  return head(`Content-Length: ${Buffer.byteLength(body)}`, ...headers) + body
}

function chunked(body: string): string {
  return `${head('Transfer-Encoding: chunked')}${Buffer.byteLength(body).toString(16)}\r\n${body}\r\n0\r\n\r\n`
}

/** Writes this on a connection of its own; resolves with what it is answered, until there are so many answers or it is over. */
async function say(bytes: string | Uint8Array, most: number): Promise<number[]> {
  const connection = await openConnection(gateway.url)
  connection.write(bytes)
  const statuses: number[] = []
  while (statuses.length < most) {
    const answer = await connection.answer()
    if (answer === undefined) break
    statuses.push(answer.status)
  }
  connection.destroy()
  acceptedDevices += statuses.filter((status) => status === 200).length
  return statuses
}

/** So many of them that they take this much as JSON. */
function fill(text: string, bytes = 500 * 1024): string {
  return text.repeat(Math.floor(bytes / (Buffer.byteLength(JSON.stringify(text)) - 2)))
}

function sumOf(metrics: string, name: string, labels: Readonly<Record<string, string>> = {}): number {
  const wanted = Object.entries(labels).map(([label, text]) => `${label}="${text}"`)
  return metrics
    .split('\n')
    .filter((text) => text.startsWith(`${name}{`) && wanted.every((label) => text.includes(label)))
    .reduce((sum, text) => sum + Number(text.split(' ').at(-1)), 0)
}
