/** The page for people in a real browser: on a small phone and on a desk, light and dark. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { StatementInput } from '../../src/privacy/statement.ts'
import { AXE, barriers } from '../helpers/axe.ts'
import { startChromium, type Chromium, type Page, type PageOptions } from '../helpers/chromium.ts'
import { createTestNotifyServer } from '../helpers/notify-server.ts'
import { statedRoute, THREE_APPS } from './stated.ts'

const PHONE = { width: 360, height: 740 }
const DESK = { width: 1280, height: 800 }
/** What makes the page long: the longest names, each mode, each setting, and no operator. */
const UNLIKE: StatementInput = {
  ...THREE_APPS,
  operator: undefined,
  routes: [
    statedRoute('apns', { timing: { coalesceMs: 5000, releaseEveryMs: 60_000 } }),
    ...(['event_id_only', 'full'] as const).map((privacy) =>
      statedRoute('fcm', {
        app: `com.example.${'long'.repeat(25)}.${privacy}`,
        policy: { ...statedRoute('fcm').policy, privacy },
      }),
    ),
    statedRoute('webpush', { app: 'com.example.web' }, true),
  ],
}

let chromium: Chromium
beforeAll(async () => {
  chromium = await startChromium()
})
afterAll(() => chromium[Symbol.asyncDispose]())

async function withPage(input: StatementInput, options: PageOptions, look: (page: Page, url: string) => Promise<void>) {
  const server = createTestNotifyServer({ stated: () => input })
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  try {
    await look(await chromium.open(`${url}/`, options), url)
  } finally {
    await server.close()
  }
}

/** What is seen before anything is unfolded. */
async function visibleText(page: Page): Promise<string> {
  return String(await page.evaluate('document.body.innerText'))
}

describe('the page for people', () => {
  it('answers five questions before anything is unfolded', () =>
    withPage(THREE_APPS, PHONE, async (page) => {
      const seen = (await visibleText(page)).replaceAll(/\s+/g, ' ')
      expect(seen).toContain('Who runs this? Example Chat e.V.')
      expect(seen).toContain('Whom do I ask? privacy@example.org')
      expect(seen).toMatch(
        /What do Apple, .* learn\?.*Example for iPhone.*Apple learns that something came, not what\./,
      )
      expect(seen).toMatch(/a code per message Does not learn who wrote what was written which room/)
      expect(seen).toContain('What does the operator keep, and how long?')
      expect(seen).toMatch(/Waiting notifications at most 24 hours \(calls: 1 minute\)/)
      expect(seen).toMatch(/Failed notifications at most 7 days/)
      expect(seen).toMatch(/Codes for messages 24 hours A code for your device 30 days after its last push/)
      expect(seen).toMatch(/A log of times and codes ask the operator/)
      expect(seen).not.toContain('See you at eight')
    }))

  it('of three apps is at most two screens of a small phone', () =>
    withPage(THREE_APPS, PHONE, async (page) => {
      const height = Number(await page.evaluate('document.documentElement.scrollHeight'))
      expect(height).toBeGreaterThan(PHONE.height)
      expect(height).toBeLessThanOrEqual(2 * PHONE.height)
    }))

  it('shows beside each other, once unfolded, the bytes that come and the bytes that go', () =>
    withPage(THREE_APPS, PHONE, async (page) => {
      await page.evaluate('document.querySelectorAll("details").forEach((each) => { each.open = true })')
      const seen = await visibleText(page)
      expect(seen).toContain('"body":"See you at eight"')
      expect(seen).toContain(
        '{"aps":{"alert":{"loc-key":"Notification"},"mutable-content":1,"sound":"default","badge":2}}',
      )
    }))

  const apps = { 'three apps': THREE_APPS, 'unlike apps and no operator': UNLIKE }
  describe.each(Object.entries(apps))('with %s', (_what, input) => {
    it.each([
      ['on a phone, light', { ...PHONE, isDark: false }],
      ['on a phone, dark', { ...PHONE, isDark: true }],
      ['on a desk, light', { ...DESK, isDark: false }],
      ['on a desk, dark', { ...DESK, isDark: true }],
    ] as const)('%s, fits, asks for nothing else, and has no barrier', async (_where, options) =>
      withPage(input, { ...options, script: AXE }, async (page, url) => {
        await page.evaluate('document.querySelectorAll("details").forEach((each) => { each.open = true })')
        expect(await page.evaluate('document.title')).toBe('Who learns what of your notifications')
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(options.width)
        const isDark = 'getComputedStyle(document.body).backgroundColor !== "rgb(255, 255, 255)"'
        expect(await page.evaluate(isDark)).toBe(options.isDark)
        expect(await barriers(page)).toEqual([])
        expect(page.requests).toEqual([`${url}/`])
        expect(page.problems).toEqual([])
      }),
    )
  })
})
