/** What the gateway says about itself, to programs and to people. */
import { readFile } from 'node:fs/promises'
import { Compile } from 'typebox/schema'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fieldNames } from '../../src/core/disclosure.ts'
import { privacyStatement, privacyStatementSchema, type StatementInput } from '../../src/privacy/statement.ts'
import { privacyPage } from '../../src/privacy/page.ts'
import { createTestNotifyServer } from '../helpers/notify-server.ts'
import { statedRoute } from './stated.ts'

const POLICY = { privacy: 'minimal', counts: 'badge', defaultPayloadAllow: ['<script>'], sealed: 'ignored' } as const
const STATED: StatementInput = {
  routes: [
    statedRoute('apns', { app: 'com.example.<b>&"ios', policy: POLICY }),
    statedRoute('fcm', { app: 'com.example.android', policy: { ...POLICY, privacy: 'full' } }),
    statedRoute('webpush', {
      app: 'com.example.web',
      policy: { ...POLICY, privacy: 'event_id_only', counts: 'none' },
    }),
  ],
  maxAgeMs: 24 * 3600_000,
  callMaxAgeMs: 90_000,
  areReceiptsKept: true,
}
const STATEMENT = privacyStatement(STATED)
const COMMITTED = new URL('../../config/privacy.schema.json', import.meta.url)

let server: ReturnType<typeof createTestNotifyServer>
let url: string
beforeEach(async () => {
  server = createTestNotifyServer({ stated: () => STATED })
  url = await server.listen({ host: '127.0.0.1', port: 0 })
})
afterEach(() => server.close())

describe('GET /_hushgate/privacy', () => {
  it("says that some of the pusher's settings are passed on where an app has Hedwig's shapes", () => {
    const { apps } = privacyStatement({ ...STATED, routes: [statedRoute('fcm'), statedRoute('hedwig')] })
    expect(apps.map(({ learns }) => learns.pusher_data.push_service)).toEqual([[], ['as_sent']])
  })

  it('tells pages of any origin what is passed on, by a schema that is published', async () => {
    const response = await fetch(`${url}/_hushgate/privacy`)
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(response.headers.get('content-type')).toMatch(/^application\/json/)
    const json: unknown = await response.json()
    expect(json).toEqual(STATEMENT)
    const schema = Compile(JSON.parse(await readFile(COMMITTED, 'utf8')))
    expect(schema.Check(json)).toBe(true)
    expect(schema.Check({ ...STATEMENT, extra: 1 })).toBe(false)
    expect(schema.Check({ ...STATEMENT, apps: [{ app: 'x' }] })).toBe(false)
  })

  it('answers by the schema in config/privacy.schema.json; renew that with: node scripts/write-privacy-doc.ts', async () => {
    expect(JSON.parse(await readFile(COMMITTED, 'utf8'))).toEqual(privacyStatementSchema)
  })
})

