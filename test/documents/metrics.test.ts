/** That documents, alerts and the dashboard speak of metrics that there are, and that the runbook has an entry for each alert. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { metricsDoc, writeMetrics } from '../../scripts/write-metrics-doc.ts'
import { Metrics } from '../../src/metrics/metrics.ts'
import { anchorsOf } from './references.ts'

const ROOT = join(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
/** Begin like metrics and are none. */
const OTHERS = new Set(['hushgate_key', 'hushgate_kid', 'hushgate_sealed', 'hushgate_webpush'])

const known = new Set(
  new Metrics('0.0.0').descriptions.flatMap(({ name, kind }) =>
    kind === 'histogram' ? [name, `${name}_bucket`, `${name}_count`, `${name}_sum`] : [name],
  ),
)

function namedIn(path: string): readonly string[] {
  return [...read(path).matchAll(/\bhushgate_[a-z0-9_]*[a-z0-9]\b(?!\*|[-/.]\w)/g)].map(([name]) => name)
}

it('docs/metrics.md says what the code counts; renew it with: node scripts/write-metrics-doc.ts', () => {
  expect(readFileSync(metricsDoc, 'utf8')).toBe(writeMetrics())
})

describe('every metric of ours that stands in', () => {
  const paths = globSync(
    ['docs/*.md', 'README.md', 'CHANGELOG.md', 'helm/**/*', 'config/examples/**/*.{yaml,yml,json}', 'src/config/*.ts'],
    { cwd: ROOT },
  )
    .filter((path) => /\.\w+$/.test(path))
    // Variables of a role begin with its name.
    .filter((path) => !path.startsWith('config/examples/ansible/'))

  it.each(paths.filter((path) => namedIn(path).some((name) => !OTHERS.has(name))))('%s exists', (path) => {
    expect(namedIn(path).filter((name) => !known.has(name) && !OTHERS.has(name))).toEqual([])
  })

  it('a file is looked for in all that there are', () => {
    const names = new Set(paths.flatMap(namedIn))
    expect(names.size).toBeGreaterThan(30)
  })
})

describe('the runbook', () => {
  const alerts = [...read('helm/files/alerts.yaml').matchAll(/- alert: (\w+)/g)].map(([, name]) => name ?? '')
  const headings = [...read('docs/runbook.md').matchAll(/^## (Hushgate\w+)$/gm)].map(([, name]) => name ?? '')

  it('has an entry for each alert, in their order, and no other', () => {
    expect(alerts.length).toBeGreaterThanOrEqual(15)
    expect(headings).toEqual(alerts)
  })

  it('is where each alert leads', () => {
    const links = [...read('helm/files/alerts.yaml').matchAll(/runbook_url: \S+\/docs\/runbook\.md#(\S+)$/gm)]
    const anchors = anchorsOf(read('docs/runbook.md'))
    expect(links.map(([, anchor]) => anchor)).toEqual(alerts.map((name) => name.toLowerCase()))
    expect(links.map(([, anchor]) => anchor ?? '').filter((anchor) => !anchors.has(anchor))).toEqual([])
  })

  it('says in each entry what it means, how to look, and what to do', () => {
    const entries = read('docs/runbook.md')
      .split(/^## Hushgate\w+$/m)
      .slice(1)
    for (const entry of entries) expect(entry).toMatch(/\*\*Means:\*\*[^]+\*\*Look:\*\*[^]+\*\*Do:\*\*/)
  })
})
