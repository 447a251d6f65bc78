import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Outcome } from '../../../src/core/outcome.ts'
import type { Sender } from '../../../src/core/provider.ts'
import { Secret } from '../../../src/core/secret.ts'
import { createDial } from '../../../src/network/dial.ts'
import { fcm, type FcmOptions } from '../../../src/providers/fcm/index.ts'
import { createAuthority } from '../../../src/simulators/certificate.ts'
import { createServiceAccount } from '../../../src/simulators/fcm-authorization.ts'
import {
  startFcmSimulator,
  type FcmFault,
  type FcmSimulator,
  type FcmSimulatorOptions,
} from '../../../src/simulators/fcm.ts'
import type { FrontProtocol } from '../../../src/simulators/https-front.ts'
import { freePort } from '../../helpers/free-port.ts'
import { until } from '../../helpers/received.ts'

const PROJECT = 'example-project'
const authority = createAuthority()
// Keys take a while to make: one certificate and one account serve every simulator here.
const certificate = authority.issue({ commonName: 'fcm.googleapis.com', hosts: ['127.0.0.1', 'localhost'] })
const account = createServiceAccount(PROJECT, '')
const never = new AbortController().signal
/** Under the name that FCM gives each. */
const DELIVERED = { kind: 'delivered', serviceId: expect.any(String) }
const message = { headers: {}, body: JSON.stringify({ android: { priority: 'high' }, data: { sync: '1' } }) }

let folder: string
let simulator: FcmSimulator
let nowMs: number
const open: Sender[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hushgate-fcm-'))
  await writeFile(join(folder, 'ca.pem'), authority.certificate)
})
afterAll(() => rm(folder, { recursive: true }))

afterEach(async () => {
  await Promise.all([...open.splice(0).map((sender) => sender.close()), simulator.close()])
  vi.restoreAllMocks()
})

async function startSimulator(options: Partial<FcmSimulatorOptions>): Promise<void> {
  nowMs = Date.now()
  simulator = await startFcmSimulator({
    authority: { ...authority, issue: () => certificate },
    serviceAccounts: [account],
    nowMs: () => nowMs,
    ...options,
  })
  await writeFile(join(folder, 'account.json'), JSON.stringify({ ...account, token_uri: simulator.tokenUri }))
}

async function openSender(options: Partial<FcmOptions> = {}): Promise<Sender> {
  const files = { service_account_file: join(folder, 'account.json'), ca_file: join(folder, 'ca.pem') }
  const context = {
    app: 'com.example.android',
    nowMs: () => nowMs,
    dial: createDial(undefined),
    concurrency: 100,
    warn: () => undefined,
  }
  const sender = await fcm.open({ ...files, endpoint: simulator.url, ...options }, context)
  open.push(sender)
  return sender
}

function send(sender: Sender, token: string, signal = never): Promise<Outcome> {
  return sender.send(message, new Secret(token), signal)
}

