/** Peers that break the rules of HTTP/2 (RFC 9113): what they get, and that every request has an end. */
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { Attempt } from '../../../../src/providers/shared/connections/attempt.ts'
import type { Connections } from '../../../../src/providers/shared/connections/connections.ts'
import {
  answer,
  goaway,
  resetStream,
  settings,
  startHttp2Peer,
  TYPE,
  type Frame,
  type Peer,
} from '../../../helpers/http2-peer.ts'
import { until } from '../../../helpers/received.ts'
import { certificate, connectionsTo, post } from '../connections/rig.ts'

const open: Connections[] = []
afterEach(() => Promise.all(open.splice(0).map((connections) => connections.close())))

function connect(peer: Peer, rules: Parameters<typeof connectionsTo>[0]['rules'] = {}): Connections {
  const connections = connectionsTo({ port: peer.port, rules })
  open.push(connections)
  return connections
}

/** What the peer sends when it is asked. */
function answering(...frames: readonly ((stream: number) => Frame)[]): Promise<Peer> {
  return startHttp2Peer(certificate, {
    onRequest: (connection, stream) => connection.send(...frames.map((frame) => frame(stream))),
  })
}

const END_HEADERS = 4
const END_STREAM = 1
const PADDED = 8
const PRIORITY = 0x20
const bytes = (...given: number[]): Buffer => Buffer.from(given)
const ok = bytes(0x88)

const FAULTS: readonly (readonly [what: string, frame: (stream: number) => Frame])[] = [
  ['a body of the connection', () => ({ type: TYPE.data, payload: bytes(1) })],
  ['a head of the connection', () => ({ type: TYPE.headers, flags: END_HEADERS, payload: ok })],
  ['a head on a stream that only the peer could begin', () => answer(2, 200)],
  ['a head on a stream that was not begun', (stream) => answer(stream + 2, 200)],
  ['a reset of a stream that was not begun', (stream) => resetStream(stream + 2, 0)],
  ['a reset of another size', (stream) => ({ type: TYPE.reset, stream, payload: bytes(0) })],
  ['settings of a stream', (stream) => ({ ...settings('streams', 1), stream })],
  ['settings of another size', () => ({ type: TYPE.settings, payload: bytes(0, 1, 2, 3, 4) })],
  ['an acknowledgement with settings', () => ({ ...settings('streams', 1), flags: 1 })],
  ['a window that is too large', () => settings('window', 0x80000000)],
  ['frames that are too small', () => ({ type: TYPE.settings, payload: bytes(0, 5, 0, 0, 0, 1) })],
  ['a ping of another size', () => ({ type: TYPE.ping, payload: Buffer.alloc(7) })],
  ['a ping of a stream', (stream) => ({ type: TYPE.ping, stream, payload: Buffer.alloc(8) })],
  ['a goodbye of another size', () => ({ type: TYPE.goaway, payload: Buffer.alloc(7) })],
  ['a goodbye of a stream', (stream) => ({ ...goaway(9), stream })],
  ['a window of the connection that grows by nothing', () => ({ type: TYPE.windowUpdate, payload: Buffer.alloc(4) })],
  ['a window update of another size', () => ({ type: TYPE.windowUpdate, payload: Buffer.alloc(3) })],
  ['a frame that is too long', (stream) => ({ type: TYPE.data, stream, payload: Buffer.alloc(16_385) })],
  ['the rest of a head that was not begun', (stream) => ({ type: TYPE.continuation, stream, payload: ok })],
  ['padding longer than its frame', (stream) => ({ type: TYPE.data, flags: PADDED, stream, payload: bytes(3, 1, 1) })],
  ['padding without a length', (stream) => ({ type: TYPE.data, flags: PADDED, stream })],
  [
    'a head without its priority',
    (stream) => ({ type: TYPE.headers, flags: END_HEADERS | PRIORITY, stream, payload: bytes(0) }),
  ],
  ['a head that is not HPACK', (stream) => ({ type: TYPE.headers, flags: END_HEADERS, stream, payload: bytes(0x80) })],
  ['a push', (stream) => ({ type: TYPE.pushPromise, flags: END_HEADERS, stream, payload: bytes(0, 0, 0, 2, 0x88) })],
]

const STREAM_FAULTS: readonly (readonly [what: string, frames: (stream: number) => readonly Frame[]])[] = [
  ['a body before its head', (stream) => [{ type: TYPE.data, flags: END_STREAM, stream, payload: bytes(1) }]],
  ['a head without a status', (stream) => [{ type: TYPE.headers, flags: END_HEADERS, stream, payload: bytes(0x84) }]],
  [
    'a status that is none',
    (stream) => [{ type: TYPE.headers, flags: END_HEADERS, stream, payload: Buffer.from('\u0008\u0003099') }],
  ],
  ['an interim answer that is the end', (stream) => [answer(stream, 103)]],
  ['a second head in the middle', (stream) => [answer(stream, 400, false), answer(stream, 400, false)]],
  ['a window that grows by nothing', (stream) => [{ type: TYPE.windowUpdate, stream, payload: Buffer.alloc(4) }]],
]

