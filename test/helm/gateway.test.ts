/** The chart and the real gateway: what one writes, asks and watches, the other reads, answers and counts. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runHushgate, startHushgate, type HushgateProcess } from '../helpers/hushgate-process.ts'
import { monitoringTools } from '../../scripts/helm-tools.ts'
import type { JsonObject, JsonValue } from '../../src/core/json.ts'
import { Metrics } from '../../src/metrics/metrics.ts'
import {
  chartFolder,
  gatewaysOf,
  ofKind,
  pick,
  pickList,
  pickText,
  readChartFile,
  renderObjects,
  waysOfUse,
} from './helpers/chart.ts'
import { mountConfig } from './helpers/mounted.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hushgate-helm-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

describe.each(waysOfUse)('with %s', (wayOfUse) => {
  it('the gateway accepts what the chart writes', async () => {
    const objects = await renderObjects(wayOfUse)
    for (const workload of gatewaysOf(objects)) {
      const home = await mkdtemp(join(folder, 'check-'))
      await mountConfig(objects, pick(workload, 'spec', 'template', 'spec'), home)
      const checked = await runHushgate(['check', '--config', join(home, 'hushgate.yaml')], { folder: home })
      expect(checked).toMatchObject({ code: 0, stderr: '' })
    }
  })

  it('the check before an upgrade accepts what it is given, and refuses it with a mistake in it', async () => {
    const objects = await renderObjects(wayOfUse)
    const podSpec = pick(ofKind(objects, 'Job')[0], 'spec', 'template', 'spec')
    const args = pickList(podSpec, 'containers', 0, 'args').map(String)
    const codes: unknown[] = []
    for (const change of [(text: string) => text, (text: string) => `${text}\nprivcy: full\n`]) {
      const home = await mkdtemp(join(folder, 'upgrade-'))
      await mountConfig(objects, podSpec, home, change)
      codes.push((await runHushgate([...args, '--config', join(home, 'hushgate.yaml')], { folder: home })).code)
    }
    expect(codes).toEqual([0, 1])
  })
})

describe('the gateway, started as the chart starts it', () => {
  let gateway: HushgateProcess
  let container: JsonValue | undefined
  let objects: readonly JsonObject[]
  let urls: { readonly notify: string; readonly admin: string }

  beforeAll(async () => {
    objects = await renderObjects('inline-secrets')
    const podSpec = pick(gatewaysOf(objects)[0], 'spec', 'template', 'spec')
    container = pick(podSpec, 'containers', 0)
    // Other ports, and a folder for /data: this is not a pod of its own.
    await mountConfig(objects, podSpec, folder, (text) =>
      text
        .replaceAll(/port: \d+/g, 'port: 0')
        .replaceAll('0.0.0.0', '127.0.0.1')
        .replace('/data/', `${folder}/data/`),
    )
    const args = pickList(container, 'args').map(String)
    gateway = startHushgate(['--config', join(folder, 'hushgate.yaml'), ...args], { folder })
    urls = await gateway.running()
  })
  afterAll(() => gateway[Symbol.asyncDispose]())

  it.each(['startupProbe', 'livenessProbe', 'readinessProbe'])('passes its %s', async (probe) => {
    expect(pickText(container, probe, 'httpGet', 'port')).toBe('admin')
    const response = await fetch(urls.admin + pickText(container, probe, 'httpGet', 'path'))
    expect(response.status).toBe(200)
  })

  it('passes helm test', async () => {
    const script = pickText(ofKind(objects, 'Pod')[0], 'spec', 'containers', 0, 'args', 0)
    const file = script.replace('http://hushgate:5000', new URL(urls.notify).origin)
    const result = await runNode(file)
    expect(result).toEqual({ code: 0, lines: 2 })
  })

  it('fails helm test where it does not answer as a gateway', async () => {
    const script = pickText(ofKind(objects, 'Pod')[0], 'spec', 'containers', 0, 'args', 0)
    const file = script.replace('http://hushgate:5000', urls.admin)
    expect(await runNode(file)).toMatchObject({ code: 1 })
  })

  it('tells its metrics as promtool wants them', async () => {
    const response = await fetch(`${urls.admin}/metrics`)
    const checked = spawnSync(monitoringTools.promtool, ['check', 'metrics'], {
      input: await response.text(),
      encoding: 'utf8',
    })
    expect(checked).toMatchObject({ status: 0, stdout: '', stderr: '' })
  })

  it('tells of every metric that docs/metrics.md has, and of no other', async () => {
    const response = await fetch(`${urls.admin}/metrics`)
    const told = [...(await response.text()).matchAll(/^# TYPE (hushgate_\S+) /gm)].map(([, name]) => name ?? '')
    expect(told.toSorted()).toEqual(new Metrics('0.0.0').descriptions.map(({ name }) => name).toSorted())
  })

  it('has every metric that an alert, the dashboard and the autoscaler look at', async () => {
    const response = await fetch(`${urls.admin}/metrics`)
    const metrics = await response.text()
    const scaled = JSON.stringify(await renderObjects('everything'))
    const files = ['files/alerts.yaml', 'files/dashboard.json'].map((name) =>
      readFileSync(join(chartFolder, name), 'utf8'),
    )
    const names = new Set([...files, scaled].join('\n').match(/\b(hushgate|process|nodejs)_[a-z0-9_]+(?=[{[])/g))
    expect(names.size).toBeGreaterThan(15)
    const known = [...metrics.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name, type]) =>
      type === 'histogram' ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [String(name)],
    )
    expect([...names].filter((name) => !known.includes(name))).toEqual([])
  })

  it('has every label that an alert or the dashboard selects by', async () => {
    const response = await fetch(`${urls.admin}/metrics`)
    const metrics = await response.text()
    const labels = new Set([...metrics.matchAll(/([a-z_]+)="/g)].map(([, name]) => name))
    // What Prometheus adds, and what is there only after a first event.
    for (const name of ['namespace', 'job', 'code', 'reason']) labels.add(name)
    const text = ['files/alerts.yaml', 'files/dashboard.json'].map((name) =>
      readFileSync(join(chartFolder, name), 'utf8').replaceAll('\\"', '"'),
    )
    const used = new Set([...text.join('\n').matchAll(/[{,]([a-z_]+)=~?"/g)].map(([, name]) => name))
    expect(used.size).toBeGreaterThan(4)
    expect([...used].filter((name) => !labels.has(name))).toEqual([])
  })
})

describe('the alerts', () => {
  const rules = pickList(readChartFile('files/alerts.yaml'), 'groups').flatMap((group) => pickList(group, 'rules'))

  it.each(rules.map((rule) => [pickText(rule, 'alert'), rule] as const))(
    '%s ends in a threshold, looks at one namespace, and says what to do',
    (_name, rule) => {
      expect(pickText(rule, 'expr')).toMatch(/ [<>] [\d.]+$/)
      expect(selectors(pickText(rule, 'expr'))).not.toEqual([])
      for (const selector of selectors(pickText(rule, 'expr'))) expect(selector).toContain('{namespace=~".*"')
      expect(['warning', 'critical']).toContain(pickText(rule, 'labels', 'severity'))
      expect(pickText(rule, 'annotations', 'summary')).not.toBe('')
      expect(pickText(rule, 'annotations', 'description')).not.toBe('')
    },
  )
})

describe('the dashboard', () => {
  const dashboard = readChartFile('files/dashboard.json')
  const expressions = pickList(dashboard, 'panels')
    .flatMap((panel) => pickList(panel, 'targets'))
    .map((target) => pickText(target, 'expr'))

  it('looks at the namespace that is chosen, everywhere', () => {
    expect(expressions.length).toBeGreaterThan(15)
    for (const selector of expressions.flatMap(selectors))
      expect(selector).toContain('namespace=~"$namespace",job=~"$job"')
  })

  it('looks at the push service and the app that are chosen, wherever a metric has them', () => {
    const labelled = new Set(
      new Metrics('0.0.0').descriptions.filter(({ labels }) => labels.includes('provider')).map(({ name }) => name),
    )
    const chosen = expressions.flatMap(selectors).filter((selector) => {
      const [name = ''] = selector.split('{')
      return labelled.has(name) || labelled.has(name.replace(/_(bucket|count|sum)$/, ''))
    })
    expect(chosen.length).toBeGreaterThan(15)
    for (const selector of chosen) expect(selector).toContain('provider=~"$provider",app=~"$app"')
  })

  it('can be imported anywhere: a name of its own, and the data source as a variable', () => {
    expect(dashboard).toMatchObject({ uid: 'hushgate' })
    const sources = pickList(dashboard, 'panels').flatMap((panel) => pick(panel, 'datasource', 'uid') ?? [])
    expect(new Set(sources)).toEqual(new Set(['${datasource}']))
  })
})

/** Each use of a metric, with its selector. */
function selectors(expression: string): readonly string[] {
  return expression.match(/\b(hushgate|process|nodejs)_[a-z0-9_]+(\{[^}]*\})?/g) ?? []
}

async function runNode(script: string): Promise<{ readonly code: number | null; readonly lines: number }> {
  const child = spawn(process.execPath, ['-e', script], { env: {} })
  let stdout = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  await once(child, 'close')
  return { code: child.exitCode, lines: stdout.trim().split('\n').length }
}
