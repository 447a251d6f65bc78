import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { describeDeclarative, readDeclarative } from '../../src/simulators/declarative-notification.ts'

interface Case {
  readonly what: string
  readonly source: string
  readonly message: object
  readonly shown: object | string | null
}

const cases: readonly Case[] = JSON.parse(
  readFileSync(new URL('../fixtures/declarative-web-push.json', import.meta.url), 'utf8'),
)

describe('a browser with Declarative Web Push, as its sources say', () => {
  it.each(cases.map((one) => [one.what, one] as const))('%s', (_what, { message, shown }) => {
    expect(readDeclarative(JSON.stringify(message)) ?? null).toEqual(shown)
  })

  it('leaves what is no JSON object to the service worker', () => {
    for (const payload of ['', 'text', '[]', '8030', 'null']) expect(readDeclarative(payload)).toBeUndefined()
  })

  it('wants the same badge in both places', () => {
    const notification = { title: 'T', navigate: 'https://a.example.com/', app_badge: 1 }
    const payload = (appBadge: number) => JSON.stringify({ web_push: 8030, notification, app_badge: appBadge })
    expect(readDeclarative(payload(1))).toMatchObject({ appBadge: 1 })
    expect(readDeclarative(payload(2))).toContain('app_badge')
  })

  it('is described in a line', () => {
    const shown = { title: 'New message', navigate: 'https://a.example.com/', silent: true, appBadge: 2, mutable: true }
    expect(describeDeclarative(shown)).toBe(
      '"New message", badge 2, without a sound, unless the service worker shows another; opens https://a.example.com/',
    )
    expect(describeDeclarative('title is missing')).toBe('nothing: title is missing')
  })
})
