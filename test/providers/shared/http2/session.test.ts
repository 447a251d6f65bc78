/** Our HTTP/2 with that of Node (nghttp2), which is another's. */
import { once } from 'node:events'
import { createServer, type Http2Server, type IncomingHttpHeaders, type Settings } from 'node:http2'
import { connect } from 'node:net'
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { ERROR } from '../../../../src/providers/shared/http2/frames.ts'
import { Http2Session } from '../../../../src/providers/shared/http2/session.ts'

interface Came {
  readonly status: number
  readonly retryAfter: string | undefined
  readonly body: string
  readonly code: number
}

const servers: Http2Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

interface Asked {
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A server that remembers what it was asked, and answers with these fields and the body that it was sent. */
async function start(settings: Settings, fields: () => Record<string, string>): Promise<[Http2Session, Asked[]]> {
  const asked: Asked[] = []
  const server = createServer({ settings, maxSessionMemory: 100 })
  server.on('stream', (stream, headers) => {
    const chunks: Buffer[] = []
    stream.on('error', () => {})
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => {
      const body = Buffer.concat(chunks).toString()
      asked.push({ headers, body })
      stream.respond({ ':status': 200, ...fields() })
      stream.end(body)
    })
  })
  servers.push(server)
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  const socket = connect(typeof address === 'object' ? (address?.port ?? 0) : 0, '127.0.0.1')
  const session = new Http2Session(socket, { maxAnswerBytes: 200_000, maxWaitingBytes: 100_000_000 })
  await new Promise<void>((resolve) => session.listen({ settings: resolve, goaway() {}, closed() {} }))
  return [session, asked]
}

function ask(session: Http2Session, fields: readonly string[], body: string | Uint8Array): Promise<Came> {
  return new Promise((resolve, reject) => {
    let [status, retryAfter]: [number, string | undefined] = [0, undefined]
    const chunks: Buffer[] = []
    const id = session.request(
      [':method', 'POST', ':scheme', 'https', ':authority', 'push.fake.test', ':path', '/3/device/a', ...fields],
      body,
      {
        head: (...head) => ([status, retryAfter] = head),
        data: (bytes) => chunks.push(bytes),
        closed: (code) => resolve({ status, retryAfter, body: Buffer.concat(chunks).toString(), code }),
      },
    )
    if (id === undefined) reject(new Error('it cannot be sent'))
  })
}

const name = fc.stringMatching(/^x-[a-z0-9]{0,8}$/)
const value = fc.oneof(
  fc.constantFrom('10', '5', 'alert', 'background', ''),
  fc.stringMatching(/^[!-~]{0,40}$/),
  fc.stringMatching(/^[!-~]{200,300}$/),
)
const fields = fc.uniqueArray(fc.tuple(name, value), { maxLength: 12, selector: ([one]) => one })

describe('our HTTP/2', () => {
  it.each([
    ['of the usual size', {}],
    ['without room', { headerTableSize: 0 }],
    ['with room for one or two', { headerTableSize: 128 }],
    ['with more room than we use', { headerTableSize: 65_536 }],
  ])('says the same heads as we mean, one after another, with a table %s', async (_what, settings) => {
    await fc.assert(
      fc.asyncProperty(fc.array(fields, { minLength: 1, maxLength: 20 }), async (heads) => {
        let given = ''
        const [session, asked] = await start(settings, () => ({ 'retry-after': given, 'x-other': given, date: given }))
        for (const [index, head] of heads.entries()) {
          given = String(head[0]?.[1] ?? index).trim()
          const came = await ask(session, head.flat(), '')
          expect(came).toMatchObject({ status: 200, retryAfter: given, code: ERROR.none })
          expect(asked[index]?.headers).toMatchObject(Object.fromEntries(head))
        }
        session.close()
      }),
      { numRuns: 15 },
    )
  })

  it.each<[what: string, settings: Settings]>([
    ['the usual room', {}],
    ['room for one byte after another', { initialWindowSize: 1 }],
    ['room for what is just too little', { initialWindowSize: 29_999 }],
  ])('brings bodies whole where the peer has %s', async (_what, settings) => {
    const [session, asked] = await start(settings, () => ({}))
    const long = settings.initialWindowSize === 1 ? 300 : 30_000
    const bodies = ['', 'a', 'ä€😀', 'x'.repeat(long), 'ä'.repeat(long / 2)]
    const came = await Promise.all(
      bodies.flatMap((body) => [ask(session, [], body), ask(session, [], Buffer.from(body))]),
    )
    expect(came.map(({ body }) => body)).toEqual(bodies.flatMap((body) => [body, body]))
    expect(asked).toHaveLength(came.length)
    session.close()
  })

  it('carries more than all windows together, both ways', async () => {
    const [session] = await start({}, () => ({}))
    const body = 'x'.repeat(150_000)
    for (let round = 0; round < 3; round += 1) {
      const came = await Promise.all(Array.from({ length: 10 }, () => ask(session, [], body)))
      expect(came.every((one) => one.body === body && one.code === ERROR.none)).toBe(true)
    }
    session.close()
  })

  it('carries thousands of requests at once', async () => {
    const [session, asked] = await start({ maxConcurrentStreams: 5000 }, () => ({}))
    const came = await Promise.all(
      Array.from({ length: 5000 }, (_, index) => ask(session, ['x-index', String(index)], `body ${index}`)),
    )
    expect(came.map(({ body }) => body)).toEqual(came.map((_, index) => `body ${index}`))
    expect(new Set(asked.map(({ headers }) => headers['x-index'])).size).toBe(5000)
    session.close()
  })

  it('refuses what no head may have, and goes on', async () => {
    const [session] = await start({}, () => ({}))
    for (const head of [
      ['A', 'b'],
      ['a b', 'c'],
      ['', 'c'],
      ['a', 'b\nc: d'],
      ['a', 'b\u0000'],
      ['a', '\u0100'],
      ['a', 'x'.repeat(20_000)],
    ])
      await expect(ask(session, head, '')).rejects.toThrow('it cannot be sent')
    expect(await ask(session, ['a', 'b'], 'body')).toMatchObject({ status: 200, body: 'body' })
    session.close()
  })
})
