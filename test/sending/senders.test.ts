/** Senders in this thread, and in one of their own: whoever sends sees no difference. */
import { getEventListeners } from 'node:events'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { DeliverySender } from '../../src/core/provider.ts'
import { Secret } from '../../src/core/secret.ts'
import type { Proxy } from '../../src/network/dial.ts'
import { providers } from '../../src/providers/index.ts'
import { LocalSenders } from '../../src/sending/local-senders.ts'
import { MovableSenders } from '../../src/sending/movable-senders.ts'
import type { Senders, SendingRoute, Warn } from '../../src/sending/senders.ts'
import { ThreadSenders } from '../../src/sending/thread-senders.ts'
import { until } from '../helpers/received.ts'
import { startFakeProxy } from '../network/fake-proxy.ts'
import {
  authority,
  changed,
  createRig,
  message,
  never,
  pushkey,
  TOPIC,
  type Changes,
  type Rig,
} from '../providers/apns/rig.ts'

/** With Apple's own ID of the push. */
const DELIVERED = { kind: 'delivered', serviceId: expect.any(String) }

const PLACES: readonly (readonly [string, (warn: Warn) => Senders])[] = [
  ['this thread', (warn) => new LocalSenders({ kinds: providers, nowMs: Date.now, warn })],
  ['a thread of their own', (warn) => new ThreadSenders(warn)],
]

describe.each(PLACES)('senders in %s', (_place, start) => {
  let rig: Rig
  let senders: Senders
  let warnings: string[]
  let opened: DeliverySender[]
  beforeEach(() => {
    rig = createRig()
    warnings = []
    opened = []
    senders = start((app, text) => warnings.push(`${app}: ${text}`))
  })
  afterEach(async () => {
    await Promise.all(opened.map((sender) => sender.close()))
    await senders.close()
    await rig[Symbol.asyncDispose]()
  })

  async function open(changes: Changes, proxy?: Proxy): Promise<DeliverySender> {
    const sender = await senders.open(routeWith(rig, changes), proxy)
    opened.push(sender)
    return sender
  }

  it('tell whoever asks for it the status of the answer, before the outcome', async () => {
    const apns = await rig.simulate()
    const sender = await open({ endpoint: apns.url })
    const told: (number | string)[] = []
    for (const token of ['xs410.rUnregistered-1', 'xd1-one']) {
      const { kind } = await sender.send(message, pushkey(token), never, (status) => told.push(status))
      told.push(kind)
    }
    await sender.send(message, pushkey('xd1-two'), never)
    expect(told).toEqual([410, 'rejected', 200, 'delivered'])
  })

  it('count what is answered, and the connections that are open, for each app', async () => {
    const apns = await rig.simulate()
    const sender = await open({ endpoint: apns.url })
    for (const token of ['xs410.rUnregistered-1', 'xd1-one', 'xd1-two'])
      await sender.send(message, pushkey(token), never)
    const [counts, ...others] = await senders.wire()
    expect(others).toEqual([])
    expect(counts).toMatchObject({ provider: 'apns', connections: 1 })
    expect(new Map(counts?.answers)).toEqual(
      new Map([
        [410, 1],
        [200, 2],
      ]),
    )
    await sender.close()
    await until('the connection is closed', async () => (await senders.wire())[0]?.connections === 0)
  })

  it('say what the push service answered, to whoever asked', async () => {
    const apns = await rig.simulate({ deadSinceMs: 1_700_000_000_000 })
    const sender = await open({ endpoint: apns.url })
    const outcomes = ['xd50-slow', 'device', 'xrUnregistered-1', 'xs503.a2-1', 'xs400.badjson-1'].map((token) =>
      sender.send(message, pushkey(token), never),
    )
    expect(await Promise.all(outcomes)).toEqual([
      DELIVERED,
      DELIVERED,
      { kind: 'rejected', reason: 'Unregistered', sinceMs: 1_700_000_000_000 },
      expect.objectContaining({ kind: 'retry', reason: 'ServiceUnavailable', afterMs: 2000 }),
      expect.objectContaining({ kind: 'failed' }),
    ])
    const sent = apns.received.find(({ token }) => token === Buffer.from('device').toString('hex'))
    expect(sent).toMatchObject({ headers: message.headers, body: message.body })
  })

  it('of two routes are two', async () => {
    const [first, second] = [await rig.simulate(), await rig.simulate()]
    const one = await open({ endpoint: first.url })
    const other = await open({ endpoint: second.url })
    expect(await one.send(message, pushkey('first'), never)).toEqual(DELIVERED)
    await one.close()
    expect(await other.send(message, pushkey('second'), never)).toEqual(DELIVERED)
    expect([first.received.length, second.received.length]).toEqual([1, 1])
  })

  it('are not opened with files that cannot be used', async () => {
    await expect(open({ key_file: join(rig.folder, 'absent.p8') })).rejects.toThrow('absent.p8')
  })

  it('tell the operator what is to be told of the app, and when its credential runs out', async () => {
    const notAfter = new Date('2026-01-02')
    const { cert, key } = authority.issue({ commonName: 'push', uid: TOPIC, notAfter })
    const certFile = rig.file('push.pem', cert + key)
    const sender = await open({ key_file: undefined, key_id: undefined, team_id: undefined, cert_file: certFile })
    expect(warnings).toEqual([expect.stringMatching(/^test: cert_file: the certificate expired on 2026-01-02/)])
    expect(sender.credentialExpiresAtMs).toBe(notAfter.getTime())
  })

  it('cut off what is in flight when they are told to, and nothing else', async () => {
    const apns = await rig.simulate()
    const sender = await open({ endpoint: apns.url })
    // APNs takes one push at a time until it has accepted one.
    await sender.send(message, pushkey('first'), never)
    const controller = new AbortController()
    const cutOff = sender.send(message, pushkey('xhang-1'), controller.signal)
    const finishing = sender.send(message, pushkey('xd200-1'), never)
    await until('both are there', () => apns.received.length === 3)
    controller.abort()
    expect(await cutOff).toMatchObject({ kind: 'retry', reason: 'aborted', ambiguous: true })
    expect(await finishing).toEqual(DELIVERED)
    expect(await sender.send(message, pushkey('device'), AbortSignal.abort())).toMatchObject({ reason: 'aborted' })
  })

  it('close when what is in flight is over', async () => {
    const apns = await rig.simulate()
    const sender = await open({ endpoint: apns.url })
    const sending = sender.send(message, pushkey('xd100-1'), never)
    await sender.close()
    expect(await sending).toEqual(DELIVERED)
    expect(apns.received).toHaveLength(1)
  })

  it('go through the proxy, with its password', async () => {
    const apns = await rig.simulate()
    await using proxy = await startFakeProxy()
    const credentials = new Secret('gate:secret')
    const sender = await open({ endpoint: apns.url }, { host: '127.0.0.1', port: proxy.port, credentials })
    expect(await sender.send(message, pushkey('device'), never)).toEqual(DELIVERED)
    expect(proxy.asked).toEqual([
      {
        authority: new URL(apns.url).host,
        authorization: `Basic ${Buffer.from('gate:secret').toString('base64')}`,
      },
    ])
  })
})

