/** The faults of the network that `npm run test:faults` makes (scripts/faults): each is seen by who connects. */
import { once } from 'node:events'
import { createServer, type Server } from 'node:tls'
import { connect, type TLSSocket } from 'node:tls'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { startWire, type Wire } from '../../scripts/faults/wire.ts'
import { createAuthority } from '../../src/simulators/certificate.ts'

const authority = createAuthority()
const stranger = createAuthority()
let server: Server
let wire: Wire

beforeAll(async () => {
  server = createServer(authority.issue({ commonName: 'push', hosts: ['127.0.0.1'] }), (socket) => {
    socket.on('error', () => {})
    socket.pipe(socket)
  })
  server.on('tlsClientError', () => {}).listen(0, '127.0.0.1')
  await once(server, 'listening')
})
beforeEach(async () => {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('it listens')
  wire = await startWire(address.port, stranger)
})
afterEach(() => wire[Symbol.asyncDispose]())
afterAll(() => void server.close())

/** Resolves with an open connection, or rejects as the attempt does. */
async function open(): Promise<TLSSocket> {
  const socket = connect({ host: '127.0.0.1', port: wire.port, ca: authority.certificate })
  await once(socket, 'secureConnect')
  return socket
}

async function isWell(): Promise<boolean> {
  const socket = await open()
  socket.write('echo')
  const [text] = await once(socket, 'data')
  socket.destroy()
  return String(text) === 'echo'
}

describe('the wire before a push service', () => {
  it.each([
    ['refuse', /ECONNREFUSED/],
    ['no-tls', /wrong version number|SSL/],
    ['untrusted', /certificate/],
  ] as const)('%s: a new connection fails, until the fault is over', async (fault, message) => {
    expect(await isWell()).toBe(true)
    await wire.begin(fault)
    await expect(open()).rejects.toThrow(message)
    await wire.end()
    expect(await isWell()).toBe(true)
  })

  it.each(['refuse', 'stall', 'reset', 'no-tls', 'untrusted'] as const)(
    '%s: the connections of the moment end',
    async (fault) => {
      const socket = await open()
      socket.on('error', () => {})
      const closed = once(socket, 'close')
      await wire.begin(fault)
      await closed
    },
  )

  it('freeze: nothing passes on the connections of the moment, and new ones work', async () => {
    const socket = await open()
    let seen = ''
    socket.on('data', (chunk) => (seen += String(chunk)))
    await wire.begin('freeze')
    socket.write('lost')
    expect(await isWell()).toBe(true)
    expect(seen).toBe('')
    socket.destroy()
  })
})
