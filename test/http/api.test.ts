/** The operator's API of a gateway: who is let in, what is taken, and that each answer is as its schema has it. */
import { request } from 'node:http'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Value } from 'typebox/value'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { API, API_PREFIX, type ApiRoute } from '../../src/http/api.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'

const IOS = 'com.example.ios'

let services: PushServices
let gateway: TestGateway
let token: string
beforeAll(async () => {
  services = await startPushServices()
  gateway = await startGateway({ appsYaml: services.appsYaml })
  token = (await readFile(join(gateway.folder, 'token'), 'utf8')).trim()
})
afterAll(async () => {
  await gateway.close()
  await services[Symbol.asyncDispose]()
})

interface Asked {
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | undefined
  readonly query?: string
  readonly method?: string
}

interface Answered {
  readonly status: number | undefined
  readonly allow: string | undefined
  readonly json: unknown
}

/** With the token, unless other headers are given; `fetch` lets nobody set some of them. */
function ask({ method, path }: Pick<ApiRoute, 'method' | 'path'>, asked: Asked = {}): Promise<Answered> {
  const { headers = { authorization: `Bearer ${token}` }, body, query = '' } = asked
  const type = body === undefined ? {} : { 'content-type': 'application/json' }
  return new Promise((resolve, reject) => {
    const options = { method: asked.method ?? method, headers: { ...type, ...headers } }
    const outgoing = request(gateway.adminUrl + API_PREFIX + path + query, options, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString()
        const json: unknown = text === '' ? undefined : JSON.parse(text)
        resolve({ status: response.statusCode, allow: response.headers.allow, json })
      })
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

/** What each takes, so that something is done. */
const BODIES: Readonly<Record<string, object>> = {
  '/pause': { app: IOS },
  '/resume': { app: IOS },
  '/dead/retry': { all: true },
  '/dead/drop': { all: true },
  '/rejections': { app: IOS, verdict: 'confirm' },
  '/find': { pushkey: newPushkey().apns },
  '/test-push': { app: IOS, pushkey: newPushkey().apns },
  '/forget': { appId: IOS, pushkey: newPushkey().apns },
}
const bodyOf = ({ method, path }: ApiRoute): string | undefined =>
  method === 'POST' ? JSON.stringify(BODIES[path]) : undefined
const ROUTES = API.map((route) => [`${route.method} ${API_PREFIX}${route.path}`, route] as const)

describe.each(ROUTES)('%s', (_, route) => {
  const own = { authorization: '', host: 'localhost' }
  const authorized = () => ({ ...own, authorization: `Bearer ${token}` })

  it('answers as its schema has it', async () => {
    const { status, json } = await ask(route, { body: bodyOf(route) })
    expect(status).toBe(200)
    expect([...Value.Errors(route.answer, json)]).toEqual([])
  })

  it.each([[{ authorization: '' }], [{ authorization: 'Bearer wrong' }], [{ authorization: 'Basic eDp5' }]])(
    'is closed without the token: %j',
    async (headers) => {
      expect((await ask(route, { headers, body: bodyOf(route) })).status).toBe(401)
    },
  )

  it('is not for a name that a web page could give itself', async () => {
    const headers = { ...authorized(), host: 'evil.example' }
    expect((await ask(route, { headers, body: bodyOf(route) })).status).toBe(403)
  })

  it.each([{ origin: 'https://evil.example' }, { origin: 'null' }, { 'sec-fetch-site': 'cross-site' }])(
    'is not for a web page of another origin: %j',
    async (of) => {
      expect((await ask(route, { headers: { ...authorized(), ...of }, body: bodyOf(route) })).status).toBe(403)
    },
  )

  it('takes nothing that it does not know, and does not repeat it', async () => {
    const wrong = await (route.method === 'POST'
      ? ask(route, { body: JSON.stringify({ ...BODIES[route.path], CANARY: 'CANARY' }) })
      : ask(route, { query: '?CANARY=CANARY' }))
    expect(wrong.status).toBe(400)
    expect(JSON.stringify(wrong.json)).not.toContain('CANARY')
  })

  it('says which methods there are', async () => {
    // QUERY comes with a body, which is not asked for.
    for (const method of ['PATCH', 'QUERY']) {
      const { status, allow } = await ask(route, { method })
      expect([status, allow]).toEqual([405, expect.stringContaining(route.method)])
    }
  })
})

describe('the API', () => {
  it.each([{ app: 5 }, { app: null }, { apps: IOS }, { dryRun: 'true' }, [], 'text'])(
    'drops no dead letter for a filter that is written wrong: %j',
    async (filter) => {
      const answered = await ask({ method: 'POST', path: '/dead/drop' }, { body: JSON.stringify(filter) })
      expect(answered.status).toBe(400)
    },
  )

  it.each([{}, { dryRun: true }, { all: false }, { all: true, app: IOS }])(
    'takes no dead letter for meant that nothing names: %j',
    async (filter) => {
      for (const path of ['/dead/retry', '/dead/drop']) {
        const { status, json } = await ask({ method: 'POST', path }, { body: JSON.stringify(filter) })
        expect([status, json]).toEqual([400, { error: expect.stringMatching(/all: true|all does not fit/) }])
      }
    },
  )

  it('answers 404 to a pause of an app that is not configured', async () => {
    for (const path of ['/pause', '/resume'])
      expect((await ask({ method: 'POST', path }, { body: '{"app":"com.example.nobody"}' })).status).toBe(404)
  })

  it('answers nothing where it was before', async () => {
    const response = await fetch(`${gateway.adminUrl}/api/dead`, { headers: { authorization: `Bearer ${token}` } })
    expect(response.status).toBe(404)
  })
})
