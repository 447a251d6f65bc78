import { createPrivateKey, createSign } from 'node:crypto'
import { request } from 'node:https'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { isJsonObject, type JsonObject } from '../../src/core/json.ts'
import { createAuthority } from '../../src/simulators/certificate.ts'
import type { ServiceAccount } from '../../src/simulators/fcm-authorization.ts'
import { startFcmSimulator, type FcmSimulator, type ReceivedFcmPush } from '../../src/simulators/fcm.ts'

const PROJECT = 'example-project'
const authority = createAuthority()
const seen: ReceivedFcmPush[] = []
let simulator: FcmSimulator
let account: ServiceAccount
let bearer: string

beforeAll(async () => {
  simulator = await startFcmSimulator({ authority, onPush: (push) => seen.push(push) })
  account = simulator.createServiceAccount(PROJECT)
  const { access_token: token } = (await grant(assertion())).json
  bearer = typeof token === 'string' ? token : ''
})
afterEach(() => simulator.setFault(undefined))
afterAll(() => simulator.close())

interface Answer {
  readonly status: number
  readonly retryAfter?: string | undefined
  readonly text: string
  readonly json: JsonObject
}

function post(url: string, body: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request(url, { method: 'POST', ca: authority.certificate, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () => {
        resolve({
          status: response.statusCode ?? 0,
          retryAfter: response.headers['retry-after'],
          text,
          json: jsonOf(text),
        })
      })
    })
      .on('error', reject)
      .end(body)
  })
}

function jsonOf(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text)
    return isJsonObject(value) ? value : {}
  } catch {
    return {}
  }
}

function assertion(claims: JsonObject = {}, header: JsonObject = { alg: 'RS256', typ: 'JWT' }): string {
  const iat = Math.floor(Date.now() / 1000)
  const all = {
    iss: account.client_email,
    scope: 'https://www.googleapis.com/auth/firebase.messaging',
    aud: simulator.tokenUri,
    iat,
    exp: iat + 3600,
    ...claims,
  }
  const signed = [header, all].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
  const key = createPrivateKey(account.private_key)
  return `${signed}.${createSign('RSA-SHA256').update(signed).sign(key, 'base64url')}`
}

function grant(jwt: string, type = 'urn:ietf:params:oauth:grant-type:jwt-bearer'): Promise<Answer> {
  return post(simulator.tokenUri, new URLSearchParams({ grant_type: type, assertion: jwt }).toString())
}

function send(message: object, token = bearer, project = PROJECT): Promise<Answer> {
  const url = `${simulator.url}/v1/projects/${project}/messages:send`
  return post(url, JSON.stringify({ message }), { authorization: `Bearer ${token}` })
}

function errorOf({ json }: Answer): JsonObject {
  return isJsonObject(json['error']) ? json['error'] : {}
}

describe('the simulated token endpoint', () => {
  const nowSeconds = Math.floor(Date.now() / 1000)
  it.each([
    ['another issuer', { iss: 'x@example.org' }, 'invalid_grant'],
    ['another audience', { aud: 'https://oauth2.googleapis.com/token' }, 'invalid_grant'],
    ['another scope', { scope: 'https://www.googleapis.com/auth/drive' }, 'invalid_scope'],
    ['more than an hour', { exp: nowSeconds + 7200 }, 'invalid_grant'],
    ['a clock behind', { iat: nowSeconds - 7200, exp: nowSeconds - 3600 }, 'invalid_grant'],
    ['a clock ahead', { iat: nowSeconds + 3600, exp: nowSeconds + 7200 }, 'invalid_grant'],
  ])('refuses an assertion with %s', async (_what, claims, error) => {
    expect(await grant(assertion(claims))).toMatchObject({ status: 400, json: { error } })
  })

  it('refuses what is signed by somebody else, or not with RS256', async () => {
    const [header, , signature] = assertion().split('.')
    const forged = [header, assertion({ iat: 1 }).split('.')[1], signature].join('.')
    expect(await grant(forged)).toMatchObject({ status: 400, json: { error: 'invalid_grant' } })
    expect(await grant(assertion({}, { alg: 'none' }))).toMatchObject({ status: 400 })
    expect(await grant('x')).toMatchObject({ status: 400 })
    expect(await grant(assertion(), 'password')).toMatchObject({ json: { error: 'unsupported_grant_type' } })
  })
})

