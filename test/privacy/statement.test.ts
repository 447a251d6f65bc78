/** What the gateway says about itself, to programs and to people. */
import { readFile } from 'node:fs/promises'
import { Compile } from 'typebox/schema'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { fieldNames } from '../../src/core/disclosure.ts'
import {
  privacyStatement,
  privacyStatementSchema,
  type StatedRoute,
  type StatementInput,
} from '../../src/privacy/statement.ts'
import { privacyPage } from '../../src/privacy/page.ts'
import { createTestNotifyServer } from '../helpers/notify-server.ts'
import { disclosuresOf, KINDS, type Service } from '../ledger/services.ts'

const POLICY = { privacy: 'minimal', counts: 'badge', defaultPayloadAllow: ['<script>'], sealed: 'ignored' } as const
const STATED: StatementInput = {
  routes: [
    routeBy('apns', { app: 'com.example.<b>&"ios' }),
    routeBy('fcm', { app: 'com.example.android', policy: { ...POLICY, privacy: 'full' } }),
    routeBy('webpush', {
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
    const { apps } = privacyStatement({ ...STATED, routes: [routeBy('fcm'), routeBy('hedwig')] })
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
    expect(html).toContain('<h3>com.example.&lt;b&gt;&amp;&quot;ios</h3>')
    for (const field of fieldNames())
      expect(html.split(`<li>${STATEMENT.fields[field].replaceAll('"', '&quot;')}`)).toHaveLength(4)
  })

  it('says of a minimal app that who wrote, where and what stays here', async () => {
    const [, ios = '', android = '', web = ''] = (await page()).split('<section>')
    const parts = (section: string) => section.split('does not learn')
    for (const field of ['sender', 'room_id', 'content', 'room_name'] as const) {
      expect(parts(ios)[0]).not.toContain(STATEMENT.fields[field])
      expect(parts(ios)[1]).toContain(STATEMENT.fields[field])
      expect(parts(android)[0]).toContain(STATEMENT.fields[field])
    }
    for (const field of ['sender', 'event_id', 'content', 'room_name'] as const)
      expect(parts(web)[0]).not.toContain(STATEMENT.fields[field])
    expect(parts(ios)[0]).toContain('only one number')
    expect(parts(web)[0]).toContain('encrypted for your device; the push service cannot open it')
  })

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
      const route = routeBy(service, { policy, timing: { releaseEveryMs: 60_000 } }, !isEndToEnd)
      const html = privacyPage({ ...STATED, routes: [route] })
      expect(html).toContain(words)
      expect(html).toContain('What your homeserver says is a call leaves at once.')
    },
  )
})

function routeBy(service: Service, more: Partial<StatedRoute> = {}, isPlain = false): StatedRoute {
  const provider = service === 'hedwig' ? 'fcm' : service
  const disclosures = disclosuresOf(service, isPlain)
  return {
    app: 'com.example.app',
    provider,
    policy: POLICY,
    timing: {},
    names: KINDS[service].names,
    disclosures,
    ...more,
  }
}
