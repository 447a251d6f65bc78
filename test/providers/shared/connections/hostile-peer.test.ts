/** Peers that strangers named, and that want to cost us time or memory. */
import { once } from 'node:events'
import { createServer as createTlsServer, type Server, type TLSSocket } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { Attempt } from '../../../../src/providers/shared/connections/attempt.ts'
import type { Connections } from '../../../../src/providers/shared/connections/connections.ts'
import { until } from '../../../helpers/received.ts'
import { answer, settings, startHttp2Peer, TYPE, type Frame, type PeerConnection } from '../../../helpers/http2-peer.ts'
import { certificate, connectionsTo, post, type Where } from './rig.ts'

/** Web Push's: the head is enough. */
const RULES = {
  isStranger: true,
  reading: { isEnough: () => true, maxBytes: 64 * 1024, takesPart: true },
} as const
/** What is left of a flood after the connection has ended is in the system's buffers. */
const MAX_MEMORY_BYTES = 64 * 1024 * 1024

const open: Connections[] = []
afterEach(() => Promise.all(open.splice(0).map((connections) => connections.close())))

function connect(port: number, more: Partial<Where> = {}): Connections {
  const connections = connectionsTo({ port, rules: RULES, ...more })
  open.push(connections)
  return connections
}

/** A string with its length before it, in two bytes. */
function sized(text: string): Buffer {
  const length = Buffer.alloc(2)
  length.writeUInt16BE(text.length)
  return Buffer.concat([length, Buffer.from(text)])
}

const oneMore = Buffer.of(0, 0, 0, 1)
/** RFC 9113 §6, RFC 7838 §4, RFC 8336 §2. */
const FLOODS: readonly (readonly [what: string, frame: (stream: number) => Frame])[] = [
  ['settings', () => settings()],
  ['pings', () => ({ type: TYPE.ping, payload: Buffer.alloc(8) })],
  ['room for more than we send', () => ({ type: TYPE.windowUpdate, payload: oneMore })],
  ['priorities', (stream) => ({ type: TYPE.priority, stream, payload: Buffer.alloc(5) })],
  ['frames of no known type', () => ({ type: 0x77 })],
  [
    'alternative services',
    () => ({ type: TYPE.altsvc, payload: Buffer.concat([sized('https://a.test'), Buffer.from('h2=":443"')]) }),
  ],
  ['origins', () => ({ type: TYPE.origin, payload: sized('https://a.test') })],
  ['interim answers', (stream) => answer(stream, 103, false)],
  ['parts of a head', (stream) => ({ type: TYPE.headers, flags: 0, stream, payload: Buffer.of(0x88) })],
]

describe('an HTTP/2 peer that sends without end', () => {
  it.each(FLOODS)('%s loses its connection', async (_what, frame) => {
    let isEnded = false
    await using peer = await startHttp2Peer(certificate, {
      onRequest(connection, stream) {
        connection.socket.once('close', () => (isEnded = true))
        connection.flood(frame(stream))
      },
    })
    const before = process.memoryUsage().rss
    expect(await post(connect(peer.port))).toMatchObject({ kind: 'lost' })
    await until('the connection has ended', () => isEnded)
    expect(process.memoryUsage().rss - before).toBeLessThan(MAX_MEMORY_BYTES)
  })

  it('a body loses it too, though it has answered', async () => {
    let isEnded = false
    await using peer = await startHttp2Peer(certificate, {
      onRequest(connection, stream) {
        connection.socket.once('close', () => (isEnded = true))
        connection.send(answer(stream, 201, false))
        connection.flood({ type: TYPE.data, stream, payload: Buffer.alloc(1000) })
      },
    })
    expect(await post(connect(peer.port))).toMatchObject({ kind: 'answer', status: 201 })
    await until('the connection has ended', () => isEnded)
  })

  it('answers to many, as many as were asked, keeps it', async () => {
    await using peer = await startHttp2Peer(certificate, {
      onRequest(connection, stream) {
        connection.send(answer(stream, 404, false), { type: TYPE.data, flags: 1, stream, payload: Buffer.alloc(600) })
      },
    })
    const connections = connect(peer.port)
    const endMs = performance.now() + 1000
    while (performance.now() < endMs) {
      const answers = await Promise.all(Array.from({ length: 100 }, () => post(connections)))
      expect(new Set(answers.map((one) => one.kind === 'answer' && one.status))).toEqual(new Set([404]))
    }
    expect(peer.accepted).toBe(1)
  })
})

