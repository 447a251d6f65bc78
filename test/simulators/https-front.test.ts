import { once } from 'node:events'
import { connect } from 'node:http2'
import { request } from 'node:https'
import { connect as connectTls } from 'node:tls'
import { afterEach, describe, expect, it } from 'vitest'
import { createAuthority } from '../../src/simulators/certificate.ts'
import {
  startHttpsFront,
  type FrontAnswer,
  type FrontProtocol,
  type FrontRequest,
  type HttpsFront,
} from '../../src/simulators/https-front.ts'
import {
  authority as connectionAuthority,
  certificate,
  connectionsTo,
  post,
} from '../providers/shared/connections/rig.ts'

const authority = createAuthority()
let front: HttpsFront
afterEach(() => front.close())

async function start(
  answer: (request: FrontRequest) => Promise<FrontAnswer | undefined>,
  protocols?: readonly FrontProtocol[],
): Promise<void> {
  front = await startHttpsFront({ authority, names: ['push.fake.test'], answer, protocols })
}

interface Told {
  readonly status?: number | undefined
  readonly text: string
  readonly isWhole: boolean
}

/** Resolves when nothing more comes, or `enough` has. */
function ask(protocol: FrontProtocol, enough = Infinity): Promise<Told> {
  return protocol === 'h2' ? askHttp2(enough) : askHttp1(enough)
}

function askHttp2(enough: number): Promise<Told> {
  const session = connect(front.url, { ca: authority.certificate }).on('error', () => {})
  const stream = session.request({ ':method': 'POST', ':path': '/path?query', licence: 'valid' })
  return new Promise((resolve) => {
    let status: number | undefined
    let text = ''
    stream.on('response', (headers) => (status = headers[':status']))
    stream.on('data', (chunk: Buffer) => {
      text += String(chunk)
      if (text.length >= enough) stream.close()
    })
    stream.on('error', () => {})
    stream.on('close', () => {
      const isWhole = stream.rstCode === 0 && !session.destroyed && text.length < enough
      session.destroy()
      resolve({ status, text, isWhole })
    })
    stream.end('body')
  })
}

function askHttp1(enough: number): Promise<Told> {
  return new Promise((resolve) => {
    const asking = request(`${front.url}/path?query`, {
      method: 'POST',
      ca: authority.certificate,
      headers: { licence: 'valid' },
      agent: false,
    })
    let text = ''
    let isWhole = false
    let status: number | undefined
    asking.on('error', () => {})
    asking.on('response', (response) => {
      status = response.statusCode
      response.on('error', () => {})
      response.on('end', () => (isWhole = true))
      response.on('data', (chunk: Buffer) => {
        text += String(chunk)
        if (text.length >= enough) asking.destroy()
      })
    })
    asking.on('close', () => resolve({ status, text, isWhole }))
    asking.end('body')
  })
}

it('a simulated push service tells each connection of HTTP/2 to go away', async () => {
  await start(async () => ({ status: 200, body: 'ok' }), ['h2'])
  const sessions = [1, 2].map(() => connect(front.url, { ca: authority.certificate }))
  const away = sessions.map((session) => once(session, 'goaway'))
  await Promise.all(sessions.map((session) => once(session, 'remoteSettings')))
  front.goaway()
  await Promise.all(away)
  for (const session of sessions) session.destroy()
})

it('a simulated push service does not look at what comes after its goodbye, also where it came with what was before', async () => {
  const asked: string[] = []
  front = await startHttpsFront({
    authority: { ...connectionAuthority, issue: () => certificate },
    names: [],
    async answer({ url }) {
      asked.push(url)
      front.goaway()
      return { status: 200 }
    },
  })
  // A server of Node does not read our goodbye after its own (docs/facts/node.md#other-http2-peers), and would be waited for.
  const connections = connectionsTo({ port: front.port, rules: { pingMs: 100 } })
  const told = await Promise.all([post(connections), post(connections), post(connections)])
  expect(told.map(({ kind }) => kind)).toEqual(['answer', 'lost', 'lost'])
  expect(told.slice(1)).toEqual(told.slice(1).map(() => expect.objectContaining({ isUnprocessed: true })))
  expect(asked).toHaveLength(1)
  await connections.close()
})

describe.each<FrontProtocol>(['h2', 'http/1.1'])('a simulated push service over %s', (protocol) => {
  it('is asked, and answers', async () => {
    const asked: FrontRequest[] = []
    await start(async (one) => {
      asked.push(one)
      return { status: 404, headers: { 'retry-after': '2' }, body: 'text' }
    })
    expect(await ask(protocol)).toEqual({ status: 404, text: 'text', isWhole: true })
    const { host } = new URL(front.url)
    expect(asked).toMatchObject([{ method: 'POST', url: '/path?query', headers: { host, licence: 'valid' } }])
    expect(Object.keys(asked[0]?.headers ?? {}).filter((name) => name.startsWith(':'))).toEqual([])
    expect(asked[0]?.body.toString()).toBe('body')
    expect(front.requests[protocol]).toBe(1)
  })

  it('resets what it does not answer', async () => {
    await start(async (one) => {
      one.reset()
      return undefined
    })
    expect(await ask(protocol)).toEqual({ status: undefined, text: '', isWhole: false })
  })

  it('ends in the middle of an answer', async () => {
    await start(async () => ({ status: 200, body: 'text', ending: 'cut' }))
    expect(await ask(protocol)).toEqual({ status: 200, text: 't', isWhole: false })
  })

  it('answers without an end', async () => {
    await start(async () => ({ status: 200, body: 'text', ending: 'drips' }))
    expect(await ask(protocol, 6)).toMatchObject({ status: 200, text: 'text..', isWhole: false })
  })
})

it.each<[readonly FrontProtocol[], string | false]>([
  [['h2', 'http/1.1'], 'h2'],
  [['h2'], 'h2'],
  [['http/1.1'], 'http/1.1'],
])('of %j, HTTP/2 is what is spoken when both can', async (protocols, spoken) => {
  await start(async () => ({ status: 200 }), protocols)
  const socket = connectTls({ port: front.port, ca: authority.certificate, ALPNProtocols: ['h2', 'http/1.1'] })
  await new Promise((resolve) => socket.once('secureConnect', resolve))
  expect(socket.alpnProtocol).toBe(spoken)
  socket.destroy()
})
