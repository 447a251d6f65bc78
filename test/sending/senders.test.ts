/** Senders, as the gateway opens and closes them. */
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Sender } from '../../src/core/provider.ts'
import { Secret } from '../../src/core/secret.ts'
import type { Proxy } from '../../src/network/dial.ts'
import { providers } from '../../src/providers/index.ts'
import { Senders, type SendingRoute } from '../../src/sending/senders.ts'
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

describe('senders', () => {
  let rig: Rig
  let senders: Senders
  let warnings: string[]
  let opened: Sender[]
  beforeEach(() => {
    rig = createRig()
    warnings = []
    opened = []
    senders = new Senders({ kinds: providers, nowMs: Date.now, warn: (app, text) => warnings.push(`${app}: ${text}`) })
  })
  afterEach(async () => {
    await Promise.all(opened.map((sender) => sender.close()))
    await rig[Symbol.asyncDispose]()
  })

  async function open(changes: Changes, proxy?: Proxy): Promise<Sender> {
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
    const [counts, ...others] = senders.wire()
    expect(others).toEqual([])
    expect(counts).toMatchObject({ provider: 'apns', connections: 1 })
    expect(new Map(counts?.answers)).toEqual(
      new Map([
        [410, 1],
        [200, 2],
      ]),
    )
    await sender.close()
    await until('the connection is closed', () => senders.wire()[0]?.connections === 0)
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

function routeWith(rig: Rig, changes: Changes): SendingRoute {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- to the compiler the options of one kind fit every kind (config.ts)
  return { app: 'test', provider: 'apns', concurrency: 10, options: changed(rig.options, changes) as never }
}