describe('the page at /', () => {
  const page = async () => (await fetch(url)).text()

  it('is HTML that may load nothing and run nothing', async () => {
    const { headers } = await fetch(url)
    expect(headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'; style-src 'unsafe-inline';/)
    expect(await page()).not.toMatch(/<script|<img|<link|src=|@import|url\(|https?:/)
  })

  it('names each app as text, and each field for each of them', async () => {
    const html = await page()
    expect(html).toContain('<h3><span>com.example.&lt;b&gt;&amp;&quot;ios</span>')
    const lists = [...html.matchAll(/<summary>Field by field[^]*?<\/details>/g)].join('')
    for (const field of fieldNames())
      expect(lists.split(`<li>${STATEMENT.fields[field].replaceAll('"', '&quot;')}`)).toHaveLength(4)
  })

  it('says of a minimal app that who wrote, where and what stays here', async () => {
    const [, ios = '', android = '', web = ''] = (await page()).split('<section ')
    const parts = (section: string) => section.slice(section.indexOf('learns at most')).split('does not learn')
    for (const field of ['sender', 'room_id', 'content', 'room_name'] as const) {
      expect(parts(ios)[0]).not.toContain(STATEMENT.fields[field])
      expect(parts(ios)[1]).toContain(STATEMENT.fields[field])
      expect(parts(android)[0]).toContain(STATEMENT.fields[field])
    }
    for (const field of ['sender', 'event_id', 'content', 'room_name'] as const)
      expect(parts(web)[0]).not.toContain(STATEMENT.fields[field])
    expect(parts(ios)[0]).toContain('only one number')
    expect(web).toContain('encrypted for your device; the push service cannot open it')
  })

  it('names the operator and the contact as text, and only a contact that is a mailto or https address', async () => {
    const operator = { name: 'Chat & <Friends>', contact: 'https://example.org/?a=1&b="2"' }
    const html = privacyPage({ ...STATED, operator })
    expect(html).toContain('<dd>Chat &amp; &lt;Friends&gt;</dd>')
    expect(html).toContain('<a href="https://example.org/?a=1&amp;b=&quot;2&quot;">https://example.org/</a>')
    expect(privacyPage(STATED)).toContain('The operator has not said.')
    expect(privacyStatement({ ...STATED, operator }).operator).toEqual(operator)
  })

  it('says once what is true of several apps', () => {
    const names = ['com.example.ios', 'com.example.ios.dev', 'com.example.ios.beta']
    const html = privacyPage({ ...STATED, routes: names.map((app) => statedRoute('apns', { app })) })
    expect(html.split('<section ')).toHaveLength(2)
    expect(html.split(`<li>${STATEMENT.fields.sender}`)).toHaveLength(2)
    expect(html.split('Apple learns <em>that</em> something came')).toHaveLength(4)
    for (const name of names) expect(html).toContain(name)
  })

  it('shows as an example what each app has its push service sent, by the renderer that sends', () => {
    const of = (privacy: 'minimal' | 'full') => statedRoute('fcm', { policy: { ...POLICY, privacy } })
    const sent = (html: string) => html.slice(html.indexOf('Google is sent'))
    expect(sent(privacyPage({ ...STATED, routes: [of('minimal')] }))).not.toMatch(/alice|family|See you/i)
    expect(sent(privacyPage({ ...STATED, routes: [of('full')] }))).toMatch(/@alice:example\.org.*!family/s)
  })

  it('is made once for a configuration, however often it is asked for', async () => {
    let timesMade = 0
    const route = statedRoute('apns')
    const render: typeof route.render = (push, identity) => {
      timesMade += 1
      return route.render(push, identity)
    }
    const stated = [1, 2].map(() => ({ ...STATED, routes: [{ ...route, render }] }))
    const other = createTestNotifyServer({ stated: () => stated[timesMade < 1 ? 0 : 1] ?? STATED })
    const address = await other.listen({ host: '127.0.0.1', port: 0 })
    for (let asked = 0; asked < 5; asked += 1) expect((await fetch(address)).status).toBe(200)
    await other.close()
    // The first one, and the one after it that took its place.
    expect(timesMade).toBe(2)
  })

  it.each(['/', '/_hushgate/privacy', '/health'])(
    'and what is beside it answers HEAD as GET, without a body: %s',
    async (path) => {
      const [head, get] = [await fetch(url + path, { method: 'HEAD' }), await fetch(url + path)]
      const read = ({ status, headers }: Response) => [
        status,
        headers.get('content-type'),
        headers.get('content-length'),
      ]
      expect(read(head)).toEqual(read(get))
      expect(await head.text()).toBe('')
    },
  )

  it.each([
    [
      'minimal',
      'fcm',
      'optional',
      false,
      'harder to see who got a single message; it does not hide with whom somebody writes',
    ],
    ['event_id_only', 'fcm', 'required', false, 'harder to see who got a single message'],
    ['event_id_only', 'webpush', 'ignored', true, 'harder to see who got a single message'],
    ['event_id_only', 'fcm', 'optional', false, 'hides little from Google where a push names its room'],
    ['full', 'webpush', 'ignored', false, 'hides little from the push service where a push names its room'],
  ] as const)(
    'says of release_every what it hides: %s by %s, sealed %s',
    (privacy, service, sealed, isEndToEnd, words) => {
      const policy = { ...POLICY, privacy, sealed }
      const route = statedRoute(service, { policy, timing: { releaseEveryMs: 60_000 } }, !isEndToEnd)
      const html = privacyPage({ ...STATED, routes: [route] })
      expect(html).toContain(words)
      expect(html).toContain('What your homeserver says is a call leaves at once.')
    },
  )
})
