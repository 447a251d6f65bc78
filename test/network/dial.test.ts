import { once } from 'node:events'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DialError, ProxyRefusedError } from '../../src/core/errors.ts'
import { Secret } from '../../src/core/secret.ts'
import { createDial } from '../../src/network/dial.ts'
import { freePort } from '../helpers/free-port.ts'
import { until } from '../helpers/received.ts'
import { startFakeProxy, type FakeProxy, type ProxyAnswer } from './fake-proxy.ts'

const never = new AbortController().signal
/** Says in capitals what it is told. */
let echo: Server
let port: number

beforeAll(async () => {
  echo = createServer((socket) => socket.on('data', (text) => socket.write(text.toString().toUpperCase())))
  await once(echo.listen(0, '127.0.0.1'), 'listening')
  port = portOf(echo)
})
afterAll(() => {
  echo.close()
})

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address()
  return typeof address === 'object' && address !== null ? address.port : 0
}

function through(proxy: FakeProxy, rest: { readonly credentials?: Secret; readonly noProxy?: string } = {}) {
  return createDial({ host: '127.0.0.1', port: proxy.port, ...rest })
}

async function askEcho(dial: ReturnType<typeof createDial>, host = '127.0.0.1', at = port): Promise<string> {
  const stream = await dial(host, at, never)
  stream.write('hello')
  const [answer] = await once(stream, 'data')
  stream.destroy()
  return String(answer)
}

async function failureOf(promise: Promise<unknown>): Promise<DialError> {
  const error = await promise.then(
    () => undefined,
    (failure: unknown) => failure,
  )
  if (!(error instanceof DialError)) throw new Error('it did not fail with a DialError', { cause: error })
  return error
}

describe('dialling without a proxy', () => {
  it('connects to the host', async () => {
    expect(await askEcho(createDial(undefined))).toBe('HELLO')
    expect(await askEcho(createDial(undefined), 'localhost')).toBe('HELLO')
  })

  it('asks the given lookup for the addresses of a name', async () => {
    const stream = await createDial(undefined)('push.example.org', port, never, {
      lookup: (_host, _options, done) => done(null, [{ address: '127.0.0.1', family: 4 }]),
    })
    stream.destroy()
  })

  it('says why there is no connection, by a code alone', async () => {
    const error = await failureOf(createDial(undefined)('127.0.0.1', await freePort(), never))
    expect(error).toMatchObject({ code: 'ECONNREFUSED', message: 'ECONNREFUSED', isProxyAway: false })
  })

  it('ends when the signal says so', async () => {
    expect(await failureOf(createDial(undefined)('127.0.0.1', port, AbortSignal.abort()))).toMatchObject({
      code: 'timed out',
    })
  })
})

describe('dialling through a proxy', () => {
  it('asks it for the host by its name, and then speaks with the host', async () => {
    await using proxy = await startFakeProxy()
    expect(await askEcho(through(proxy), 'localhost')).toBe('HELLO')
    expect(proxy.asked).toEqual([{ authority: `localhost:${port}`, authorization: undefined }])
  })

  it('writes an IPv6 address in brackets', async () => {
    await using proxy = await startFakeProxy(502)
    await failureOf(through(proxy)('2001:db8::1', 443, never))
    expect(proxy.asked).toMatchObject([{ authority: '[2001:db8::1]:443' }])
  })

  it.each(['user:password', 'us%er:p@ss:w/o#r d?', 'ü:日本語', ':only a password', 'only a user:', 'a:???>>>~~~'])(
    'tells it %s in UTF-8 and the ordinary alphabet of base64',
    async (credentials) => {
      await using proxy = await startFakeProxy()
      expect(await askEcho(through(proxy, { credentials: new Secret(credentials) }))).toBe('HELLO')
      const [, encoded = ''] = /^Basic ([A-Za-z0-9+/]+=*)$/.exec(proxy.asked[0]?.authorization ?? '') ?? []
      expect(Buffer.from(encoded, 'base64').toString()).toBe(credentials)
    },
  )

  it('goes past it to a host that is exempt', async () => {
    await using proxy = await startFakeProxy()
    expect(await askEcho(through(proxy, { noProxy: '127.0.0.0/8' }))).toBe('HELLO')
    expect(proxy.asked).toEqual([])
  })

  it.each([400, 401, 403, 404, 405, 407, 451])('is refused with %i', async (status) => {
    await using proxy = await startFakeProxy(status)
    const error = await failureOf(through(proxy)('127.0.0.1', port, never))
    expect(error).toBeInstanceOf(ProxyRefusedError)
    expect(error).toMatchObject({ status, code: `proxy refused: ${status}` })
  })

  it.each<[string, ProxyAnswer, string]>([
    ['cannot reach the host', 502, 'proxy 502'],
    ['is overloaded', 503, 'proxy 503'],
    ['gives up on the host', 504, 'proxy 504'],
    ['has no time', 408, 'proxy 408'],
    ['is asked too often', 429, 'proxy 429'],
    ['sends us elsewhere', 302, 'proxy 302'],
    ['hangs up', 'hang up', 'proxy ECONNRESET'],
    ['is no proxy', 'SSH-2.0-OpenSSH_9.2\r\n', 'proxy HPE_INVALID_CONSTANT'],
    [
      'never comes to the end of its headers',
      `HTTP/1.1 200 OK\r\na: ${'b'.repeat(100_000)}`,
      'proxy HPE_HEADER_OVERFLOW',
    ],
    ['says more than it should', 'HTTP/1.1 200 OK\r\n\r\nwelcome', 'proxy answer too long'],
  ])('fails when it %s', async (_what, answer, code) => {
    await using proxy = await startFakeProxy(answer)
    const error = await failureOf(through(proxy)('127.0.0.1', port, never))
    expect(error).not.toBeInstanceOf(ProxyRefusedError)
    expect(error).toMatchObject({ code, message: code, isProxyAway: false })
  })

  it('fails when nobody is there', async () => {
    const dial = createDial({ host: '127.0.0.1', port: await freePort() })
    const error = await failureOf(dial('127.0.0.1', port, never))
    expect(error).toMatchObject({ code: 'proxy ECONNREFUSED', isProxyAway: true })
  })

  it('does not wait longer for an answer than it may', async () => {
    await using proxy = await startFakeProxy('nothing')
    const patience = new AbortController()
    const failure = failureOf(through(proxy)('127.0.0.1', port, patience.signal))
    await until('it was asked', () => proxy.asked.length > 0)
    patience.abort()
    const error = await failure
    // The host may be to blame for it.
    expect(error).toMatchObject({ code: 'proxy timed out', isProxyAway: false })
  })
})