describe('senders that are moved to a thread', () => {
  const kinds = { ...providers, apns: { ...providers.apns, encryptsWhenSending: true } }

  it('are opened there from then on, also by a reload where those in use could not be', async () => {
    await using rig = createRig()
    const apns = await rig.simulate()
    const senders = new MovableSenders({ kinds, nowMs: Date.now, warn: () => {} })
    const open = () => senders.open(routeWith(rig, { endpoint: apns.url }), undefined)
    const before = await open()
    expect(await before.send(message, pushkey('device'), never)).toEqual(DELIVERED)
    let meanwhile: DeliverySender | undefined
    const failing = senders.moveToThread(async () => {
      meanwhile = await open()
      throw new Error('not this time')
    })
    await expect(failing).rejects.toThrow('not this time')
    expect(await before.send(message, pushkey('device'), never)).toEqual(DELIVERED)
    expect(await meanwhile?.send(message, pushkey('device'), never)).toEqual(DELIVERED)
    const after = await open()
    expect(await after.send(message, pushkey('device'), never)).toEqual(DELIVERED)
    await Promise.all([before.close(), meanwhile?.close(), after.close()])
    await senders.close()
    expect(apns.received).toHaveLength(4)
  })

  it('keep nothing of a delivery that is over, whose signal is its own', async () => {
    await using rig = createRig()
    const apns = await rig.simulate()
    const senders = new ThreadSenders(() => {})
    const sender = await senders.open(routeWith(rig, { endpoint: apns.url }), undefined)
    const signals = Array.from({ length: 20 }, () => new AbortController().signal)
    await Promise.all(signals.map((signal) => sender.send(message, pushkey('device'), signal)))
    expect(signals.flatMap((signal) => getEventListeners(signal, 'abort'))).toEqual([])
    await sender.close()
    await senders.close()
  })

  it('are those that encrypt', () => {
    const senders = new MovableSenders({ kinds: providers, nowMs: Date.now, warn: () => {} })
    const moving = (['apns', 'fcm', 'hms', 'unifiedpush', 'webpush'] as const).filter((provider) =>
      senders.movesToThread({ provider }),
    )
    expect(moving).toEqual(['unifiedpush', 'webpush'])
  })
})

function routeWith(rig: Rig, changes: Changes): SendingRoute {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- to the compiler the options of one kind fit every kind (config.ts)
  return { app: 'test', provider: 'apns', concurrency: 10, options: changed(rig.options, changes) as never }
}
