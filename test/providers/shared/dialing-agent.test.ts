import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { createServer, request, type Server } from 'node:https'
import { createServer as createTcpServer, type Server as TcpServer } from 'node:net'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { DialError } from '../../../src/core/errors.ts'
import type { Dial } from '../../../src/core/provider.ts'
import { createDial } from '../../../src/network/dial.ts'
import { DialingAgent, type DialingAgentOptions } from '../../../src/providers/shared/dialing-agent.ts'
import { createAuthority } from '../../../src/simulators/certificate.ts'

const authority = createAuthority()
const direct = createDial(undefined)
const answering: (() => void)[] = []
/** Answers when it is let. */
let server: Server
let port: number
/** How many are being dialled or open, and the most there ever were. */
let connections: number
let mostConnections: number
let agent: DialingAgent

const counting: Dial = async (...where) => {
  connections += 1
  mostConnections = Math.max(mostConnections, connections)
  const stream = await direct(...where)
  stream.once('close', () => (connections -= 1))
  return stream
}

beforeAll(async () => {
  const certificate = authority.issue({ commonName: 'localhost', hosts: ['127.0.0.1', 'localhost'] })
  server = createServer(certificate, (_request, response) => answering.push(() => response.end('{}')))
  port = await listen(server)
})
afterAll(() => {
  server.close()
})
beforeEach(() => {
  connections = 0
  mostConnections = 0
})
afterEach(() => {
  agent.destroy()
  answering.splice(0)
})

async function listen(listener: Server | TcpServer): Promise<number> {
  await once(listener.listen(0, '127.0.0.1'), 'listening')
  const address = listener.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

function open(options: Partial<DialingAgentOptions> = {}): void {
  agent = new DialingAgent({ dial: counting, ca: authority.certificate, keepAlive: true, ...options })
}

/** Resolves with the status, or the code of the failure. */
function get(host = '127.0.0.1', at = port): Promise<unknown> {
  return new Promise((resolve) => {
    request({ host, port: at, agent }, (response: IncomingMessage) => {
      response.resume().once('end', () => resolve(response.statusCode))
    })
      .on('error', (error: NodeJS.ErrnoException) => resolve(error.code))
      .end()
  })
}

async function letAnswer(count: number): Promise<void> {
  await expect.poll(() => answering.length, { timeout: 10_000 }).toBe(count)
  for (const answer of answering.splice(0)) answer()
}

describe('an agent over dialled connections', () => {
  it('makes no more of them to one host than it may, and uses them again', async () => {
    open({ maxConnections: 2 })
    const answers = Array.from({ length: 6 }, () => get())
    for (let round = 0; round < 3; round += 1) await letAnswer(2)
    expect(await Promise.all(answers)).toEqual([200, 200, 200, 200, 200, 200])
    expect(mostConnections).toBe(2)
  })

  it('counts each host for itself', async () => {
    open({ maxConnections: 1 })
    const answers = [get(), get('localhost')]
    await letAnswer(2)
    expect(await Promise.all(answers)).toEqual([200, 200])
  })

  it('tells why there is no connection, and lets those that wait try for themselves', async () => {
    let dialled = 0
    const dial: Dial = async (...where) => {
      dialled += 1
      if (dialled < 3) throw new DialError('proxy 502')
      return direct(...where)
    }
    open({ dial, maxConnections: 1 })
    const answers = Array.from({ length: 4 }, () => get())
    for (let round = 0; round < 2; round += 1) await letAnswer(1)
    expect(await Promise.all(answers)).toEqual(['proxy 502', 'proxy 502', 200, 200])
    expect(dialled).toBe(3)
  })

  it('passes over those that were given up while they waited', async () => {
    open({ maxConnections: 1 })
    const first = get()
    const given = request({ host: '127.0.0.1', port, agent }).on('error', () => {})
    given.end()
    const third = get()
    given.destroy()
    for (let round = 0; round < 2; round += 1) await letAnswer(1)
    expect(await Promise.all([first, third])).toEqual([200, 200])
  })

  it('gives up on a peer that accepts and then does not speak TLS', async () => {
    const silent = createTcpServer()
    const at = await listen(silent)
    open({ connectMs: 100 })
    expect(await get('127.0.0.1', at)).toBe('timed out')
    silent.close()
  })

  it('does not speak with a peer that it does not trust', async () => {
    open({ ca: createAuthority().certificate })
    expect(await get()).toMatch(/CERT|SIGNATURE/)
    expect(answering).toEqual([])
  })
})