describe('the simulated FCM', () => {
  it('accepts a message, keeps it, and shows it', async () => {
    const message = { data: { sync: '1' }, android: { priority: 'HIGH', ttl: '3.5s' }, token: 'token-1' }
    const answer = await send(message)
    expect(answer.status).toBe(200)
    expect(answer.json['name']).toMatch(/^projects\/example-project\/messages\/0:\d+$/)
    expect(simulator.received.at(-1)).toMatchObject({ token: 'token-1', message, status: 200, validateOnly: false })
    expect(seen.at(-1)).toBe(simulator.received.at(-1))
  })

  it.each([
    ['no target', { data: {} }, 'Recipient'],
    ['two targets', { token: 'x', topic: 'y' }, 'oneof'],
    ['a token that is none', { token: 'a token' }, 'registration token'],
    ['an unknown field', { token: 'x', priority: 'high' }, 'priority'],
    ['an unknown field for Android', { token: 'x', android: { priorty: 'high' } }, 'priorty'],
    ['a number in its data', { token: 'x', data: { a: 1 } }, 'TYPE_STRING'],
    ['null in its data', { token: 'x', data: { a: null } }, 'TYPE_STRING'],
    ['a reserved key', { token: 'x', data: { from: 'y' } }, 'from'],
    ['a reserved prefix', { token: 'x', data: { 'google.x': 'y' } }, 'google.x'],
    ['4097 bytes of data', { token: 'x', data: { a: 'é'.repeat(2048) } }, 'too big'],
    ['an unknown priority', { token: 'x', android: { priority: 'low' } }, 'priority'],
    ['a lifetime in milliseconds', { token: 'x', android: { ttl: 3600 } }, 'ttl'],
    ['a lifetime of more than four weeks', { token: 'x', android: { ttl: '2419201s' } }, 'ttl'],
  ])('refuses %s', async (_what, message, text) => {
    const answer = await send(message)
    expect(answer.status).toBe(400)
    expect(errorOf(answer)).toMatchObject({ code: 400, status: 'INVALID_ARGUMENT' })
    expect(JSON.stringify(errorOf(answer))).toContain(text)
  })

  it('takes 4096 bytes of data', async () => {
    expect(await send({ token: 'x', data: { a: 'x'.repeat(4095) } })).toMatchObject({ status: 200 })
  })

  it('refuses an access token that it did not give, and another project', async () => {
    expect(await send({ token: 'x' }, 'ya29.x')).toMatchObject({ status: 401 })
    const other = await send({ token: 'x' }, bearer, 'another-project')
    expect(errorOf(other)).toMatchObject({ code: 403, status: 'PERMISSION_DENIED', details: [] })
  })

  it.each([
    ['xs503.a2-1', 503, 'UNAVAILABLE'],
    ['xrUNREGISTERED-1', 404, 'UNREGISTERED'],
    ['xs429-1', 429, 'QUOTA_EXCEEDED'],
    ['xs404.rNOTHING-1', 404, 'NOTHING'],
  ])('answers %s as it says', async (token, status, errorCode) => {
    const answer = await send({ token })
    expect(answer.status).toBe(status)
    expect(errorOf(answer)['details']).toMatchObject([{ errorCode }])
    expect(answer.retryAfter).toBe(token.includes('a2') ? '2' : undefined)
  })

  it('answers with an FcmError only where FCM would', async () => {
    expect(errorOf(await send({ token: 'xs404.rNOT_FOUND-1' }))['details']).toEqual([])
    expect(errorOf(await send({ token: 'xs401-1' }))['details']).toEqual([])
  })

  it('answers by script as often as it says', async () => {
    expect(await send({ token: 'xs500.n1-1' })).toMatchObject({ status: 500 })
    expect(await send({ token: 'xs500.n1-1' })).toMatchObject({ status: 200 })
  })

  it.each([
    ['xs200.badjson-1', 200, '{"name": '],
    ['xs400.nobody-1', 400, ''],
  ])('answers %s with a body that is not one', async (token, status, text) => {
    expect(await send({ token })).toMatchObject({ status, text })
  })

  it('resets the connection', async () => {
    await expect(send({ token: 'xrst-1' })).rejects.toThrow('socket hang up')
    expect(simulator.received.at(-1)).toMatchObject({ token: 'xrst-1', status: undefined })
  })
})