describe.each<FrontProtocol>(['h2', 'http/1.1'])('over %s', (protocol) => {
  beforeEach(() => startSimulator({ protocols: [protocol] }))

  it('is how everything goes', async () => {
    expect(await send(await openSender(), 'token-1')).toEqual(DELIVERED)
    expect(simulator.requests?.[protocol]).toBe(2)
  })

  describe('a message to FCM', () => {
    it('is what was rendered, byte for byte, with its token', async () => {
      const sender = await openSender()
      const body = {
        android: {
          ttl: '3600s',
          notification: { title: 'fixed', event_time: 'x' },
          direct_boot_ok: true,
          priority: 'normal',
        },
        apns: { payload: { aps: { 'content-available': 1, 'mutable-content': 1, alert: '' } } },
        fcm_options: { analytics_label: 'x' },
        data: { event_id: '$event', room_id: '!room:example.org', content_body: '👨‍👩‍👧‍👦 "\\\n', prio: 'normal' },
      }
      const rendered = { headers: {}, body: JSON.stringify(body) }
      expect(await sender.send(rendered, new Secret('token-1'), never)).toEqual(DELIVERED)
      expect(simulator.received.map((push) => push.body)).toEqual([
        JSON.stringify({ message: { ...body, token: 'token-1' } }),
      ])
    })

    it('goes to an installation ID where the app registers those', async () => {
      const sender = await openSender({ target: 'fid' })
      expect(await send(sender, 'installation-1')).toEqual(DELIVERED)
      expect(simulator.received[0]?.message).toMatchObject({ fid: 'installation-1' })
    })

    it('goes to the project of the options rather than that of the service account', async () => {
      const sender = await openSender({ project_id: 'another-project' })
      expect(await send(sender, 'token-1')).toEqual({ kind: 'blocked', reason: '403 PERMISSION_DENIED' })
      expect(simulator.received[0]?.projectId).toBe('another-project')
    })

    it('finds an endpoint by its name too', async () => {
      const sender = await openSender({ endpoint: `https://localhost:${simulator.port}` })
      expect(await send(sender, 'token-1')).toEqual(DELIVERED)
    })

    it.each([
      ['nothing', ''],
      ['a space', 'a b'],
      ['a line break', 'a\n'],
      ['NUL', 'a\0b'],
      ['é', 'é'],
    ])('whose token holds %s is refused without asking', async (_what, token) => {
      const sender = await openSender()
      expect(await send(sender, token)).toEqual({ kind: 'rejected', reason: 'not a token', isLocal: true })
      expect(simulator.received).toEqual([])
    })

    it.each([
      ['not JSON', '{'],
      ['a list', '[]'],
    ])('that is %s fails', async (_what, body) => {
      const sender = await openSender()
      expect(await sender.send({ headers: {}, body }, new Secret('token-1'), never)).toMatchObject({ kind: 'failed' })
    })

    it('that FCM does not take fails', async () => {
      const sender = await openSender()
      const body = JSON.stringify({ data: { count: 7 } })
      expect(await sender.send({ headers: {}, body }, new Secret('token-1'), never)).toMatchObject({ kind: 'failed' })
    })
  })

  describe('what FCM answers', () => {
    const app = { kind: 'retry', scope: 'app' }
    it.each([
      ['xs200.badjson-1', { kind: 'delivered' }],
      ['xrUNREGISTERED-1', { kind: 'rejected', reason: '404 UNREGISTERED' }],
      ['xs404-1', { kind: 'rejected', reason: '404 UNREGISTERED' }],
      ['xs404.rNOT_FOUND-1', { kind: 'blocked', reason: '404 NOT_FOUND' }],
      // A word that Google does not document is not repeated: an answer may quote what it was sent.
      ['xs404.rNOTHING-1', { kind: 'failed', reason: '404' }],
      ['not*a*token', { kind: 'rejected', reason: '400 INVALID_ARGUMENT' }],
      ['xs400-1', { kind: 'failed', reason: '400 INVALID_ARGUMENT' }],
      ['xs400.nobody-1', { kind: 'failed', reason: '400' }],
      ['xrSENDER_ID_MISMATCH-1', { kind: 'failed', reason: '403 SENDER_ID_MISMATCH' }],
      ['xs403.rPERMISSION_DENIED-1', { kind: 'blocked', reason: '403 PERMISSION_DENIED' }],
      ['xs401-1', { kind: 'blocked', reason: '401 UNAUTHENTICATED' }],
      ['xrTHIRD_PARTY_AUTH_ERROR-1', { kind: 'retry', scope: 'delivery', floorMs: 600_000 }],
      ['xs429.a7-1', { kind: 'retry', scope: 'target', afterMs: 7000 }],
      ['xs500-1', { kind: 'retry', scope: 'delivery', ambiguous: true, floorMs: 10_000 }],
      ['xs503-1', { ...app, ambiguous: false, floorMs: 10_000, afterMs: undefined }],
      ['xs503.a1-1', { ...app, ambiguous: false, afterMs: 1000 }],
      ['xs503.nobody-1', { ...app, reason: '503', ambiguous: false }],
      ['xs302-1', { ...app, reason: '302 UNKNOWN', floorMs: 60_000 }],
      [
        'xrst-1',
        {
          kind: 'retry',
          scope: 'delivery',
          reason: protocol === 'h2' ? 'stream reset' : 'ECONNRESET',
          ambiguous: true,
        },
      ],
    ])('to %s', async (token, outcome) => {
      const sender = await openSender()
      expect(await send(sender, token)).toMatchObject(outcome)
      // One request; only a refused access token is replaced, once.
      await send(sender, 'token-after')
      const tries = token.startsWith('xs401') ? [token, token] : [token]
      expect(simulator.received.map((push) => push.token || token)).toEqual([...tries, 'token-after'])
    })

    it.each<[FcmFault, object]>([
      ['permission-denied', { kind: 'blocked', reason: '403 PERMISSION_DENIED' }],
      ['project-unknown', { kind: 'blocked', reason: '404 NOT_FOUND' }],
      ['unavailable', { kind: 'retry', scope: 'app', ambiguous: false }],
      ['html-502', { kind: 'retry', scope: 'app', reason: '502', ambiguous: true }],
      ['unauthorized', { kind: 'blocked', reason: '401 UNAUTHENTICATED' }],
    ])('when it is %s', async (fault, outcome) => {
      const sender = await openSender()
      simulator.setFault(fault)
      expect(await send(sender, 'token-1')).toMatchObject(outcome)
    })

    it('does not tell more than the status and a word', async () => {
      const sender = await openSender()
      const outcomes = await Promise.all(['not*a*token', 'xs400-1', 'xs503-1'].map((token) => send(sender, token)))
      expect(inspect(outcomes, { depth: null, showHidden: true })).not.toMatch(/not\*a|x400-1|Bearer|ya29/)
    })
  })

  describe('an attempt without an answer', () => {
    it('is ambiguous once the request was written', async () => {
      const sender = await openSender()
      const caller = new AbortController()
      const outcome = send(sender, 'xhang-1', caller.signal)
      await until('the request has arrived', () => simulator.received.length === 1)
      caller.abort()
      expect(await outcome).toEqual({
        kind: 'retry',
        reason: 'aborted',
        scope: 'delivery',
        ambiguous: true,
        floorMs: 10_000,
      })
      expect(simulator.received.length).toBe(1)
    })

    it('is delivered when only the end of a good answer is missing', async () => {
      const sender = await openSender()
      simulator.setFault('cut-body')
      expect(await send(sender, 'token-1')).toEqual({ kind: 'delivered' })
    })

    it('is no proof of anything when the end of a bad answer is missing', async () => {
      const sender = await openSender()
      simulator.setFault('cut-body')
      expect(await send(sender, 'xs404-1')).toMatchObject({ kind: 'retry', scope: 'delivery', ambiguous: true })
    })

    it('ends at the deadline of 10 s', async () => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
      try {
        const sender = await openSender()
        const outcome = send(sender, 'xhang-1')
        while (simulator.received.length === 0) await new Promise((resolve) => setImmediate(resolve))
        await vi.advanceTimersByTimeAsync(10_000)
        expect(await outcome).toMatchObject({ kind: 'retry', reason: 'deadline', ambiguous: true })
      } finally {
        vi.useRealTimers()
      }
    })

    it('is not ambiguous when the connection is refused', async () => {
      const sender = await openSender()
      await send(sender, 'token-1')
      const closed = await openSender({ endpoint: `https://127.0.0.1:${await freePort()}` })
      expect(await send(closed, 'token-1')).toEqual({
        kind: 'retry',
        reason: 'ECONNREFUSED',
        scope: 'app',
        ambiguous: false,
        afterMs: 2000,
      })
    })

    it('is not ambiguous before the TLS handshake is done', async () => {
      const silent = createServer().listen(0, '127.0.0.1')
      await once(silent, 'listening')
      const address = silent.address()
      const port = address !== null && typeof address === 'object' ? address.port : 0
      const sender = await openSender({ endpoint: `https://127.0.0.1:${port}` })
      const caller = new AbortController()
      const outcome = send(sender, 'token-1', caller.signal)
      const [socket] = await once(silent, 'connection')
      caller.abort()
      expect(await outcome).toEqual({ kind: 'retry', reason: 'aborted', scope: 'delivery', ambiguous: false })
      socket.destroy()
      silent.close()
    })

    it('is not ambiguous while it waits for room', async () => {
      await simulator.close()
      await startSimulator({ protocols: [protocol], maxStreams: 1 })
      const sender = await openSender({ max_connections: 1 })
      const first = new AbortController()
      const second = new AbortController()
      const outcomes = [send(sender, 'xhang-1', first.signal), send(sender, 'token-2', second.signal)]
      await until('the first has arrived', () => simulator.received.length === 1)
      second.abort()
      expect(await outcomes[1]).toMatchObject({ kind: 'retry', ambiguous: false })
      first.abort()
      expect(await outcomes[0]).toMatchObject({ kind: 'retry', ambiguous: true })
      expect(await send(sender, 'token-3')).toEqual(DELIVERED)
      expect(simulator.received.map(({ token }) => token)).toEqual(['xhang-1', 'token-3'])
    })

    it('whose certificate nobody vouches for is not made', async () => {
      await writeFile(join(folder, 'other.pem'), createAuthority().certificate)
      const sender = await openSender({ ca_file: join(folder, 'other.pem') })
      expect(await send(sender, 'token-1')).toMatchObject({ kind: 'retry', scope: 'app', ambiguous: false })
    })
  })

  describe('access tokens', () => {
    it('are asked for once, however many messages wait', async () => {
      const sender = await openSender()
      const outcomes = await Promise.all(Array.from({ length: 50 }, (_, index) => send(sender, `token-${index}`)))
      expect(outcomes).toEqual(Array.from({ length: 50 }, () => DELIVERED))
      expect(simulator.tokenRequests).toBe(1)
    })

    it('are replaced once when FCM no longer takes them', async () => {
      const sender = await openSender()
      await send(sender, 'token-1')
      simulator.revokeTokens()
      const outcomes = await Promise.all(Array.from({ length: 20 }, (_, index) => send(sender, `token-${index}`)))
      expect(outcomes).toEqual(Array.from({ length: 20 }, () => DELIVERED))
      expect(simulator.tokenRequests).toBe(2)
    })

    it('are renewed before they end, and used while the endpoint is away', async () => {
      const sender = await openSender()
      await send(sender, 'token-1')
      nowMs += 56 * 60_000
      simulator.setFault('oauth-down')
      expect(await send(sender, 'token-2')).toEqual(DELIVERED)
      await until('the endpoint was asked', () => simulator.tokenRequests === 2)
      nowMs += 5 * 60_000
      expect(await send(sender, 'token-3')).toMatchObject({ kind: 'retry', reason: 'oauth 503' })
      simulator.setFault(undefined)
      expect(await send(sender, 'token-4')).toEqual(DELIVERED)
    })

    it.each<[FcmFault, Outcome]>([
      ['oauth-refuses', { kind: 'blocked', reason: 'oauth 400 invalid_grant' }],
      [
        'oauth-down',
        { kind: 'retry', reason: 'oauth 503', scope: 'app', ambiguous: false, afterMs: undefined, floorMs: 10_000 },
      ],
      [
        'oauth-not-json',
        { kind: 'retry', reason: 'oauth 200', scope: 'app', ambiguous: false, afterMs: undefined, floorMs: 10_000 },
      ],
    ])('%s: says so, and asks again the next time', async (fault, outcome) => {
      const sender = await openSender()
      simulator.setFault(fault)
      expect(await send(sender, 'token-1')).toEqual(outcome)
      simulator.setFault(undefined)
      expect(await send(sender, 'token-1')).toEqual(DELIVERED)
    })

    it('that never come hold a message no longer than its own limit', async () => {
      const sender = await openSender()
      simulator.setFault('oauth-hangs')
      const caller = new AbortController()
      const outcome = send(sender, 'token-1', caller.signal)
      await until('the endpoint was asked', () => simulator.tokenRequests === 1)
      caller.abort()
      expect(await outcome).toMatchObject({ kind: 'retry', reason: 'aborted', ambiguous: false })
    })

    it('that never come are given up after 5 s', async () => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
      try {
        const sender = await openSender()
        simulator.setFault('oauth-hangs')
        const outcome = send(sender, 'token-1')
        while (simulator.tokenRequests === 0) await new Promise((resolve) => setImmediate(resolve))
        await vi.advanceTimersByTimeAsync(5000)
        expect(await outcome).toEqual({
          kind: 'retry',
          reason: 'oauth deadline',
          scope: 'app',
          ambiguous: false,
          afterMs: 2000,
        })
      } finally {
        vi.useRealTimers()
      }
    })
  })

  describe('the check of a credential', () => {
    it('sends nothing to anybody', async () => {
      const sender = await openSender()
      expect(await sender.check(never)).toEqual({ ok: true })
      expect(simulator.received).toMatchObject([{ token: 'credential-check', validateOnly: true }])
    })

    it.each<[FcmFault, string]>([
      ['oauth-refuses', 'oauth 400 invalid_grant'],
      ['permission-denied', '403 PERMISSION_DENIED'],
      ['project-unknown', '404 NOT_FOUND'],
      ['unauthorized', '401 UNAUTHENTICATED'],
      ['unavailable', '503 UNAVAILABLE'],
    ])('says why not: %s', async (fault, reason) => {
      const sender = await openSender()
      simulator.setFault(fault)
      expect(await sender.check(never)).toEqual({ ok: false, reason })
    })
  })

  describe('closing', () => {
    it('waits for what is in flight', async () => {
      const sender = await openSender()
      const outcome = send(sender, 'xd100-1')
      await until('the request has arrived', () => simulator.received.length === 1)
      await sender.close()
      expect(await outcome).toEqual(DELIVERED)
      expect(await send(sender, 'token-2')).toMatchObject({ kind: 'retry', afterMs: 0, ambiguous: false })
      open.splice(0)
    })

    it('does not disturb another sender for the same app', async () => {
      const [old, next] = [await openSender(), await openSender()]
      await old.close()
      open.splice(0, 1)
      expect(await send(next, 'token-1')).toEqual(DELIVERED)
    })
  })

  describe('a sender', () => {
    it('writes nothing to the console, and no credential anywhere', async () => {
      const written: unknown[] = []
      for (const method of ['log', 'info', 'warn', 'error'] as const)
        vi.spyOn(console, method).mockImplementation((...texts) => void written.push(texts))
      const warnings: unknown[] = []
      const onWarning = (warning: unknown): void => void warnings.push(warning)
      process.on('warning', onWarning)
      const sender = await openSender()
      await Promise.all(['token-1', 'xs503-1', 'xrst-1', 'xs400.badjson-1'].map((token) => send(sender, token)))
      process.off('warning', onWarning)
      expect([written, warnings]).toEqual([[], []])
    })
  })
})
