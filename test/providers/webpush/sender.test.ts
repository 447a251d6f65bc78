import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Message } from '../../../src/core/message.ts'
import type { Outcome } from '../../../src/core/outcome.ts'
import { DialError } from '../../../src/core/errors.ts'
import type { Dial, Sender } from '../../../src/core/provider.ts'
import { Secret } from '../../../src/core/secret.ts'
import { createDial, type Proxy } from '../../../src/network/dial.ts'
import { webpush, type WebPushOptions } from '../../../src/providers/webpush/index.ts'
import type { Resolve } from '../../../src/providers/shared/endpoints/lookup.ts'
import { openSender as openWith } from '../../../src/providers/webpush/sender.ts'
import { createAuthority } from '../../../src/simulators/certificate.ts'
import type { FrontProtocol } from '../../../src/simulators/https-front.ts'
import {
  startWebPushSimulator,
  type Subscription,
  type WebPushSimulator,
  type WebPushSimulatorOptions,
} from '../../../src/simulators/webpush.ts'
import { freePort } from '../../helpers/free-port.ts'
import { until } from '../../helpers/received.ts'

const authority = createAuthority()
// Keys take a while to make: one certificate serves every simulator here.
const HOSTS = ['127.0.0.1', 'localhost', 'push.fake.test', 'other.fake.test']
const certificate = authority.issue({ commonName: 'push.fake.test', hosts: HOSTS })
const never = new AbortController().signal
const message: Message = {
  headers: { ttl: '900', urgency: 'normal', topic: 'topic-1' },
  body: JSON.stringify({ room_id: '!room:example.org', event_id: '$event', unread: 2 }),
}

