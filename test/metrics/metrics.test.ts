import { describe, expect, it } from 'vitest'
import { Metrics } from '../../src/metrics/metrics.ts'

const route = (app: string, provider: string) => ({ name: app, app, provider })
const WEB = route('web', 'webpush')
const IOS = route('ios', 'apns')

describe('the reasons of push services', () => {
  it('that somebody makes up for one app do not take the place of those of another', async () => {
    const metrics = new Metrics('0.0.0')
    metrics.configured([WEB, IOS], 0)
    const refused = (of: typeof WEB, reason: string): void =>
      metrics.delivery.handled(of, { result: 'failed', reason, isFinal: true, sendSeconds: 0.1, endToEndSeconds: 0.1 })
    for (let status = 400; status < 600; status += 1) refused(WEB, String(status))
    refused(IOS, 'InvalidProviderToken')
    const { text } = await metrics.expose()
    const reasonsOf = (app: string) =>
      [...text.matchAll(/^hushgate_push_service_refusals_total\{app="(\w+)".*reason="(\w+)"/gm)]
        .filter((match) => match[1] === app)
        .map((match) => match[2])
    expect(reasonsOf('ios')).toEqual(['InvalidProviderToken'])
    expect(reasonsOf('web')).toHaveLength(101)
    expect(reasonsOf('web')).toContain('other')
  })
})
