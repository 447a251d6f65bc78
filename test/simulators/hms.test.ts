/** The simulated Push Kit is as strict as Huawei's documents (docs/facts/hms.md); test/fixtures/push-kit-requests.json has what these say, a request each. */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { JsonObject } from '../../src/core/json.ts'
import { createAuthority } from '../../src/simulators/certificate.ts'
import { startHmsSimulator, type HmsSimulator } from '../../src/simulators/hms.ts'

interface SpecifiedRequest {
  readonly what: string
  readonly source: string
  readonly request: JsonObject
  readonly code: string
}

const CASES: readonly SpecifiedRequest[] = JSON.parse(
  readFileSync(new URL('../fixtures/push-kit-requests.json', import.meta.url), 'utf8'),
)
const SEND = '/v2/101/messages:send'
const CREDENTIALS = { grant_type: 'client_credentials', client_id: '202', client_secret: 'the-client-secret' }

const authority = createAuthority()
let simulator: HmsSimulator
let nowMs = Date.now()
let bearer: string

beforeAll(async () => {
  const client = { projectId: '101', clientId: '202', clientSecret: 'the-client-secret' }
  simulator = await startHmsSimulator({ authority, ...client, nowMs: () => nowMs })
  bearer = await newToken()
})
afterAll(() => simulator.close())

async function post(path: string, body: string, authorization = ''): Promise<{ status: number; body: string }> {
  const headers = { authorization, 'content-length': Buffer.byteLength(body) }
  const asked = request(simulator.url + path, { method: 'POST', ca: authority.certificate, headers }).end(body)
  const [answer] = await once(asked, 'response')
  return { status: answer.statusCode, body: await text(answer) }
}

const askToken = (form: Readonly<Record<string, string>>) =>
  post('/oauth2/v3/token', new URLSearchParams(form).toString())

async function newToken(): Promise<string> {
  const { access_token: token } = JSON.parse((await askToken(CREDENTIALS)).body)
  return `Bearer ${token}`
}

async function codeOf(body: JsonObject | string, authorization = bearer): Promise<unknown> {
  const answer = await post(SEND, typeof body === 'string' ? body : JSON.stringify(body), authorization)
  const { code } = JSON.parse(answer.body)
  return code
}

const dataMessage = (data: string, token = 'T'): JsonObject => ({ message: { data, token: [token] } })

describe('a request to Push Kit', () => {
  it.each(CASES)('with $what is answered $code ($source)', async ({ request: sent, code }) => {
    expect(await codeOf(sent)).toBe(code)
  })

  it('that is no JSON is one of wrong parameters', async () => {
    expect(await codeOf('{"message":')).toBe('80100001')
  })

  it('has 4,096 bytes at most, without its token', async () => {
    const around = JSON.stringify(dataMessage('')).length - '"T"'.length
    expect(await codeOf(dataMessage('x'.repeat(4096 - around), 'T'.repeat(500)))).toBe('80000000')
    expect(await codeOf(dataMessage('x'.repeat(4097 - around)))).toBe('80300008')
  })

  it('is refused without an access token, with one that is old, and in the name of another project', async () => {
    const old = await newToken()
    nowMs += 3600_000
    bearer = await newToken()
    expect(await codeOf(dataMessage('{}'), 'Bearer strange')).toBe('80200001')
    expect(await codeOf(dataMessage('{}'), old)).toBe('80200003')
    expect((await post('/v2/999/messages:send', '{}', bearer)).status).toBe(404)
  })

  it.each([
    ['another grant', { grant_type: 'authorization_code' }],
    ['another client', { client_id: '203' }],
    ['another secret', { client_secret: 'guessed' }],
  ])('gets no access token by %s', async (_what, wrong) => {
    const { status, body } = await askToken({ ...CREDENTIALS, ...wrong })
    expect(status).toBe(400)
    expect(JSON.parse(body)).toMatchObject({ error: 1101 })
  })
})

describe('a push token that says what is answered', () => {
  it.each([
    ['xr80300007-a', 400, '80300007'],
    ['xs503.r80300007-a', 503, '80300007'],
    ['xr81000001-a', 500, '81000001'],
    ['xs503.nobody-a', 503, undefined],
  ])('%s', async (token, status, code) => {
    const answer = await post(SEND, JSON.stringify(dataMessage('{}', token)), bearer)
    expect(answer.status).toBe(status)
    expect(answer.body === '' ? undefined : JSON.parse(answer.body).code).toBe(code)
  })

  it('may have a body that is not JSON, and an answer that takes its time', async () => {
    const { body } = await post(SEND, JSON.stringify(dataMessage('{}', 'xs500.badjson-a')), bearer)
    expect(() => JSON.parse(body)).toThrow(SyntaxError)
    const startedMs = performance.now()
    await post(SEND, JSON.stringify(dataMessage('{}', 'xd100-a')), bearer)
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(95)
  })
})