let folder: string
let simulator: WebPushSimulator
let nowMs: number
let proxy: Proxy | undefined
const open: Sender[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hushgate-webpush-'))
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  await writeFile(join(folder, 'ca.pem'), authority.certificate)
  await writeFile(join(folder, 'vapid.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
})
afterAll(() => rm(folder, { recursive: true }))
beforeEach(() => {
  nowMs = Date.now()
  proxy = undefined
})
afterEach(async () => {
  await Promise.all([...open.splice(0).map((sender) => sender.close()), simulator.close()])
  vi.restoreAllMocks()
})

async function startSimulator(options: Partial<WebPushSimulatorOptions>): Promise<void> {
  simulator = await startWebPushSimulator({
    authority: { ...authority, issue: () => certificate },
    nowMs: () => nowMs,
    ...options,
  })
}

function optionsWith(options: Partial<WebPushOptions>): WebPushOptions {
  return {
    vapid_private_key_file: join(folder, 'vapid.pem'),
    vapid_subject: 'mailto:ops@example.org',
    allowed_endpoints: ['*'],
    ca_file: join(folder, 'ca.pem'),
    ...options,
  }
}

/** By default every host is the simulator's. */
async function openSender(
  options: Partial<WebPushOptions> = { endpoint: simulator.url },
  resolve?: Resolve,
  dial = createDial(proxy),
): Promise<Sender> {
  const context = { app: 'com.example.web', nowMs: () => nowMs, dial, concurrency: 1000, warn: () => undefined }
  const section = optionsWith(options)
  const sender =
    resolve === undefined ? await webpush.open(section, context) : await openWith(section, context, resolve)
  open.push(sender)
  return sender
}

function send(sender: Sender, { endpoint, p256dh, auth }: Subscription, signal = never): Promise<Outcome> {
  return sender.send(message, new Secret(webpush.targetOf?.(p256dh, { endpoint, auth }) ?? ''), signal)
}

/** What is known of a request that the other side gave up. */
const RESET = { h2: 'stream reset', 'http/1.1': 'ECONNRESET' } as const
/** By our own rules. */
const refused = (reason: string) => ({ kind: 'rejected', reason, isLocal: true })
const atFakeHost = { origin: 'https://push.fake.test' }

describe.each<FrontProtocol>(['h2', 'http/1.1'])('over %s', (protocol) => {
  beforeEach(() => startSimulator({ protocols: [protocol] }))

  it('is how everything goes', async () => {
    expect(await send(await openSender(), simulator.subscribe('phone', atFakeHost))).toEqual({ kind: 'delivered' })
    expect(simulator.requests?.[protocol]).toBe(1)
  })

  describe('a Web Push', () => {
    it('reaches the browser as it was rendered, and nobody else can read it', async () => {
      const sender = await openSender()
      expect(await send(sender, simulator.subscribe('phone', atFakeHost))).toEqual({ kind: 'delivered' })
      const [push] = simulator.received
      expect(push).toMatchObject({
        name: 'phone',
        origin: 'https://push.fake.test',
        payload: message.body,
        status: 201,
        headers: { ttl: '900', urgency: 'normal', topic: 'topic-1', 'content-encoding': 'aes128gcm' },
      })
      expect(push?.body.length).toBe(message.body.length + 103)
      expect(push?.body.toString('latin1')).not.toContain('event')
    })

    it('of the largest payload is taken', async () => {
      const sender = await openSender()
      const { p256dh, auth, endpoint } = simulator.subscribe('phone')
      const target = new Secret(webpush.targetOf?.(p256dh, { endpoint, auth }) ?? '')
      const large = { ...message, body: JSON.stringify('x'.repeat(3991)) }
      const allowed = await openSender({ endpoint: simulator.url, allow_private_endpoints: ['127.0.0.1'] })
      expect(await sender.send(large, target, never)).toEqual(refused('private_address'))
      expect(await allowed.send(large, target, never)).toEqual({ kind: 'delivered' })
      expect(simulator.received[0]?.body.length).toBe(4096)
    })

    it('is encrypted anew each time', async () => {
      const sender = await openSender()
      const subscription = simulator.subscribe('phone', atFakeHost)
      await send(sender, subscription)
      await send(sender, subscription)
      const [first, second] = simulator.received
      expect(first?.payload).toBe(second?.payload)
      expect(first?.body.subarray(21, 86)).not.toEqual(second?.body.subarray(21, 86))
    })

    it('goes to the same push service over one connection', async () => {
      const sender = await openSender()
      for (const name of ['a', 'b', 'c']) await send(sender, simulator.subscribe(name, atFakeHost))
      expect(simulator.connections).toBe(1)
    })

    it('is rejected without asking when there is no way to the device', async () => {
      const sender = await openSender()
      const subscription = simulator.subscribe('phone', atFakeHost)
      expect(await send(sender, { ...subscription, auth: 'x' })).toEqual(refused('bad_keys'))
      expect(await sender.send(message, new Secret('left by another type of app'), never)).toMatchObject({
        kind: 'rejected',
      })
      expect(simulator.connections).toBe(0)
    })

    it('goes in clear to a UnifiedPush endpoint without keys where the operator allows it, in the shape of its gateways', async () => {
      const sender = await openSender({ endpoint: simulator.url, allow_unencrypted: true })
      const { endpoint } = simulator.subscribe('plain', { ...atFakeHost, isPlain: true })
      const padded = { ...message, body: message.body.padEnd(1024) }
      expect(await sender.send(padded, new Secret(webpush.targetOf?.(endpoint, {}) ?? ''), never)).toEqual({
        kind: 'delivered',
      })
      const [push] = simulator.received
      expect(JSON.parse(push?.payload ?? '')).toEqual({
        notification: { room_id: '!room:example.org', event_id: '$event', counts: { unread: 2 } },
      })
      expect(push?.body.length).toBe(1024)
    })
  })

  describe('the VAPID authorization', () => {
    const tokenOf = (index: number) =>
      /t=([^,]+), k=(.+)$/.exec(simulator.received[index]?.headers['authorization'] ?? '')

    it('is signed with the key of the options, for the origin, for half a day', async () => {
      const sender = await openSender()
      await send(sender, simulator.subscribe('phone', { origin: 'https://push.fake.test:8443' }))
      const [, token = '', key = ''] = tokenOf(0) ?? []
      expect(key).toBe(await webpush.publicKey?.(optionsWith({})))
      const [header = '', payload = '', signature = ''] = token.split('.')
      const point = Buffer.from(key, 'base64url')
      const jwk = { kty: 'EC', crv: 'P-256', x: point.toString('base64url', 1, 33), y: point.toString('base64url', 33) }
      const publicKey = { key: createPublicKey({ key: jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' } as const
      expect(
        verify('sha256', Buffer.from(`${header}.${payload}`), publicKey, Buffer.from(signature, 'base64url')),
      ).toBe(true)
      const claims: unknown = JSON.parse(Buffer.from(payload, 'base64url').toString())
      expect(claims).toEqual({
        aud: 'https://push.fake.test:8443',
        exp: Math.floor(nowMs / 1000) + 12 * 3600,
        sub: 'mailto:ops@example.org',
      })
    })

    it('is made once per origin, and again before it runs out', async () => {
      const sender = await openSender()
      const [one, other] = [
        simulator.subscribe('a', atFakeHost),
        simulator.subscribe('b', { origin: 'https://other.fake.test' }),
      ]
      for (const subscription of [one, one, other]) await send(sender, subscription)
      nowMs += 11 * 3600_000 + 1000
      await send(sender, one)
      const tokens = simulator.received.map((_push, index) => tokenOf(index)?.[1])
      expect(tokens[1]).toBe(tokens[0])
      expect(new Set(tokens).size).toBe(3)
      expect(simulator.received.map(({ status }) => status)).toEqual([201, 201, 201, 201])
    })

    it('is made anew after it was refused', async () => {
      const sender = await openSender()
      await send(sender, simulator.subscribe('xs403-phone', atFakeHost))
      await send(sender, simulator.subscribe('phone', atFakeHost))
      expect(tokenOf(0)?.[1]).not.toBe(tokenOf(1)?.[1])
    })

    it('of another key than the browser subscribed with concerns that browser alone', async () => {
      const sender = await openSender()
      const stranger = simulator.subscribe('stranger', { ...atFakeHost, applicationServerKey: 'another key' })
      expect(await send(sender, stranger)).toMatchObject({ kind: 'retry', scope: 'target', reason: '403' })
      expect(await send(sender, simulator.subscribe('phone', atFakeHost))).toEqual({ kind: 'delivered' })
    })

    it('is all that a check can make: there is no push service to ask', async () => {
      expect(await (await openSender()).check(never)).toEqual({ ok: true })
      expect(simulator.connections).toBe(0)
    })
  })

  describe('the answer of a push service', () => {
    it.each([
      ['xs202-a', { kind: 'delivered' }],
      ['xs404-a', { kind: 'rejected', reason: '404' }],
      ['xs410-a', { kind: 'rejected', reason: '410' }],
      ['xs400-a', { kind: 'failed', reason: '400' }],
      ['xs413-a', { kind: 'failed', reason: '413' }],
      ['xs429.a70-a', { kind: 'retry', scope: 'target', ambiguous: false, floorMs: 70_000 }],
      ['xs500-a', { kind: 'retry', scope: 'target', ambiguous: true }],
      ['xs503.a2.nobody-a', { kind: 'retry', scope: 'target', ambiguous: false, floorMs: 2000 }],
      ['xrst-a', { kind: 'retry', scope: 'target', ambiguous: true, reason: RESET[protocol] }],
    ])('%s', async (name, outcome) => {
      expect(await send(await openSender(), simulator.subscribe(name, atFakeHost))).toMatchObject(outcome)
    })

    it('is not followed elsewhere', async () => {
      simulator.setFault('redirect')
      const sender = await openSender()
      simulator.subscribe('elsewhere')
      expect(await send(sender, simulator.subscribe('phone', atFakeHost))).toMatchObject({
        kind: 'retry',
        reason: '307',
      })
      expect(simulator.received.map(({ name }) => name)).toEqual(['phone'])
    })

    it.each(['phone', 'xs500-phone'])(
      'counts when its head is there, though its body never ends (%s)',
      async (name) => {
        simulator.setFault('slow-body')
        const sender = await openSender()
        const startedMs = performance.now()
        const { kind } = await send(sender, simulator.subscribe(name, atFakeHost))
        expect(kind).toBe(name === 'phone' ? 'delivered' : 'retry')
        expect(performance.now() - startedMs).toBeLessThan(900)
        simulator.setFault(undefined)
        // The connection is given up rather than waited for.
        expect(await send(sender, simulator.subscribe('tablet', atFakeHost))).toEqual({ kind: 'delivered' })
      },
    )

    it.each([
      ['5 s by a host that has not taken a push before', 5000, []],
      ['10 s by one that has', 10_000, ['phone']],
    ])('that does not come is given up after %s', async (_what, limitMs, before) => {
      const sender = await openSender()
      for (const name of before) await send(sender, simulator.subscribe(name, atFakeHost))
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
      try {
        let isOver = false
        const outcome = send(sender, simulator.subscribe('xhang-phone', atFakeHost)).finally(() => (isOver = true))
        while (simulator.received.length === before.length) await new Promise((resolve) => setImmediate(resolve))
        await vi.advanceTimersByTimeAsync(limitMs - 1000)
        expect(isOver).toBe(false)
        await vi.advanceTimersByTimeAsync(1000)
        expect(await outcome).toMatchObject({ kind: 'retry', reason: 'deadline', scope: 'target', ambiguous: true })
      } finally {
        vi.useRealTimers()
      }
    })

    it('is not waited for when the attempt is cut off', async () => {
      const sender = await openSender()
      const stop = new AbortController()
      const outcome = send(sender, simulator.subscribe('xhang-phone', atFakeHost), stop.signal)
      await until('the push is there', () => simulator.received.length === 1)
      stop.abort()
      expect(await outcome).toMatchObject({ kind: 'retry', reason: 'aborted', scope: 'delivery', ambiguous: true })
      expect(await send(sender, simulator.subscribe('phone', atFakeHost), stop.signal)).toMatchObject({
        ambiguous: false,
      })
      expect(simulator.received).toHaveLength(1)
    })
  })

  describe('a host that cannot be reached', () => {
    const at = (host: string) => simulator.subscribe('phone', { origin: `https://${host}` })
    const lost = { kind: 'retry', scope: 'target', ambiguous: false } as const

    it('because nobody listens is tried again', async () => {
      const sender = await openSender({ endpoint: `https://127.0.0.1:${await freePort()}` })
      expect(await send(sender, at('push.fake.test'))).toMatchObject({ ...lost, reason: 'ECONNREFUSED' })
    })

    it('because TLS fails is tried again', async () => {
      simulator.setFault('tls')
      expect(await send(await openSender(), at('push.fake.test'))).toMatchObject(lost)
    })

    it('because its certificate is for others is tried again', async () => {
      const outcome = await send(await openSender(), at('somebody-else.test'))
      expect(outcome).toMatchObject({ ...lost, reason: 'ERR_TLS_CERT_ALTNAME_INVALID' })
      expect(simulator.received).toEqual([])
    })

    it('because its certificate is from an authority that we do not trust is tried again', async () => {
      await writeFile(join(folder, 'other.pem'), createAuthority().certificate)
      const sender = await openSender({ endpoint: simulator.url, ca_file: join(folder, 'other.pem') })
      expect(await send(sender, at('push.fake.test'))).toMatchObject(lost)
      expect(simulator.received).toEqual([])
    })

    it('because the DNS does not know it, or does not answer, is tried again', async () => {
      for (const code of ['ENOTFOUND', 'ETIMEOUT']) {
        const sender = await openSender({}, () => Promise.reject(Object.assign(new Error(code), { code })))
        expect(await send(sender, at('push.fake.test'))).toMatchObject({ ...lost, reason: code })
      }
    })

    it('three times in a row is left alone for half a minute, and other hosts are not', async () => {
      simulator.setFault('tls')
      const sender = await openSender()
      const [phone, other] = [at('push.fake.test'), simulator.subscribe('other', { origin: 'https://other.fake.test' })]
      for (let attempt = 0; attempt < 3; attempt += 1) await send(sender, phone)
      simulator.setFault(undefined)
      const { connections } = simulator
      const waits = { kind: 'waits', reason: 'host_paused', group: 'push.fake.test' }
      expect(await send(sender, phone)).toEqual({ ...waits, afterMs: 30_000 })
      expect(await send(sender, phone)).toEqual({ ...waits, afterMs: undefined, latestMs: 120_000 })
      expect(simulator.connections).toBe(connections)
      expect(await send(sender, other)).toEqual({ kind: 'delivered' })
      nowMs += 30_000
      expect(await send(sender, phone)).toEqual({ kind: 'delivered', revives: 'push.fake.test' })
      expect(await send(sender, phone)).toEqual({ kind: 'delivered' })
    })

    it('is not left alone because connections to it broke', async () => {
      const sender = await openSender()
      for (let attempt = 0; attempt < 4; attempt += 1)
        expect(await send(sender, simulator.subscribe('xrst-phone', atFakeHost))).toMatchObject({
          reason: RESET[protocol],
        })
      expect(await send(sender, at('push.fake.test'))).toEqual({ kind: 'delivered' })
    })

    it('is asked by one push while the others wait', async () => {
      simulator.setFault('tls')
      const sender = await openSender()
      const phone = at('push.fake.test')
      for (let attempt = 0; attempt < 3; attempt += 1) await send(sender, phone)
      nowMs += 30_000
      const outcomes = await Promise.all([send(sender, phone), send(sender, phone), send(sender, phone)])
      expect(outcomes.filter((outcome) => 'reason' in outcome && outcome.reason === 'host_paused')).toHaveLength(2)
    })
  })

  describe('a host in our own network', () => {
    const atHost = (host: string) => simulator.subscribe('phone', { origin: `https://${host}:${simulator.port}` })

    it.each([['127.0.0.1'], ['::1'], ['::ffff:127.0.0.1'], ['64:ff9b::7f00:1'], ['10.0.0.1', '192.168.0.1']])(
      'behind a public name is not connected to: %s',
      async (...addresses) => {
        const sender = await openSender({}, () => Promise.resolve(addresses))
        expect(await send(sender, atHost('push.fake.test'))).toMatchObject({
          kind: 'retry',
          reason: 'private_address',
          scope: 'target',
          ambiguous: false,
        })
        expect(simulator.connections).toBe(0)
      },
    )

    /** Looks the host up as whoever connects would, and goes no further. */
    function recordingDial() {
      const found: unknown[] = []
      const dial: Dial = (host, _port, _signal, { lookup } = {}) =>
        new Promise((_resolve, reject) => {
          lookup?.(host, { all: true }, (error, addresses) => {
            found.push(error === null ? addresses : error.code)
            reject(new DialError('recorded'))
          })
        })
      return { dial, found }
    }

    it('is not connected to when its name has a public address as well', async () => {
      const { dial, found } = recordingDial()
      const sender = await openSender({}, () => Promise.resolve(['127.0.0.1', '8.8.8.8', '::1', '2606:4700::1']), dial)
      expect(await send(sender, atHost('push.fake.test'))).toMatchObject({ reason: 'recorded' })
      const addresses = [
        { address: '8.8.8.8', family: 4 },
        { address: '2606:4700::1', family: 6 },
      ]
      expect(found).toEqual([addresses])
    })

    it('is not connected to when its name changes after it was checked: each connection resolves it once', async () => {
      const { dial, found } = recordingDial()
      const answers = ['8.8.8.8', '127.0.0.1']
      let asked = 0
      const sender = await openSender({}, () => Promise.resolve([answers[asked++] ?? '']), dial)
      const subscription = atHost('push.fake.test')
      expect(await send(sender, subscription)).toMatchObject({ reason: 'recorded' })
      expect(asked).toBe(1)
      await send(sender, subscription)
      expect(found).toEqual([[{ address: '8.8.8.8', family: 4 }], 'private_address'])
    })

    it('is reached where the operator allows it, by the names of this machine', async () => {
      const sender = await openSender({ allow_private_endpoints: ['localhost'] }, () =>
        Promise.reject(new Error('the DNS was asked')),
      )
      expect(await send(sender, atHost('localhost'))).toEqual({ kind: 'delivered' })
      expect(await send(sender, atHost('127.0.0.1'))).toEqual(refused('private_address'))
    })
  })

  describe("the operator's proxy", () => {
    /** Answers CONNECT with this status, and for 200 lets through. */
    async function startProxy(status: number) {
      const asked: (string | undefined)[] = []
      const server = createServer().on('connect', ({ url }, socket) => {
        asked.push(url)
        socket.on('error', () => {})
        if (status !== 200) return void socket.end(`HTTP/1.1 ${status} No\r\n\r\n`)
        socket.write('HTTP/1.1 200 OK\r\n\r\n')
        const { hostname, port } = new URL(simulator.url)
        socket.pipe(connect(Number(port), hostname).on('error', () => {})).pipe(socket)
      })
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
      const address = server.address()
      proxy = { host: '127.0.0.1', port: address !== null && typeof address === 'object' ? address.port : 0 }
      return { asked, [Symbol.dispose]: () => server.close() }
    }

    it('is asked for the host by its name, which is not looked up here', async () => {
      using server = await startProxy(200)
      const sender = await openSender({}, () => Promise.reject(new Error('the DNS was asked')))
      expect(await send(sender, simulator.subscribe('phone', atFakeHost))).toEqual({ kind: 'delivered' })
      expect(server.asked).toEqual(['push.fake.test:443'])
    })

    it.each([
      [403, { kind: 'retry', scope: 'target', ambiguous: false }], // it may be about this host, which a stranger named
      [502, { kind: 'retry', scope: 'target', ambiguous: false }],
      [407, { kind: 'waits', reason: 'proxy_refused' }], // it may say so of this host alone
    ])('that answers %i for a host that a stranger named', async (status, outcome) => {
      using _server = await startProxy(status)
      expect(await send(await openSender({}), simulator.subscribe('phone', atFakeHost))).toMatchObject(outcome)
    })

    it.each([
      [403, { kind: 'retry', scope: 'target', ambiguous: false }],
      [407, { kind: 'blocked' }], // it does not know us
      [401, { kind: 'blocked' }], // the same, in the words of tinyproxy
    ])('that answers %i for a host that the operator named', async (status, outcome) => {
      using _server = await startProxy(status)
      const sender = await openSender({ allowed_endpoints: ['push.fake.test'] })
      expect(await send(sender, simulator.subscribe('phone', atFakeHost))).toMatchObject(outcome)
    })

    it('makes all wait while it is not there, and no host is held to be lost for it', async () => {
      proxy = { host: '127.0.0.1', port: await freePort() }
      const sender = await openSender({})
      const phone = simulator.subscribe('phone', atFakeHost)
      for (let attempt = 0; attempt < 4; attempt += 1)
        expect(await send(sender, phone)).toEqual({
          kind: 'retry',
          reason: 'proxy ECONNREFUSED',
          scope: 'app',
          ambiguous: false,
          afterMs: 2000,
        })
    })
  })

  describe('a push that waits for room', () => {
    it('ends when it is cut off', async () => {
      await simulator.close()
      await startSimulator({ protocols: [protocol], maxStreams: 1 })
      const sender = await openSender({ endpoint: simulator.url, max_connections: 1 })
      const stop = new AbortController()
      const slow = send(sender, simulator.subscribe('xd300-slow', atFakeHost))
      await until('the first push is there', () => simulator.received.length === 1)
      const waiting = send(sender, simulator.subscribe('waiting', atFakeHost), stop.signal)
      stop.abort()
      expect(await waiting).toMatchObject({ kind: 'retry', reason: 'aborted', ambiguous: false })
      expect(await slow).toEqual({ kind: 'delivered' })
      expect(simulator.received).toHaveLength(1)
    })
  })

  describe('a sender that closes', () => {
    it('waits for what is in flight, then takes nothing more', async () => {
      const sender = await openSender()
      const slow = send(sender, simulator.subscribe('xd300-phone', atFakeHost))
      await until('the push is there', () => simulator.received.length === 1)
      await sender.close()
      expect(await slow).toEqual({ kind: 'delivered' })
      expect(await send(sender, simulator.subscribe('phone', atFakeHost))).toMatchObject({ kind: 'retry', afterMs: 0 })
    })

    it('leaves no connection behind', async () => {
      const sender = await openSender()
      await send(sender, simulator.subscribe('phone', atFakeHost))
      const sockets = () =>
        process.getActiveResourcesInfo().filter((name) => name === 'TLSSocketWrap' || name === 'TLSWRAP').length
      await sender.close()
      await until('its sockets are gone', () => sockets() === 0)
    })
  })

  describe('what is written', () => {
    it('is nothing to the console', async () => {
      const written: unknown[] = []
      for (const method of ['log', 'info', 'warn', 'error'] as const)
        vi.spyOn(console, method).mockImplementation((...texts) => void written.push(texts))
      const sender = await openSender()
      for (const name of ['phone', 'xs500-phone', 'xrst-phone', 'xs410-phone'])
        await send(sender, simulator.subscribe(name, atFakeHost))
      expect(written).toEqual([])
    })
  })
})
