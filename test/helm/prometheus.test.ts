/** A real Prometheus that reads a real gateway while things go wrong: the alerts that they call for come, and no other. */
import { readFileSync } from 'node:fs'
import { spawn, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { monitoringTools } from '../../scripts/helm-tools.ts'
import { isJsonObject, type JsonObject } from '../../src/core/json.ts'
import { freePort } from '../helpers/free-port.ts'
import { pushTo } from '../helpers/homeserver.ts'
import {
  createHushgateFolder,
  startHushgate,
  type HushgateFolder,
  type HushgateProcess,
} from '../helpers/hushgate-process.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'
import { until } from '../helpers/received.ts'
import { chartFolder, pickList, pickText, readChartFile } from './helpers/chart.ts'

const IOS = 'com.example.ios'
const ANDROID = 'com.example.android'
/** About the machine that the test runs on, which may be busy with others. */
const OF_THE_MACHINE = ['HushgateEventLoopLag', 'HushgateNotifySlow']

let services: PushServices
let folder: HushgateFolder
let gateway: HushgateProcess
let urls: { readonly notify: string; readonly admin: string }
let home: string
let prometheus: ChildProcess
let prometheusUrl: string

beforeAll(async () => {
  services = await startPushServices()
  folder = await createHushgateFolder()
  await folder.configure({ appsYaml: services.appsYaml })
  gateway = startHushgate(['--config', 'hushgate.yaml', 'serve'], { folder: folder.path })
  urls = await gateway.running()
  home = await mkdtemp(join(tmpdir(), 'hushgate-prometheus-'))
  await writeFile(join(home, 'rules.yaml'), impatient(readFileSync(join(chartFolder, 'files/alerts.yaml'), 'utf8')))
  await writeFile(join(home, 'prometheus.yml'), scrapeConfig(new URL(urls.admin).host))
  const port = await freePort()
  prometheusUrl = `http://127.0.0.1:${port}`
  prometheus = spawn(
    monitoringTools.prometheus,
    [
      `--config.file=${join(home, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(home, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
    ],
    { stdio: 'ignore', env: {} },
  )
  await until(
    'Prometheus has read the gateway a few times',
    async () => (await valueOf('count_over_time(hushgate_build_info[1m])')) >= 3,
  )
})
afterAll(async () => {
  prometheus.kill('SIGKILL')
  if (prometheus.exitCode === null && prometheus.signalCode === null) await once(prometheus, 'exit')
  await gateway[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
  await services[Symbol.asyncDispose]()
  await rm(home, { recursive: true })
})

/** Late after seconds instead of minutes. How long an alert is pending before it fires stays: pending is enough here, and test/helm/alerts.test.ts has the rest. */
function impatient(rules: string): string {
  const minutes = /== 1\)\) > (?:60|300)$/gm
  expect(rules.match(minutes)).toHaveLength(2)
  return rules.replaceAll(minutes, '== 1)) > 5')
}

function scrapeConfig(target: string): string {
  return `global: { scrape_interval: 1s, evaluation_interval: 1s }
rule_files: [rules.yaml]
scrape_configs:
  - job_name: hushgate
    static_configs: [{ targets: ['${target}'], labels: { namespace: push } }]
`
}

async function ask(path: string, query: Record<string, string>): Promise<JsonObject> {
  const response = await fetch(`${prometheusUrl}/api/v1/${path}?${new URLSearchParams(query).toString()}`)
  const answer: unknown = await response.json()
  return isJsonObject(answer) ? answer : {}
}

/** NaN where there is none, or Prometheus is not up yet. */
async function valueOf(query: string): Promise<number> {
  const answer = await ask('query', { query }).catch(() => ({}))
  return Number(pickList(answer, 'data', 'result').map((each) => pickList(each, 'value')[1])[0])
}

/** `NAME` or `NAME app` of each alert that is pending or fires now. */
async function alerts(): Promise<readonly string[]> {
  const answer = await ask('query', { query: 'count by (alertname, app) (ALERTS)' })
  return namesIn(pickList(answer, 'data', 'result').map((each) => (isJsonObject(each) ? each['metric'] : undefined)))
}

/** … or ever was. */
async function alertsEver(): Promise<readonly string[]> {
  return namesIn(pickList(await ask('series', { 'match[]': 'ALERTS' }), 'data'))
}

function namesIn(metrics: readonly unknown[]): readonly string[] {
  const names = metrics
    .filter(isJsonObject)
    .map(({ alertname, app }) => [alertname, app].filter((label) => typeof label === 'string').join(' '))
  return [...new Set(names)].filter((name) => !OF_THE_MACHINE.includes(name)).toSorted()
}

async function untilAlerts(...expected: readonly string[]): Promise<void> {
  let last: readonly string[] = []
  const come = until('they come', async () => {
    last = await alerts()
    return JSON.stringify(last) === JSON.stringify(expected.toSorted())
  })
  // What came instead says more than that the time is over.
  await come.catch(() => {})
  expect(last).toEqual(expected.toSorted())
}

async function notify(...devices: readonly object[]): Promise<void> {
  const { status } = await pushTo(urls.notify, { event_id: `$${randomUUID()}`, room_id: '!room:example.org', devices })
  expect(status).toBe(200)
}

it('says nothing while all is well, then exactly what goes wrong, one thing after the other', async () => {
  const first = newPushkey()
  await notify({ app_id: IOS, pushkey: first.apns })
  await services.waitFor(first.token, 1)
  await notify({ app_id: ANDROID, pushkey: newPushkey().fcm })
  await until(
    'Prometheus has seen both',
    async () => (await valueOf('sum(hushgate_outcomes_total{outcome="delivered"})')) === 2,
  )
  expect(await alerts()).toEqual([])

  // The key of one app is wrong, and its pushes wait: it is blocked, and not late as well.
  await folder.configure({ appsYaml: services.appsYaml.replace('team_id: SIMULATED2', 'team_id: WRONGTEAM1') })
  gateway.signal('SIGHUP')
  await gateway.logged('The configuration was reloaded')
  for (let count = 0; count < 3; count += 1) await notify({ app_id: IOS, pushkey: newPushkey().apns })
  await until(
    'what is blocked is older than what may be',
    async () => (await valueOf(`hushgate_queue_oldest_age_seconds{app="${IOS}"}`)) > 8,
  )
  await untilAlerts(`HushgateAppBlocked ${IOS}`)

  // The push service of the other is away.
  for (let count = 0; count < 15; count += 1) await notify({ app_id: ANDROID, pushkey: newPushkey('s503').fcm })
  const outage = ['PushServiceAway', 'PushServiceDegraded', 'QueueLag', 'QueueStuck'].map(
    (name) => `Hushgate${name} ${ANDROID}`,
  )
  await untilAlerts(`HushgateAppBlocked ${IOS}`, ...outage)

  // A newer configuration has a mistake, and somebody posts for apps that are not there.
  await folder.write('hushgate.yaml', 'apps: nonsense')
  gateway.signal('SIGHUP')
  for (let count = 0; count < 2; count += 1)
    await notify(...Array.from({ length: 100 }, (_, index) => ({ app_id: `made.up.${index}`, pushkey: 'key' })))
  const expected = [`HushgateAppBlocked ${IOS}`, ...outage, 'HushgateConfigRefused', 'HushgateUnknownApps']
  await untilAlerts(...expected)

  await gateway[Symbol.asyncDispose]()
  await until('it is missed', async () => (await alerts()).includes('HushgateDown'))
  expect(await alertsEver()).toEqual([...expected, 'HushgateDown'].toSorted())
})

it('understands each expression of the dashboard', async () => {
  const expressions = pickList(readChartFile('files/dashboard.json'), 'panels')
    .flatMap((panel) => pickList(panel, 'targets'))
    .map((target) => pickText(target, 'expr').replaceAll('$__rate_interval', '1m').replaceAll(/\$\w+/g, '.*'))
  expect(expressions.length).toBeGreaterThan(40)
  const notUnderstood: string[] = []
  for (const query of expressions) {
    const { status } = await ask('query', { query })
    if (status !== 'success') notUnderstood.push(query)
  }
  expect(notUnderstood).toEqual([])
})
