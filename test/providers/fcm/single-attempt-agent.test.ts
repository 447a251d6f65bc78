import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, request, type Server } from 'node:https'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDial } from '../../../src/network/dial.ts'
import { SingleAttemptAgent } from '../../../src/providers/fcm/single-attempt-agent.ts'
import { createAuthority } from '../../../src/simulators/certificate.ts'

const authority = createAuthority()
const never = new AbortController().signal
let server: Server
let agent: SingleAttemptAgent
let port: number
let handle: (request: IncomingMessage, response: ServerResponse) => void

beforeAll(async () => {
  const certificate = authority.issue({ commonName: 'localhost', hosts: ['127.0.0.1'] })
  server = createServer(certificate, (incoming, response) => handle(incoming, response)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  port = address !== null && typeof address === 'object' ? address.port : 0
  agent = new SingleAttemptAgent({ dial: createDial(undefined), ca: authority.certificate, keepAlive: true })
})
afterAll(() => {
  agent.destroy()
  server.close()
  server.closeAllConnections()
})

function get(path: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path, agent }, resolve).on('error', reject).end()
  })
}

/** The hook that Node does not document (Agent.addRequest) is where all of this hangs. */
describe('an agent for a single attempt', () => {
  it('lets the first request of an attempt through, and no other', async () => {
    const paths: (string | undefined)[] = []
    handle = ({ url }, response) => {
      paths.push(url)
      response.end('{}')
    }
    const answer = await agent.attempt(async () => {
      await get('/first')
      await Promise.race([get('/retry').catch(() => undefined), new Promise((resolve) => setImmediate(resolve))])
    }, never)
    expect(answer).toEqual({ kind: 'answer', status: 200, retryAfter: undefined, body: '{}' })
    await get('/outside')
    expect(paths).toEqual(['/first', '/outside'])
  })

  it('keeps concurrent attempts apart', async () => {
    handle = ({ url }, response) => void response.end(url)
    const answers = await Promise.all(['/a', '/b', '/c'].map((path) => agent.attempt(() => get(path), never)))
    expect(answers).toMatchObject([{ body: '/a' }, { body: '/b' }, { body: '/c' }])
  })

  it('reports a 503 as it came, and lets the library see no reason to come back', async () => {
    handle = (_request, response) => void response.writeHead(503, { 'retry-after': '2' }).end()
    let seen: string | undefined
    const answer = await agent.attempt(async () => {
      seen = (await get('/')).headers['retry-after']
    }, never)
    expect(answer).toMatchObject({ status: 503, retryAfter: '2' })
    expect(Number(seen)).toBeGreaterThan(60)
  })

  it('cuts off an answer that does not end', async () => {
    handle = (_request, response) => {
      const chunk = Buffer.alloc(64 * 1024)
      const timer = setInterval(() => response.write(chunk), 1)
      response.once('close', () => clearInterval(timer))
    }
    // A 200 is a 200, however much it says.
    expect(await agent.attempt(() => get('/'), never)).toMatchObject({ kind: 'answer', status: 200, body: '' })
  })

  it('passes on what was thrown before there was a request', async () => {
    const thrower = (): never => {
      throw new RangeError('no')
    }
    await expect(agent.attempt(thrower, never)).rejects.toThrow(RangeError)
  })

  it('makes no request when the limit has passed', async () => {
    let started = false
    const start = (): void => void (started = true)
    expect(await agent.attempt(start, AbortSignal.abort('deadline'))).toEqual({
      kind: 'lost',
      code: 'deadline',
      written: false,
    })
    expect(started).toBe(false)
  })
})