describe('a peer of HTTP/2', () => {
  it.each(FAULTS)('that sends %s loses its connection', async (_what, frame) => {
    await using peer = await answering(frame)
    expect(await post(connect(peer))).toMatchObject({ kind: 'lost', code: 'connection lost', written: true })
    await until('the connection has ended', () => peer.connections.size === 0)
  })

  it('that begins with something else than its settings loses its connection', async () => {
    await using peer = await startHttp2Peer(certificate, {
      onConnection: (connection) => connection.send({ type: TYPE.ping, payload: Buffer.alloc(8) }),
    })
    expect(await post(connect(peer))).toMatchObject({ kind: 'lost', written: false })
  })

  it.each(STREAM_FAULTS)('that sends %s loses the request, and the next is served', async (_what, frames) => {
    let asked = 0
    await using peer = await startHttp2Peer(certificate, {
      onRequest(connection, stream) {
        asked += 1
        connection.send(...(asked === 1 ? frames(stream) : [answer(stream, 200)]))
      },
    })
    const connections = connect(peer)
    expect(await post(connections)).toMatchObject({ kind: 'lost', code: 'stream reset', written: true })
    expect(await post(connections)).toMatchObject({ kind: 'answer', status: 200 })
    expect(peer.accepted).toBe(1)
    expect(peer.received.filter(({ type }) => type === TYPE.reset)).toHaveLength(1)
  })

  it('may send an answer in pieces, padded, after interim answers and with a head at its end', async () => {
    await using peer = await answering(
      (stream) => answer(stream, 103, false),
      (stream) => ({
        type: TYPE.headers,
        flags: PADDED | PRIORITY,
        stream,
        payload: bytes(2, 0, 0, 0, 0, 15, 0x08, 3, 0, 0),
      }),
      (stream) => ({ type: TYPE.continuation, stream, payload: Buffer.from('50') }),
      (stream) => ({ type: TYPE.continuation, flags: END_HEADERS, stream, payload: Buffer.from('3') }),
      (stream) => ({ type: TYPE.data, flags: PADDED, stream, payload: Buffer.from('\u0003te...') }),
      (stream) => ({ type: TYPE.data, stream }),
      () => ({ type: TYPE.priority, stream: 1, payload: Buffer.alloc(5) }),
      (stream) => ({ type: TYPE.data, stream, payload: Buffer.from('xt') }),
      (stream) => ({
        type: TYPE.headers,
        flags: END_HEADERS | END_STREAM,
        stream,
        payload: bytes(0, 1, 0x61, 1, 0x62),
      }),
    )
    expect(await post(connect(peer))).toMatchObject({ kind: 'answer', status: 503, body: 'text' })
  })

  it('that resets a stream after its answer, because it wants no more of the request, has answered', async () => {
    await using peer = await startHttp2Peer(certificate, {
      onConnection: (connection) => connection.send(settings('window', 10)),
      onRequest: (connection, stream) => connection.send(answer(stream, 413, false), resetStream(stream, 0)),
    })
    expect(await post(connect(peer), new Attempt(), 'x'.repeat(100))).toMatchObject({ kind: 'answer', status: 413 })
  })

  it('that answers before it has read the request gets no more of it', async () => {
    await using peer = await startHttp2Peer(certificate, {
      onConnection: (connection) => connection.send(settings('window', 10)),
      onRequest: (connection, stream) => connection.send(answer(stream, 413)),
    })
    expect(await post(connect(peer), new Attempt(), 'x'.repeat(100))).toMatchObject({ kind: 'answer', status: 413 })
    await until('the stream is closed', () => peer.received.some(({ type }) => type === TYPE.reset))
    const sent = peer.received.filter(({ type }) => type === TYPE.data).map(({ payload }) => payload.length)
    expect(sent).toEqual([10])
  })

  it('that takes back room for bodies, and gives it again, gets what it has room for', async () => {
    await using peer = await startHttp2Peer(certificate, {
      onConnection: (connection) => connection.send(settings('window', 10)),
    })
    const sent = (): number[] => peer.received.filter(({ type }) => type === TYPE.data).map((one) => one.payload.length)
    const answered = post(connect(peer), new Attempt(), 'x'.repeat(20))
    await until('the first piece has come', () => sent().length === 1)
    const [connection] = peer.connections
    const more = (size: number): Frame => ({ type: TYPE.windowUpdate, stream: 1, payload: bytes(0, 0, 0, size) })
    // 10 were sent, so there is room for none, then five less than none, then one more, then for the rest.
    connection?.send(settings('window', 5), more(6))
    await until('one more byte has come', () => sent().length === 2)
    connection?.send(more(100), answer(1, 200))
    expect(await answered).toMatchObject({ kind: 'answer', status: 200 })
    await until('the rest has come', () => sent().length === 3)
    expect(sent()).toEqual([10, 1, 9])
  })

  it('that gives more room than there can be loses the request', async () => {
    await using peer = await startHttp2Peer(certificate, {
      // What holds the body up is the room of the whole connection.
      onConnection: (connection) => connection.send(settings('window', 0x7ffffff0)),
      onRequest: (connection, stream) =>
        connection.send({ type: TYPE.windowUpdate, stream, payload: bytes(0x7f, 0xff, 0xff, 0xff) }),
    })
    const lost = await post(connect(peer), new Attempt(), 'x'.repeat(70_000))
    expect(lost).toMatchObject({ kind: 'lost', code: 'stream reset', written: true })
  })

  it('that answers and reads nothing loses its connection before much waits for it', async () => {
    await using peer = await startHttp2Peer(certificate, {
      onConnection: (connection) =>
        connection.send(settings('window', 0x7fffffff), { type: TYPE.windowUpdate, payload: bytes(0x7f, 0, 0, 0) }),
      onRequest(connection, stream) {
        if (stream !== 1) return
        connection.socket.pause()
        const streams = Array.from({ length: 100 }, (_, index) => 2 * index + 1)
        connection.send(...streams.map((one) => answer(one, 201)))
        let next = 201
        const blindly = setInterval(() => {
          if (connection.socket.destroyed) return clearInterval(blindly)
          connection.send(answer(next, 201))
          next += 2
        }, 1)
        connection.socket.once('close', () => clearInterval(blindly))
      },
    })
    const connections = connect(peer, { isStranger: true })
    let isLost = false
    const body = 'x'.repeat(60_000)
    const posting = Array.from({ length: 100 }, async () => {
      while (!isLost) isLost = (await post(connections, new Attempt(), body)).kind === 'lost'
    })
    await until('it has lost its connection', () => isLost)
    for (const { socket } of peer.connections) socket.destroy()
    await peer[Symbol.asyncDispose]()
    await Promise.all(posting)
  })

  it('may send a byte in a record, and what it says is understood', async () => {
    await using peer = await startHttp2Peer(certificate, {
      onRequest(connection, stream) {
        const head = Buffer.concat([bytes(0, 0, 5, 1, 4, 0, 0, 0, stream), bytes(0x08, 3), Buffer.from('200')])
        const body = Buffer.concat([bytes(0, 0, 200, 0, 1, 0, 0, 0, stream), Buffer.alloc(200, 'a')])
        for (const byte of Buffer.concat([head, body])) connection.socket.write(Buffer.of(byte))
      },
    })
    expect(await post(connect(peer))).toMatchObject({ kind: 'answer', status: 200, body: 'a'.repeat(200) })
  })

  it('is answered its pings with what it said', async () => {
    await using peer = await answering(
      () => ({ type: TYPE.ping, payload: Buffer.from('\u00ff1234567', 'latin1') }),
      (stream) => answer(stream, 200),
    )
    expect(await post(connect(peer))).toMatchObject({ status: 200 })
    await until('its ping is answered', () =>
      peer.received.some(({ type, flags }) => type === TYPE.ping && flags === 1),
    )
    expect(peer.received.find(({ type }) => type === TYPE.ping)?.payload.toString('latin1')).toBe('\u00ff1234567')
  })

  it('may send whatever it likes: each request ends, and nothing else does', async () => {
    const payload = fc.oneof(
      fc.constant(Buffer.of()),
      fc.uint8Array({ maxLength: 40 }).map((given) => Buffer.from(given)),
    )
    const frame = fc.record({
      type: fc.integer({ min: 0, max: 12 }),
      flags: fc.constantFrom(0, 1, 4, 5, 8, 0x20, 0x2d, 255),
      stream: fc.constantFrom(0, 1, 2, 3, 5),
      payload: fc.oneof(payload, fc.constantFrom(ok, Buffer.alloc(4), Buffer.alloc(8), Buffer.alloc(6))),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 8 }), async (frames) => {
        await using peer = await startHttp2Peer(certificate, {
          onRequest: (connection) => connection.send(...frames),
        })
        const connections = connectionsTo({ port: peer.port })
        const attempts = [new Attempt(), new Attempt()]
        const answers = attempts.map((attempt) => post(connections, attempt))
        await until('it was asked', () => peer.received.some(({ type }) => type === TYPE.headers))
        const deadline = setTimeout(() => attempts.forEach((attempt) => attempt.cutOff('deadline')), 50)
        for (const answered of answers) expect(['answer', 'lost']).toContain((await answered).kind)
        clearTimeout(deadline)
        for (const { socket } of peer.connections) socket.destroy()
        await connections.close()
      }),
      { numRuns: 150 },
    )
  })
})
