import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Secret } from '../../../src/core/secret.ts'
import { authority, createRig, message, never, pushkey, TOPIC, until, type Rig } from './rig.ts'

/** Under the `apns-id` that the push has. */
const delivered = { kind: 'delivered', serviceId: expect.any(String) }
const names = (count: number, prefix = 'device'): string[] =>
  Array.from({ length: count }, (_, index) => `${prefix}-${index}`)

describe('the APNs sender', { timeout: 30_000 }, () => {
  let rig: Rig
  beforeEach(() => {
    rig = createRig()
  })
  afterEach(async () => {
    await rig[Symbol.asyncDispose]()
  })

  it('sends the message as it was rendered, to the device in hex', async () => {
    const apns = await rig.simulate()
    const sender = await rig.open()
    expect(await sender.send(message, pushkey('device'), never)).toEqual(delivered)
    expect(apns.received).toMatchObject([
      { token: Buffer.from('device').toString('hex'), headers: message.headers, body: message.body, status: 200 },
    ])
  })

  it('says rejected about what cannot be a token, and sends nothing', async () => {
    const apns = await rig.simulate()
    const sender = await rig.open()
    for (const key of ['', '../3/device/x', '!!!!', `${'a'.repeat(64)}?q=1`])
      expect(await sender.send(message, new Secret(key), never)).toMatchObject({ kind: 'rejected' })
    expect(apns.connections).toBe(0)
  })

  it('answers with what APNs said, its time of death and its Retry-After', async () => {
    await rig.simulate({ deadSinceMs: 1_700_000_000_000 })
    const sender = await rig.open()
    expect(await sender.send(message, pushkey('xrUnregistered-1'), never)).toEqual({
      kind: 'rejected',
      reason: 'Unregistered',
      sinceMs: 1_700_000_000_000,
    })
    expect(await sender.send(message, pushkey('xs503.a2-1'), never)).toMatchObject({
      kind: 'retry',
      reason: 'ServiceUnavailable',
      afterMs: 2000,
    })
    expect(await sender.send(message, pushkey('xs410.nobody-1'), never)).toMatchObject({ kind: 'rejected' })
    expect(await sender.send(message, pushkey('xs400.badjson-1'), never)).toMatchObject({ kind: 'failed' })
  })

  it('makes one attempt only', async () => {
    const apns = await rig.simulate()
    const sender = await rig.open()
    for (const text of ['xs500-1', 'xs503-1', 'xs429-1', 'xrst-1']) await sender.send(message, pushkey(text), never)
    expect(apns.received).toHaveLength(4)
  })

  it('does not wait for an error whose body never ends', async () => {
    const apns = await rig.simulate()
    const sender = await rig.open({}, { answerMs: 1000 })
    apns.setFault('endless-body')
    expect(await sender.send(message, pushkey('device'), never)).toMatchObject({ kind: 'retry', reason: 'HTTP 500' })
  })

  describe('when the connection fails', () => {
    it.each([1, 2])('delivers what is in flight through %d GOAWAY', async (frames) => {
      const apns = await rig.simulate()
      const sender = await rig.open()
      await sender.send(message, pushkey('warm'), never)
      const sending = names(4, 'xd100').map((text) => sender.send(message, pushkey(text), never))
      await until(() => apns.received.length === 5)
      apns.goaway(frames)
      expect(await Promise.all(sending)).toEqual([delivered, delivered, delivered, delivered])
      expect(await sender.send(message, pushkey('after'), never)).toEqual(delivered)
      expect(apns.received).toHaveLength(6)
      expect(apns.connections).toBe(2)
    })

    it('delivers what is in flight when the answer before it came with GOAWAY', async () => {
      const apns = await rig.simulate()
      const sender = await rig.open()
      await sender.send(message, pushkey('warm'), never)
      const slow = sender.send(message, pushkey('xd100-1'), never)
      expect(await sender.send(message, pushkey('xs500.goaway-1'), never)).toMatchObject({ kind: 'retry' })
      expect(await slow).toEqual(delivered)
      expect(apns.connections).toBe(1)
    })

    it('sends again what a server did not look at before it went away, and nothing that it did', async () => {
      const apns = await rig.simulate()
      const sender = await rig.open()
      await sender.send(message, pushkey('warm'), never)
      const texts = [...names(5, 'xd30'), 'xgoaway-1', ...names(20)]
      const send = async (text: string): Promise<string | undefined> => {
        const outcome = await sender.send(message, pushkey(text), never)
        if (outcome.kind === 'delivered') return undefined
        expect(outcome).toMatchObject({ kind: 'retry', ambiguous: false, afterMs: 0 })
        return text
      }
      const again = (await Promise.all(texts.map(send))).filter((text) => text !== undefined)
      expect(again).not.toEqual([])
      expect(await Promise.all(again.map(send))).toEqual(again.map(() => undefined))
      const arrived = apns.received.map(({ token }) => Buffer.from(token, 'hex').toString())
      expect(arrived.toSorted()).toEqual(['warm', ...texts].toSorted())
    })

    it('loses one attempt to a frozen connection, as ambiguous, and then uses another', async () => {
      const apns = await rig.simulate()
      const sender = await rig.open({}, { answerMs: 1000 })
      await sender.send(message, pushkey('warm'), never)
      apns.freeze()
      expect(await sender.send(message, pushkey('device'), never)).toMatchObject({ kind: 'retry', ambiguous: true })
      expect(await sender.send(message, pushkey('device'), never)).toEqual(delivered)
      expect(apns.connections).toBe(2)
    })

    it('finds out by itself that an idle connection is dead', async () => {
      const apns = await rig.simulate()
      const sender = await rig.open({}, { pingEveryMs: 500, pingMs: 500 })
      await sender.send(message, pushkey('warm'), never)
      apns.freeze()
      const lost = await sender.send(message, pushkey('device'), never)
      expect(lost).toMatchObject({ kind: 'retry', reason: expect.stringMatching(/connection lost|stream reset/) })
      expect(await sender.send(message, pushkey('device'), never)).toEqual(delivered)
    })

    it('gives up on TLS that never completes; nothing was sent', async () => {
      const apns = await rig.simulate()
      const sender = await rig.open({}, { connectMs: 1000 })
      apns.setFault('tls-stall')
      const outcome = { kind: 'retry', scope: 'app', ambiguous: false, reason: 'connecting timed out', afterMs: 2000 }
      expect(await sender.send(message, pushkey('device'), never)).toEqual(outcome)
      apns.setFault(undefined)
      expect(await sender.send(message, pushkey('device'), never)).toEqual(delivered)
    })

    it('says that nothing was sent when the connection is refused', async () => {
      const apns = await rig.simulate()
      const sender = await rig.open()
      await apns.close()
      const outcome = { kind: 'retry', reason: 'ECONNREFUSED', scope: 'app', ambiguous: false, afterMs: 2000 }
      expect(await sender.send(message, pushkey('device'), never)).toEqual(outcome)
    })

    it('does not talk to a server that it cannot trust', async () => {
      const apns = await rig.simulate()
      const sender = await rig.open({ ca_file: undefined })
      expect(await sender.send(message, pushkey('device'), never)).toMatchObject({ kind: 'retry', ambiguous: false })
      expect(apns.received).toEqual([])
    })

    it('calls a connection that broke in the middle ambiguous', async () => {
      const apns = await rig.simulate()
      const sender = await rig.open()
      const sending = sender.send(message, pushkey('xhang-1'), never)
      await until(() => apns.received.length === 1)
      apns.reset()
      expect(await sending).toMatchObject({ kind: 'retry', scope: 'delivery', ambiguous: true })
      expect(await sender.send(message, pushkey('device'), never)).toEqual(delivered)
    })

    it('may send a refused stream again at once', async () => {
      const apns = await rig.simulate()
      const sender = await rig.open()
      apns.setFault('refuse-streams')
      const outcome = { kind: 'retry', reason: 'stream refused', scope: 'delivery', ambiguous: false, afterMs: 0 }
      expect(await sender.send(message, pushkey('device'), never)).toEqual(outcome)
      apns.setFault(undefined)
      expect(await sender.send(message, pushkey('device'), never)).toEqual(delivered)
    })
  })

  describe('with more pushes than streams', () => {
    it('loses none of a cold burst: one stream until the first is accepted', async () => {
      const apns = await rig.simulate()
      const sender = await rig.open()
      const outcomes = await Promise.all(names(200).map((text) => sender.send(message, pushkey(text), never)))
      expect(outcomes.filter(({ kind }) => kind === 'delivered')).toHaveLength(200)
      expect(apns.connections).toBe(1)
    })

    it('counts no waiting against the time for an answer, and opens a few more connections', async () => {
      const apns = await rig.simulate({ maxStreams: 10 })
      const sender = await rig.open({}, { answerMs: 1500 })
      const outcomes = await Promise.all(names(400, 'xd300').map((text) => sender.send(message, pushkey(text), never)))
      expect(outcomes.filter(({ kind }) => kind === 'delivered')).toHaveLength(400)
      expect(apns.connections).toBe(4)
    })

    it('ends a wait for a stream that never becomes free', async () => {
      const apns = await rig.simulate({ maxStreams: 1 })
      const sender = await rig.open({}, { maxConnections: 1, waitMs: 1000 })
      const controller = new AbortController()
      const hanging = sender.send(message, pushkey('xhang-1'), controller.signal)
      await until(() => apns.received.length === 1)
      expect(await sender.send(message, pushkey('device'), never)).toMatchObject({ scope: 'app', ambiguous: false })
      controller.abort()
      expect(await hanging).toMatchObject({ ambiguous: true })
    })
  })

  describe('when told to stop', () => {
    it('cuts an attempt off, as ambiguous once it is written', async () => {
      const apns = await rig.simulate()
      const sender = await rig.open()
      const controller = new AbortController()
      const sending = sender.send(message, pushkey('xhang-1'), controller.signal)
      await until(() => apns.received.length === 1)
      controller.abort()
      const outcome = { kind: 'retry', reason: 'aborted', scope: 'delivery', ambiguous: true, afterMs: undefined }
      expect(await sending).toEqual(outcome)
    })

    it('knows that nothing was sent while it still waited', async () => {
      const apns = await rig.simulate()
      const sender = await rig.open({}, { connectMs: 1000 })
      apns.setFault('tls-stall')
      expect(await sender.send(message, pushkey('device'), AbortSignal.timeout(100))).toMatchObject({
        reason: 'aborted',
        ambiguous: false,
      })
      expect(await sender.send(message, pushkey('device'), AbortSignal.abort())).toMatchObject({ ambiguous: false })
    })

    it('waits for what is in flight, and takes nothing new', async () => {
      const apns = await rig.simulate()
      const sender = await rig.open()
      const sending = sender.send(message, pushkey('xd100-1'), never)
      await until(() => apns.received.length === 1)
      const closing = sender.close()
      expect(await sender.send(message, pushkey('late'), never)).toMatchObject({ kind: 'retry', ambiguous: false })
      expect(await sending).toEqual(delivered)
      await closing
      expect(apns.received).toHaveLength(1)
    })
  })

  describe('with platform: auto', () => {
    it('tries the sandbox for a device that production does not know, and remembers it', async () => {
      const production = await rig.simulate({ knowsDevice: () => false })
      const sandbox = await rig.simulate()
      const sender = await rig.open({ platform: 'auto', sandbox_endpoint: sandbox.url })
      expect(await sender.send(message, pushkey('device'), never)).toEqual(delivered)
      expect(await sender.send(message, pushkey('device'), never)).toEqual(delivered)
      expect([production.received.length, sandbox.received.length]).toEqual([1, 2])
    })

    it('says rejected only when neither knows it', async () => {
      const production = await rig.simulate({ knowsDevice: () => false })
      const sandbox = await rig.simulate({ knowsDevice: () => false })
      const sender = await rig.open({ platform: 'auto', sandbox_endpoint: sandbox.url })
      const outcome = { kind: 'rejected', reason: 'BadDeviceToken' }
      expect(await sender.send(message, pushkey('device'), never)).toMatchObject(outcome)
      expect([production.received.length, sandbox.received.length]).toEqual([1, 1])
    })

    it('follows a device that moves from the sandbox to production', async () => {
      let home = 'sandbox'
      const production = await rig.simulate({ knowsDevice: () => home === 'production' })
      const sandbox = await rig.simulate({ knowsDevice: () => home === 'sandbox' })
      const sender = await rig.open({ platform: 'auto', sandbox_endpoint: sandbox.url })
      await sender.send(message, pushkey('device'), never)
      home = 'production'
      expect(await sender.send(message, pushkey('device'), never)).toEqual(delivered)
      expect(await sender.send(message, pushkey('device'), never)).toEqual(delivered)
      expect([production.received.length, sandbox.received.length]).toEqual([3, 2])
    })

    it('does not make the app wait for a sandbox that cannot be reached', async () => {
      await rig.simulate({ knowsDevice: () => false })
      const sandbox = await rig.simulate()
      await sandbox.close()
      const sender = await rig.open({ platform: 'auto', sandbox_endpoint: sandbox.url })
      const outcome = { kind: 'retry', reason: 'ECONNREFUSED', scope: 'target', ambiguous: false, floorMs: 2000 }
      expect(await sender.send(message, pushkey('device'), never)).toEqual(outcome)
    })

    // Apple's keys can be made for production alone, and any stranger can name a device that production does not know.
    it('does not block the app when the sandbox alone refuses its credential, nor reject the device', async () => {
      await rig.simulate({ knowsDevice: () => false })
      const sandbox = await rig.simulate({ keys: [] })
      const sender = await rig.open({ platform: 'auto', sandbox_endpoint: sandbox.url })
      expect(await sender.send(message, pushkey('device'), never)).toMatchObject({ kind: 'retry', scope: 'target' })
    })
  })

  describe('with a certificate', () => {
    it('sends with the topic of its UID, from the first moment on many streams', async () => {
      const apns = await rig.simulate({ keys: [] })
      const { key, cert } = authority.issue({ commonName: 'Apple Push Services', uid: TOPIC })
      const sender = await rig.open({
        key_file: undefined,
        topic: undefined,
        cert_file: rig.file('push.pem', cert + key),
      })
      const { 'apns-topic': _none, ...headers } = message.headers
      const sending = names(20, 'xd50').map((text) => sender.send({ ...message, headers }, pushkey(text), never))
      expect(new Set((await Promise.all(sending)).map(({ kind }) => kind))).toEqual(new Set(['delivered']))
      expect(apns.received[0]?.headers['apns-topic']).toBe(TOPIC)
      expect(apns.received[0]?.authorization).toBeUndefined()
      expect(sender.credentialExpiresAtMs).toBeGreaterThan(Date.now())
    })
  })

  describe('check', () => {
    it('finds a credential that works', async () => {
      await rig.simulate()
      expect(await (await rig.open()).check(never)).toEqual({ ok: true })
    })

    it('names what is wrong with one that does not', async () => {
      await rig.simulate()
      const wrongTopic = await rig.open({ topic: 'com.example.other' })
      expect(await wrongTopic.check(never)).toEqual({ ok: false, reason: 'TopicDisallowed' })
      const wrongTeam = await rig.open({ team_id: 'TEAM000000' })
      expect(await wrongTeam.check(never)).toEqual({ ok: false, reason: 'InvalidProviderToken' })
    })

    it('names why APNs cannot be reached', async () => {
      const apns = await rig.simulate()
      const sender = await rig.open()
      await apns.close()
      expect(await sender.check(never)).toEqual({ ok: false, reason: 'ECONNREFUSED' })
    })
  })
})
