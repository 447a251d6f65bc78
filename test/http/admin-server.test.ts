/** Who is let in to the admin port of a gateway. */
import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isFromForeignPage } from '../../src/http/browser-checks.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { openConnection } from '../helpers/raw-http.ts'
import { startPushServices, type PushServices } from '../helpers/push-services.ts'

let services: PushServices
let gateway: TestGateway
beforeAll(async () => {
  services = await startPushServices()
  gateway = await startGateway({
    appsYaml: services.appsYaml,
    adminYaml: ', allowed_hosts: ["*.monitoring.svc", hushgate.example.org]',
  })
})
afterAll(async () => {
  await gateway.close()
  await services[Symbol.asyncDispose]()
})

/** The status of an answer; `fetch` lets nobody set these headers. */
function ask(headers: Record<string, string>, path = '/metrics'): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request(gateway.adminUrl + path, { headers }, (response) => {
      response.resume()
      resolve(response.statusCode)
    })
    asked.on('error', reject).end()
  })
}

describe('the admin port', () => {
  it.each([
    '127.0.0.1:5001',
    '[::1]:5001',
    '192.0.2.1',
    'localhost:5001',
    'hushgate:5001',
    'a.monitoring.svc:5001',
    'A.MONITORING.SVC',
    'hushgate.example.org.',
  ])('may be asked as %s', async (host) => {
    expect(await ask({ host })).toBe(200)
  })

  it.each(['evil.example', '127.0.0.1.evil.example:5001', 'hushgate.example.org.evil.example', 'a b', 'x@localhost'])(
    'may not be asked as %j, a name that a web page could give itself',
    async (host) => {
      expect(await ask({ host })).toBe(403)
      expect(await ask({ host }, '/healthz')).toBe(403)
    },
  )

  it.each([
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ])('does not answer a web page: %j', async (headers) => {
    expect(await ask({ host: 'localhost', ...headers })).toBe(403)
  })

  it.each([
    [{ host: 'localhost:5001', origin: 'http://localhost:5001', 'sec-fetch-site': 'same-origin' }, 200],
    // A proxy before it speaks TLS.
    [{ host: 'hushgate.example.org', origin: 'https://hushgate.example.org' }, 200],
    [{ host: 'localhost:5001', origin: 'http://localhost:5002' }, 403],
    // The page has given its own name to our address.
    [{ host: 'evil.example', origin: 'http://evil.example', 'sec-fetch-site': 'same-origin' }, 403],
    [{ host: 'localhost:5001', origin: 'chrome-extension://localhost:5001' }, 403],
  ])('answers its own page, and nobody else’s: %j → %i', async (headers, status) => {
    expect(await ask(headers)).toBe(status)
  })

  it('answers a person who types its address into a browser', () => {
    expect(isFromForeignPage({ 'sec-fetch-site': 'none' })).toBe(false)
  })

  it.each(['/%zz', '/metrics%', `/${'x'.repeat(200)}%`])(
    'does not repeat a path that it cannot read: %.20s',
    async (path) => {
      const connection = await openConnection(gateway.adminUrl)
      connection.write(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)
      const { status, body } = (await connection.answer()) ?? {}
      expect([status, JSON.parse(body ?? '')]).toEqual([400, { error: 'The path cannot be read' }])
      connection.destroy()
    },
  )

  it.each([
    ['a path where there is nothing', 'GET /nowhere-CANARY HTTP/1.1\r\nHost: localhost', 404],
    ['no host', 'GET /healthz HTTP/1.1', 403],
    ['what it is not to expect', 'GET /healthz HTTP/1.1\r\nHost: localhost\r\nExpect: CANARY', 417],
  ])('says what is wrong with %s, and does not repeat it', async (_, head, expected) => {
    const connection = await openConnection(gateway.adminUrl)
    connection.write(`${head}\r\n\r\n`)
    const { status, body = '' } = (await connection.answer()) ?? {}
    expect([status, JSON.parse(body)]).toMatchObject([expected, { error: expect.any(String) }])
    expect(body).not.toContain('CANARY')
    connection.destroy()
  })
})
