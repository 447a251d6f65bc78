/** The page for people in a real browser, as wide as a small phone. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { StatedRoute, StatementInput } from '../../src/privacy/statement.ts'
import { startChromium, type Chromium } from '../helpers/chromium.ts'
import { createTestNotifyServer } from '../helpers/notify-server.ts'
import { disclosuresOf, KINDS, type Service } from '../ledger/services.ts'

const POLICY = { privacy: 'minimal', counts: 'badge', defaultPayloadAllow: [], sealed: 'optional' } as const
const STATED: StatementInput = {
  routes: [
    {
      app: 'com.example.ios',
      provider: 'apns',
      policy: POLICY,
      timing: { coalesceMs: 5000, releaseEveryMs: 60_000 },
      ...by('apns'),
    },
    {
      app: `com.example.${'long'.repeat(25)}.*`,
      provider: 'fcm',
      policy: { ...POLICY, privacy: 'full' },
      timing: {},
      ...by('fcm'),
    },
    {
      app: 'com.example.web',
      provider: 'webpush',
      policy: { ...POLICY, sealed: 'ignored' },
      timing: {},
      ...by('webpush'),
    },
  ],
  maxAgeMs: 24 * 3600_000,
  callMaxAgeMs: 90_000,
  areReceiptsKept: true,
}

let chromium: Chromium
beforeAll(async () => {
  chromium = await startChromium()
})
afterAll(() => chromium[Symbol.asyncDispose]())

describe('the privacy page in Chromium', () => {
  it('fits a screen of 360 pixels, asks for nothing else, and has nothing to complain about', async () => {
    const server = createTestNotifyServer({ stated: () => STATED })
    const url = await server.listen({ host: '127.0.0.1', port: 0 })
    try {
      const page = await chromium.open(`${url}/`, { width: 360, height: 800 })
      expect(await page.evaluate('document.title')).toBe('What this push gateway learns about you')
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360)
      expect(page.requests).toEqual([`${url}/`])
      expect(page.problems).toEqual([])
    } finally {
      await server.close()
    }
  })
})

function by(service: Service): Pick<StatedRoute, 'names' | 'disclosures'> {
  return { names: KINDS[service].names, disclosures: disclosuresOf(service) }
}
