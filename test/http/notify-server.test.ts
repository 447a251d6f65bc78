import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { StoreUnavailableError } from '../../src/core/errors.ts'
import type { Notification } from '../../src/core/notification.ts'
import { NOTIFY_PATH } from '../../src/http/notify-server.ts'
import { createTestNotifyServer } from '../helpers/notify-server.ts'
import { RecordedLog } from '../helpers/recorded-log.ts'

const BODY = JSON.stringify({ notification: { event_id: '$e', devices: [{ app_id: 'a', pushkey: 'p' }] } })

let notified: Notification[]
let log: RecordedLog
let answers: number[]
let notify: (notification: Notification) => Promise<readonly string[]>
let server: ReturnType<typeof createTestNotifyServer>
let url: string

beforeEach(async () => {
  notified = []
  answers = []
  notify = async (notification) => {
    notified.push(notification)
    return []
  }
  log = new RecordedLog()
  server = createTestNotifyServer({
    intake: { accept: (notification) => notify(notification) },
    publicKeyFor: (appId) => (appId === 'com.example.web' ? 'public-key' : undefined),
    metrics: { requestAnswered: (code) => answers.push(code), stoppedAtDoor: () => {}, relayAnswered: () => {} },
    log,
  })
  url = await server.listen({ host: '127.0.0.1', port: 0 })
})
afterEach(() => server.close())

function post(
  body: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string> = {},
  path = NOTIFY_PATH,
): Promise<Response> {
  return fetch(url + path, { method: 'POST', body, headers })
}

describe('a notification', () => {
  it('is taken with a slash at the end of the path, too, as Sygnal does', async () => {
    const response = await post(BODY, {}, `${NOTIFY_PATH}/`)
    expect([response.status, await response.json()]).toEqual([200, { rejected: [] }])
    expect(notified).toHaveLength(1)
    expect(answers).toEqual([200])
    expect(await (await fetch(`${url}${NOTIFY_PATH}/`)).json()).toMatchObject({ gateway: 'matrix' })
  })

  it('is answered 200 with the list of rejected pushkeys, as JSON', async () => {
    notify = async () => ['dead-pushkey']
    const response = await post(BODY)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toMatch(/^application\/json/)
    expect(await response.json()).toEqual({ rejected: ['dead-pushkey'] })
    expect(answers).toEqual([200])
  })

  it.each([
    'application/json',
    'application/json; charset=utf-8',
    'text/plain',
    'application/x-www-form-urlencoded',
    'nonsense',
  ])('sent as %s is read as JSON', async (type) => {
    expect((await post(BODY, { 'content-type': type })).status).toBe(200)
    expect(notified).toHaveLength(1)
  })

  it('without a content type is read as JSON', async () => {
    const response = await fetch(url + NOTIFY_PATH, { method: 'POST', body: new TextEncoder().encode(BODY) })
    expect(response.status).toBe(200)
  })

  it('may carry a query string', async () => {
    expect((await post(BODY, {}, `${NOTIFY_PATH}?k=secret`)).status).toBe(200)
  })

  it('that cannot be stored is answered 503 M_UNKNOWN', async () => {
    notify = () => Promise.reject(new StoreUnavailableError('the store is not writable'))
    const response = await post(BODY)
    expect([response.status, await response.json()]).toEqual([503, { errcode: 'M_UNKNOWN', error: expect.any(String) }])
  })

  it('that meets a bug is answered 500, and the answer tells nothing about it', async () => {
    notify = () => Promise.reject(new Error('pushkey abc'))
    const response = await post(BODY)
    expect([response.status, await response.json()]).toEqual([
      500,
      { errcode: 'M_UNKNOWN', error: 'Internal server error' },
    ])
    expect(log.messages('error')).toEqual(['A request failed'])
  })
})

