/** Limits of sources at the notify port, from outside: real connections from addresses of their own, directly and through a proxy that says where from. */
import { request, type IncomingMessage } from 'node:http'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createEntrance, type Entrance, type EntranceSettings } from '../../src/http/doors.ts'
import { NOTIFY_PATH } from '../../src/http/notify-server.ts'
import type { SourceLimit } from '../../src/http/source-limits.ts'
import { createTestNotifyServer } from '../helpers/notify-server.ts'
import { openConnection } from '../helpers/raw-http.ts'
import { RecordedLog } from '../helpers/recorded-log.ts'

const LIMIT: SourceLimit = { mode: 'enforce', devicesPerMinute: 5, bytesPerMinute: 100_000 }
const [ONE, OTHER] = ['127.0.0.2', '127.0.0.3']
const BEYOND = { errcode: 'M_LIMIT_EXCEEDED', error: 'This source sends more than this gateway takes from one' }
const BEYOND_WARNING = 'A source sends more than http.limit_per_source allows'
const UNTOLD_WARNING =
  'Requests have no limit: a proxy of http.trust_proxy does not say where they come from (X-Forwarded-For)'

let server: ReturnType<typeof createTestNotifyServer>
let url = ''
let log: RecordedLog
let entrance: Entrance
let devicesAccepted = 0
let stopped: string[] = []
// No time passes, so that no machine is too slow for a minute.
beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(async () => {
  vi.useRealTimers()
  await server.close()
})

async function open(limitPerSource: Partial<SourceLimit> = {}, trustProxy: readonly string[] = []): Promise<void> {
  devicesAccepted = 0
  stopped = []
  log = new RecordedLog()
  entrance = createEntrance(settings({ ...LIMIT, ...limitPerSource }, trustProxy))
  server = createTestNotifyServer({
    entrance: () => entrance,
    intake: {
      accept: async ({ devices }) => {
        devicesAccepted += devices.length
        return []
      },
    },
    metrics: {
      requestAnswered: () => {},
      stoppedAtDoor: (door, result) => stopped.push(`${door} ${result}`),
      relayAnswered: () => {},
    },
    log,
  })
  url = await server.listen({ host: '127.0.0.1', port: 0 })
}

const settings = (limitPerSource: SourceLimit | undefined, trustProxy: readonly string[] = []): EntranceSettings => ({
  trustProxy,
  doors: { limitPerSource },
})

const bodyFor = (devices: number, fill = 0) =>
  JSON.stringify({
    notification: {
      event_id: '$e',
      content: { body: 'x'.repeat(fill) },
      devices: Array.from({ length: devices }, () => ({ app_id: 'a', pushkey: 'p' })),
    },
  })

interface Post {
  readonly from?: string
  readonly body?: string
  /** X-Forwarded-For. */
  readonly forwarded?: string
  /** Without a Content-Length. */
  readonly isChunked?: boolean
}

async function post({ from = ONE, body = bodyFor(1), forwarded, isChunked = false }: Post = {}) {
  const sent = request(url + NOTIFY_PATH, {
    method: 'POST',
    localAddress: from,
    agent: false,
    headers: {
      ...(forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }),
      ...(isChunked ? {} : { 'content-length': Buffer.byteLength(body) }),
    },
  })
  if (isChunked) sent.write(body.slice(0, 10))
  sent.end(isChunked ? body.slice(10) : body)
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    sent.once('response', resolve).once('error', reject)
  })
  const json: unknown = JSON.parse(await text(response))
  return { status: response.statusCode, retryAfter: response.headers['retry-after'], json }
}

async function statusesOf(count: number, how: Post = {}): Promise<readonly unknown[]> {
  const statuses: unknown[] = []
  for (let time = 0; time < count; time += 1) statuses.push((await post(how)).status)
  return statuses
}