describe('an HTTP/2 peer', () => {
  it('whose answer has no end gets its stream closed', async () => {
    await using peer = await startHttp2Peer(certificate, {
      onRequest: (connection, stream) => connection.send(answer(stream, 201, false)),
    })
    expect(await post(connect(peer.port))).toMatchObject({ kind: 'answer', status: 201 })
    await until('the stream is closed', () => peer.received.some(({ type }) => type === TYPE.reset))
  })

  it('that pushes what nobody asked for loses its connection', async () => {
    await using peer = await startHttp2Peer(certificate, {
      onRequest(connection, stream) {
        const payload = Buffer.concat([Buffer.of(0, 0, 0, 2), Buffer.of(0x82, 0x84, 0x87)])
        connection.send({ type: TYPE.pushPromise, flags: 4, stream, payload })
      },
    })
    expect(await post(connect(peer.port))).toMatchObject({ kind: 'lost', written: true })
    await until('the connection has ended', () => peer.connections.size === 0)
  })

  it('with a head of megabytes is not read to its end', async () => {
    await using peer = await startHttp2Peer(certificate, {
      onRequest(connection, stream) {
        const payload = Buffer.alloc(16_000, 'a')
        connection.send({ type: TYPE.headers, stream, payload: Buffer.of(0x88) })
        connection.flood({ type: TYPE.continuation, stream, payload })
      },
    })
    expect(await post(connect(peer.port))).toMatchObject({ kind: 'lost' })
    await until('the connection has ended', () => peer.connections.size === 0)
  })

  it('that takes no requests gets one connection, and no more', async () => {
    await using peer = await startHttp2Peer(certificate, { onConnection: (one) => one.send(settings('streams', 0)) })
    const connections = connect(peer.port, { maxConnections: 20 })
    const attempts = Array.from({ length: 10 }, () => new Attempt())
    const waiting = attempts.map((attempt) => post(connections, attempt))
    await until('it is connected', () => peer.received.some(({ type }) => type === TYPE.settings))
    for (const attempt of attempts) attempt.cutOff('deadline')
    expect(new Set((await Promise.all(waiting)).map((one) => one.kind === 'lost' && one.written))).toEqual(
      new Set([false]),
    )
    expect(peer.accepted).toBe(1)
  })

  it('that has no room for a body does not hold up one that follows', async () => {
    let isOpen = false
    await using peer = await startHttp2Peer(certificate, {
      onConnection: (connection) => connection.send(settings('window', 0)),
      onRequest: (connection, stream) => {
        if (isOpen) connection.send(answer(stream, 201))
      },
    })
    const connections = connect(peer.port)
    const attempt = new Attempt()
    const stuck = post(connections, attempt, 'x'.repeat(4096))
    await until('its head has come', () => peer.received.some(({ type }) => type === TYPE.headers))
    expect(peer.received.filter(({ type }) => type === TYPE.data)).toEqual([])
    isOpen = true
    expect(await post(connections, new Attempt(), '')).toMatchObject({ kind: 'answer', status: 201 })
    attempt.cutOff('deadline')
    expect(await stuck).toMatchObject({ kind: 'lost', code: 'deadline', written: true })
    await until('its stream is closed', () => peer.received.some(({ type }) => type === TYPE.reset))
  })

  it('that wants more requests at once than any push service needs does not get them', async () => {
    const streams = new Set<number>()
    let connection: PeerConnection | undefined
    await using peer = await startHttp2Peer(certificate, {
      onRequest(from, stream) {
        connection = from
        streams.add(stream)
      },
    })
    const connections = connect(peer.port)
    const answers = Array.from({ length: 150 }, () => post(connections))
    await until('a hundred have come', () => streams.size === 100)
    connection?.send(...[...streams].map((stream) => answer(stream, 201)))
    await until('the others come', () => streams.size === 150)
    connection?.send(...[...streams].slice(100).map((stream) => answer(stream, 201)))
    await Promise.all(answers)
  })
})

describe('an HTTP/1.1 peer', () => {
  async function start(
    onRequest: (socket: TLSSocket) => void,
  ): Promise<{ readonly server: Server; readonly port: number }> {
    const server = createTlsServer(certificate, (socket) => {
      socket.on('error', () => {}).once('data', () => onRequest(socket))
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const address = server.address()
    return { server, port: typeof address === 'object' && address !== null ? address.port : 0 }
  }

  function flood(socket: TLSSocket, text: string): void {
    const write = (): void => {
      if (socket.destroyed) return
      if (socket.write(text.repeat(1000))) setImmediate(write)
      else socket.once('drain', write)
    }
    write()
  }

  it.each([
    ['interim answers', '', 'HTTP/1.1 103 Early Hints\r\n\r\n'],
    ['one head', 'HTTP/1.1 200 OK\r\n', 'x-a: b\r\n'],
    ['a body', 'HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n', '1\r\na\r\n'],
    [
      'more answers than were asked for',
      'HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n',
      'HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n',
    ],
  ])('that sends %s without end loses its connection', async (_what, begin, text) => {
    let isEnded = false
    const { server, port } = await start((socket) => {
      socket.once('close', () => (isEnded = true))
      socket.write(begin)
      flood(socket, text)
    })
    const answered = await post(connect(port))
    expect(answered).toMatchObject(begin.includes('201') ? { kind: 'answer', status: 201 } : { kind: 'lost' })
    await until('the connection has ended', () => isEnded)
    server.close()
  })
})