describe('a wrong request', () => {
  const wrong: [string, string, number, string][] = [
    ['a body that is not JSON', 'hello', 400, 'M_NOT_JSON'],
    ['no body', '', 400, 'M_NOT_JSON'],
    ['no notification', '{}', 400, 'M_BAD_JSON'],
    ['200,000 brackets', '['.repeat(200_000), 400, 'M_NOT_JSON'],
    ['200,000 brackets that are closed', '['.repeat(200_000) + ']'.repeat(200_000), 400, 'M_BAD_JSON'],
    ['600 KiB', JSON.stringify({ notification: 'x'.repeat(600 * 1024) }), 413, 'M_TOO_LARGE'],
  ]
  it.each(wrong.map(([what, body, status, errcode]) => ({ what, body, status, errcode })))(
    'with $what is answered $status',
    async ({ body, status, errcode }) => {
      const response = await post(body)
      expect([response.status, await response.json()]).toEqual([status, { errcode, error: expect.any(String) }])
      expect([notified, log.entries]).toEqual([[], []])
    },
  )

  it.each([
    ['GET', '/nothing', 404],
    ['POST', '/', 405],
    ['POST', '/_hushgate/privacy', 405],
    ['GET', '/_hushgate/privacy/', 404],
    ['PUT', '/_matrix/push/v1/notify/', 405],
    ['POST', '/_matrix/push/v1/notify/more', 404],
    ['GET', '/health/', 404],
    ['POST', '//_matrix/push/v1/notify', 404],
    ['POST', '/_matrix/push/v2/notify', 404],
    ['PUT', NOTIFY_PATH, 405],
    ['DELETE', NOTIFY_PATH, 405],
    ['OPTIONS', NOTIFY_PATH, 405],
    ['POST', '/health', 405],
    ['POST', '/_hushgate/vapid/com.example.web', 405],
    ['GET', '/_hushgate/vapid/com.example.ios', 404],
    ['GET', '/_hushgate/vapid/com.example.web/more', 404],
    ['GET', '/_hushgate/vapid/', 404],
  ])('%s %s is answered %i M_UNRECOGNIZED', async (method, path, status) => {
    const response = await fetch(url + path, { method })
    expect([response.status, await response.json()]).toEqual([
      status,
      { errcode: 'M_UNRECOGNIZED', error: expect.any(String) },
    ])
    // Which methods there are (RFC 9110 §15.5.6).
    expect(response.headers.get('allow')?.split(', ').includes('GET')).toBe(status === 405 ? true : undefined)
  })

  it.each(['GET', 'HEAD'])('%s /health is answered 200 with nothing, for probes made for Sygnal', async (method) => {
    const response = await fetch(`${url}/health`, { method })
    expect([response.status, await response.text()]).toEqual([200, ''])
  })

  it.each([
    ['/%zz', 400],
    ['/_matrix/push/v1/notify%', 400],
    ['/%E0%A4%A', 400],
    [`/_hushgate/vapid/${'x'.repeat(101)}`, 404],
  ])('whose path cannot be read is answered as any other, and not repeated: %.40s', async (path, status) => {
    const answer = await sendRaw(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`)
    const [head = '', body = ''] = answer.split('\r\n\r\n')
    expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} [^]*\r\ncontent-type: application/json`))
    expect(JSON.parse(body)).toEqual({ errcode: 'M_UNRECOGNIZED', error: expect.any(String) })
    expect(answer).not.toContain(path.slice(1))
  })

  it.each([
    'GARBAGE\r\n\r\n',
    'POST /_matrix/push/v1/notify HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n',
    'GET /%ff%fe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n',
    'GET /health HTTP/1.1\r\nConnection: close\r\n\r\n',
    'POST /_matrix/push/v1/notify HTTP/1.1\r\nHost: x\r\nExpect: the-unexpected\r\nContent-Length: 2\r\n\r\n{}',
  ])('that is not HTTP (%j) never gets a 5xx, and the server lives on', async (bytes) => {
    const answer = await sendRaw(bytes)
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d/)
    expect(JSON.parse(answer.split('\r\n\r\n')[1] ?? '')).toEqual({
      errcode: 'M_UNRECOGNIZED',
      error: expect.any(String),
    })
    expect((await post(BODY)).status).toBe(200)
  })

  it('without a host is none in HTTP/1.0, which knows no hosts', async () => {
    expect(await sendRaw('GET /health HTTP/1.0\r\n\r\n')).toMatch(/^HTTP\/1\.1 200/)
  })

  it('whose body breaks off leaves nothing behind', async () => {
    const socket = await open()
    socket.write(`POST ${NOTIFY_PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{"notif`)
    socket.destroy()
    await once(socket, 'close')
    expect((await post(BODY)).status).toBe(200)
    expect(notified).toHaveLength(1)
  })
})

describe('the connection', () => {
  it('is kept longer than the 120 s for which Synapse keeps it', () => {
    expect(server.server.keepAliveTimeout).toBeGreaterThan(120_000)
  })

  it('is given up when a request takes longer than 20 s to arrive, or its headers longer than 10 s', () => {
    expect([server.server.requestTimeout, server.server.headersTimeout]).toEqual([20_000, 10_000])
  })

  it('does not keep the process from stopping by a request that never ends', async () => {
    const socket = await open()
    socket.on('error', () => {})
    socket.write(`POST ${NOTIFY_PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{`)
    expect((await post(BODY)).status).toBe(200)
    await server.close()
    if (!socket.closed) await once(socket, 'close')
  })
})

describe('discovery', () => {
  it('tells the public key of a web app to pages of any origin, which may keep it for minutes', async () => {
    const response = await fetch(`${url}/_hushgate/vapid/com.example.web`)
    expect([response.status, await response.json()]).toEqual([200, { vapid: 'public-key' }])
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(response.headers.get('cache-control')).toBe('public, max-age=300')
  })

  it('tells what the configuration of a web app says of this gateway, by the host that was asked for', async () => {
    const response = await fetch(`${url}/_hushgate/app/com.example.web.json`)
    const { host } = new URL(url)
    expect([response.status, await response.json()]).toEqual([
      200,
      {
        pushNotificationDetails: {
          pushNotifyUrl: `https://${host}/_matrix/push/v1/notify`,
          vapidPublicKey: 'public-key',
          webPushAppID: 'com.example.web',
        },
        push: { appId: 'com.example.web', gatewayUrl: `https://${host}`, applicationServerKey: 'public-key' },
      },
    ])
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(response.headers.get('cache-control')).toBe('no-store')
  })

  it('tells none for an app without a key, or at another form of the path', async () => {
    for (const path of ['com.example.ios.json', 'com.example.web', '.json', 'com.example.web.json/more'])
      expect((await fetch(`${url}/_hushgate/app/${path}`)).status).toBe(404)
  })

  it('tells a page of another origin that an app has no such key', async () => {
    const response = await fetch(`${url}/_hushgate/vapid/com.example.ios`)
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
  })

  it('GET on the notify path says that this is a gateway', async () => {
    const response = await fetch(url + NOTIFY_PATH)
    expect([response.status, await response.json()]).toEqual([
      200,
      { gateway: 'matrix', unifiedpush: { gateway: 'matrix' } },
    ])
  })

  it("GET /health is answered 200 with nothing, as Sygnal's probes expect", async () => {
    const response = await fetch(`${url}/health`)
    expect([response.status, await response.text()]).toEqual([200, ''])
  })
})

async function open(): Promise<Socket> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

async function sendRaw(bytes: string): Promise<string> {
  const socket = await open()
  let answer = ''
  socket.on('data', (chunk) => (answer += chunk.toString()))
  socket.write(bytes)
  await once(socket, 'close')
  return answer
}