describe('homeservers that connect directly', () => {
  it('are answered 503 beyond their limit, each for itself, and nothing is done', async () => {
    await open()
    expect(await statusesOf(7)).toEqual([200, 200, 200, 200, 200, 503, 503])
    expect(await statusesOf(5, { from: OTHER })).toEqual([200, 200, 200, 200, 200])
    expect(devicesAccepted).toBe(10)
    expect(stopped).toEqual(['source_limit refused', 'source_limit refused'])
  })

  it('are told why, and when to come again, at another second each', async () => {
    await open()
    await statusesOf(5)
    const answers = await Promise.all(Array.from({ length: 10 }, () => post()))
    for (const { status, json } of answers) expect([status, json]).toEqual([503, BEYOND])
    const waits = answers.map(({ retryAfter }) => Number(retryAfter))
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(12)
    expect(Math.max(...waits)).toBeLessThanOrEqual(24)
    expect(new Set(waits).size).toBeGreaterThan(1)
  })

  it("are never answered 429: that is for an app's own test push, which names no pushkey_ts", async () => {
    await open()
    await statusesOf(5)
    const testPush = (device: object, fill = ''): string =>
      JSON.stringify({
        notification: {
          event_id: '$THIS_IS_A_FAKE_EVENT_ID',
          room_id: '!room:domain',
          fill,
          devices: [{ app_id: 'a', pushkey: 'p', ...device }],
        },
      })
    const { status, json, retryAfter } = await post({ body: testPush({}) })
    expect([status, json]).toEqual([429, BEYOND])
    expect(Number(retryAfter)).toBeGreaterThanOrEqual(12)
    expect(await statusesOf(1, { body: testPush({ pushkey_ts: 1_764_000_000 }) })).toEqual([503])
    // Longer than any test push: it is not read.
    expect(await statusesOf(1, { body: testPush({}, 'x'.repeat(5000)) })).toEqual([503])
    expect(await statusesOf(1, { body: '$THIS_IS_A_FAKE_EVENT_ID' })).toEqual([503])
    expect(devicesAccepted).toBe(5)
    expect(stopped).toHaveLength(4)
  })

  it('are let in again as time passes', async () => {
    await open()
    await statusesOf(5)
    vi.advanceTimersByTime(24_000)
    expect(await statusesOf(3)).toEqual([200, 200, 503])
  })

  it('pay for each device of a request, and are refused all of it or nothing', async () => {
    await open()
    expect((await post({ body: bodyFor(4) })).status).toBe(200)
    expect((await post({ body: bodyFor(2) })).status).toBe(503)
    expect(devicesAccepted).toBe(4)
  })

  it.each([
    ['that is no JSON', 'x', 400],
    ['for no device', bodyFor(0), 400],
  ])('pay for a request %s as for a device', async (_what, body, status) => {
    await open()
    expect(await statusesOf(6, { body })).toEqual([status, status, status, status, status, 503])
  })

  it('pay for the bytes of bodies, before these are read', async () => {
    await open()
    expect((await post({ body: bodyFor(1, 60_000) })).status).toBe(200)
    const connection = await openConnection(url)
    // From another address: it has a limit of its own.
    connection.write(`POST ${NOTIFY_PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n`)
    expect(await connection.answer()).toMatchObject({ status: 503 })
    connection.destroy()
    expect((await post({ body: bodyFor(1, 60_000) })).status).toBe(503)
    expect((await post({ body: bodyFor(1, 30_000) })).status).toBe(200)
  })

  it('pay for the bytes of a body whose length is not said when it was read', async () => {
    await open()
    const body = bodyFor(1, 60_000)
    expect((await post({ body, isChunked: true })).status).toBe(200)
    expect((await post({ body, isChunked: true })).status).toBe(503)
    expect((await post()).status).toBe(200)
    expect(devicesAccepted).toBe(2)
  })

  it('are told of a body that is too large, not that it is too much', async () => {
    await open({ bytesPerMinute: 512 * 1024 })
    expect((await post({ body: bodyFor(1, 600_000) })).status).toBe(413)
  })

  it('are not other ones by what they say of themselves', async () => {
    await open()
    await statusesOf(5, { forwarded: '198.51.100.1' })
    expect((await post({ forwarded: '198.51.100.2' })).status).toBe(503)
  })

  it('are logged without their address, once a minute at most', async () => {
    await open()
    await statusesOf(8)
    expect(log.messages('warn')).toEqual([BEYOND_WARNING])
    expect(JSON.stringify(log.entries)).not.toContain('127.0.0')
  })
})

describe('homeservers behind a proxy that is named', () => {
  const PROXY = ['127.0.0.1/32']
  const via = (forwarded: string): Post => ({ from: '127.0.0.1', forwarded })

  it('have a limit each, by the address that the proxy tells', async () => {
    await open({}, PROXY)
    expect(await statusesOf(6, via('192.0.2.1'))).toEqual([200, 200, 200, 200, 200, 503])
    expect((await post(via('192.0.2.2'))).status).toBe(200)
    // What stands before the last was said by whoever came to the proxy.
    expect((await post(via('192.0.2.3, 192.0.2.1'))).status).toBe(503)
  })

  it('with IPv6 are one for each /64', async () => {
    await open({}, PROXY)
    for (let host = 1; host <= 5; host += 1) expect((await post(via(`2001:db8:1:2::${host}`))).status).toBe(200)
    expect((await post(via('2001:db8:1:2:ffff::9'))).status).toBe(503)
    expect((await post(via('2001:db8:1:3::1'))).status).toBe(200)
  })

  it('have none, and an operator is told, where the proxy does not tell the address', async () => {
    await open({}, PROXY)
    for (const forwarded of [undefined, '', 'unknown', '127.0.0.1', '192.0.2.1:4711'])
      expect(
        await statusesOf(6, { from: '127.0.0.1', ...(forwarded === undefined ? {} : { forwarded }) }),
      ).not.toContain(503)
    expect(log.messages('warn')).toEqual([UNTOLD_WARNING])
  })

  it('do not share theirs with who comes past the proxy', async () => {
    await open({}, PROXY)
    await statusesOf(5, via(ONE))
    expect((await post({ from: OTHER, forwarded: ONE })).status).toBe(200)
    expect((await post({ from: ONE, forwarded: OTHER })).status).toBe(503)
  })
})

it('where it is only observed, what is beyond is counted, and let in', async () => {
  await open({ mode: 'observe' })
  expect(await statusesOf(7)).toEqual([200, 200, 200, 200, 200, 200, 200])
  expect(stopped).toEqual(['source_limit observed', 'source_limit observed'])
  expect(log.entries).toMatchObject([{ message: BEYOND_WARNING, facts: { mode: 'observe' } }])
})

it('what has been sent still counts after a reload that leaves the limit as it is, and no more after one that changes it', async () => {
  await open()
  await statusesOf(5)
  entrance = createEntrance(settings({ ...LIMIT }), entrance)
  expect((await post()).status).toBe(503)
  entrance = createEntrance(settings({ ...LIMIT, devicesPerMinute: 6 }), entrance)
  expect(await statusesOf(7)).toEqual([200, 200, 200, 200, 200, 200, 503])
  entrance = createEntrance(settings(undefined), entrance)
  expect(await statusesOf(3)).toEqual([200, 200, 200])
})

it('the page for people, the statement of privacy and the discovery of apps have no limit', async () => {
  await open({ devicesPerMinute: 1 })
  expect(await statusesOf(2, { from: '127.0.0.1' })).toEqual([200, 503])
  for (const path of ['/', '/_hushgate/privacy', '/health', NOTIFY_PATH])
    expect((await fetch(url + path)).status).toBe(200)
})
