import { describe, expect, it } from 'vitest'
import { createMetrics } from '../../src/metrics/metrics.ts'

describe('the reasons of push services', () => {
  it('that somebody makes up for one app do not take the place of those of another', async () => {
    const metrics = createMetrics('0.0.0')
    metrics.setApps([
      { name: 'web', provider: 'webpush' },
      { name: 'ios', provider: 'apns' },
    ])
    const refused = (app: string, reason: string): void =>
      metrics.settled({ app, result: 'failed', reason, isFinal: true, sendSeconds: 0.1, endToEndSeconds: 0.1 })
    for (let status = 400; status < 600; status += 1) refused('web', String(status))
    refused('ios', 'InvalidProviderToken')
    const { text } = await metrics.expose(async () => undefined)
    const reasonsOf = (app: string) =>
      [...text.matchAll(/^hushgate_push_service_refusals_total\{app="(\w+)".*reason="(\w+)"/gm)]
        .filter((match) => match[1] === app)
        .map((match) => match[2])
    expect(reasonsOf('ios')).toEqual(['InvalidProviderToken'])
    expect(reasonsOf('web')).toHaveLength(101)
    expect(reasonsOf('web')).toContain('other')
  })
})
