/** Who is let in to the notify port, by an operator's word. From outside, through the server. */
import { afterEach, describe, expect, it } from 'vitest'
import { Secret } from '../../src/core/secret.ts'
import { createEntrance, type EntranceSettings } from '../../src/http/doors.ts'
import { NOTIFY_PATH } from '../../src/http/notify-server.ts'
import { createTestNotifyServer } from '../helpers/notify-server.ts'
import { RecordedLog } from '../helpers/recorded-log.ts'

const BODY = JSON.stringify({ notification: { event_id: '$e', devices: [{ app_id: 'a', pushkey: 'p' }] } })
const [OLD, NEW] = ['an-old-secret-of-some-length', 'a-new-secret-of-some-length']
const FORBIDDEN = { errcode: 'M_FORBIDDEN', error: expect.any(String) }
const secrets = (mode: 'enforce' | 'observe', ...any: string[]) => ({ mode, any: any.map((each) => new Secret(each)) })

let server: ReturnType<typeof createTestNotifyServer> | undefined
let url = ''
let accepted = 0
let stopped: string[] = []
const log = new RecordedLog()
afterEach(() => server?.close())

/** `settings` may change while it runs. */
async function open(settings: EntranceSettings['doors'], trustProxy: readonly string[] = []): Promise<void> {
  accepted = 0
  stopped = []
  server = createTestNotifyServer({
    entrance: () => createEntrance({ trustProxy, doors: settings }),
    intake: {
      accept: async () => {
        accepted += 1
        return []
      },
    },
    metrics: {
      requestAnswered: () => {},
      stoppedAtDoor: (door, result) => stopped.push(`${door} ${result}`),
      relayAnswered: () => {},
    },
    log,
  })
  url = await server.listen({ host: '127.0.0.1', port: 0 })
}

async function post(query = '', headers: Record<string, string> = {}) {
  const response = await fetch(`${url}${NOTIFY_PATH}${query}`, { method: 'POST', body: BODY, headers })
  return { status: response.status, json: await response.json() }
}

describe('without a door', () => {
  it('everybody is let in, with a secret or without, and whatever a proxy is said to have said', async () => {
    await open({})
    expect([(await post()).status, (await post(`?k=${OLD}`)).status]).toEqual([200, 200])
    expect((await post('', { 'x-forwarded-for': 'nonsense' })).status).toBe(200)
    expect(stopped).toEqual([])
  })
})

describe('a secret in the URL', () => {
  it.each([`?k=${OLD}`, `?k=${NEW}`, `?x=1&k=${NEW}`, `?k=${encodeURIComponent(NEW)}`])(
    'lets in: %s',
    async (query) => {
      await open({ secrets: secrets('enforce', OLD, NEW) })
      expect(await post(query)).toEqual({ status: 200, json: { rejected: [] } })
    },
  )

  it.each([
    '',
    '?',
    '?k=',
    '?k=wrong',
    `?K=${OLD}`,
    `?k=${OLD}x`,
    `?k=${OLD}&k=${OLD}`,
    `?k[]=${OLD}`,
    `?k=%zz`,
    `#k=${OLD}`,
  ])('that is missing or wrong is answered 403, and nothing is done: %s', async (query) => {
    await open({ secrets: secrets('enforce', OLD, NEW) })
    expect(await post(query)).toEqual({ status: 403, json: FORBIDDEN })
    expect([accepted, stopped]).toEqual([0, ['url_secret refused']])
  })

  it('that is only observed is counted where it is missing, and everybody is let in', async () => {
    await open({ secrets: secrets('observe', OLD) })
    expect([(await post()).status, (await post(`?k=${OLD}`)).status]).toEqual([200, 200])
    expect([accepted, stopped]).toEqual([2, ['url_secret observed']])
  })

  it('is asked for by its new value as soon as there is one', async () => {
    const settings = { secrets: secrets('enforce', OLD) }
    await open(settings)
    expect((await post(`?k=${NEW}`)).status).toBe(403)
    settings.secrets = secrets('enforce', NEW)
    expect([(await post(`?k=${NEW}`)).status, (await post(`?k=${OLD}`)).status]).toEqual([200, 403])
  })

  it('is not asked for where apps and people look', async () => {
    await open({ secrets: secrets('enforce', OLD), allowFrom: ['192.0.2.1'] })
    const statuses = [NOTIFY_PATH, '/', '/health', '/_hushgate/privacy'].map(
      async (path) => (await fetch(url + path)).status,
    )
    expect(await Promise.all(statuses)).toEqual([200, 200, 200, 200])
  })

  it('is in no answer and in no line of the log', async () => {
    await open({ secrets: secrets('enforce', OLD) })
    const { json } = await post(`?k=${NEW}`)
    expect(JSON.stringify([json, log.entries])).not.toMatch(/secret-of/)
  })
})

describe('a list of addresses', () => {
  it.each([
    [['127.0.0.0/8'], 200],
    [['127.0.0.1', '::1'], 200],
    [['192.0.2.0/24'], 403],
  ])('of %j answers 127.0.0.1 with %i', async (allowFrom, status) => {
    await open({ allowFrom })
    expect((await post()).status).toBe(status)
  })

  it('is not fooled by what a stranger says of himself', async () => {
    await open({ allowFrom: ['192.0.2.1'] })
    expect(await post('', { 'x-forwarded-for': '192.0.2.1' })).toEqual({ status: 403, json: FORBIDDEN })
    expect(stopped).toEqual(['source refused'])
  })

  it.each([
    ['192.0.2.1', 200],
    ['198.51.100.1', 403],
    // What stands before was said by whoever came to the proxy.
    ['192.0.2.1, 198.51.100.1', 403],
    ['198.51.100.1, 192.0.2.1', 200],
    ['192.0.2.1, 127.0.0.9', 200],
    ['unknown', 403],
    ['', 403],
  ])('holds for what a trusted proxy says: %j is answered %i', async (forwarded, status) => {
    await open({ allowFrom: ['192.0.2.1'] }, ['127.0.0.0/8'])
    expect((await post('', { 'x-forwarded-for': forwarded })).status).toBe(status)
  })
})
