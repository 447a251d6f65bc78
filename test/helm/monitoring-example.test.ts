/** Monitoring outside Kubernetes, as docs/deploying.md puts its files together: a real Prometheus with them reads a real gateway, whose series have no namespace. */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { parse } from 'yaml'
import { codeOf } from '../../scripts/document-code.ts'
import { monitoringTools } from '../../scripts/helm-tools.ts'
import { isJsonObject, type JsonObject } from '../../src/core/json.ts'
import { EXAMPLES } from '../helpers/compose.ts'
import { freePort } from '../helpers/free-port.ts'
import {
  createHushgateFolder,
  startHushgate,
  type HushgateFolder,
  type HushgateProcess,
} from '../helpers/hushgate-process.ts'
import { startPushServices, type PushServices } from '../helpers/push-services.ts'
import { until } from '../helpers/received.ts'
import { pick, pickList, pickText, readChartFile } from './helpers/chart.ts'

const TARGET = 'hushgate:5001'

/** Where the compose file is, and `monitoring` in it. */
let home: string
let folder: string
let services: PushServices
let hushgate: HushgateFolder
let gateway: HushgateProcess
let prometheus: ChildProcess
let url: string

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'hushgate-monitoring-'))
  folder = join(home, 'monitoring')
  // Nothing else of the engine: its images of Prometheus and Grafana cannot be had here.
  const docker = `docker() { [ "$*" = 'compose --profile monitoring up -d' ]; }\n`
  const env = { PATH: process.env['PATH'], source: join(EXAMPLES, '../..') }
  execFileSync('/bin/sh', ['-euc', docker + codeOf('docs/deploying.md', 'grafana-password')], { cwd: home, env })
  services = await startPushServices()
  hushgate = await createHushgateFolder()
  await hushgate.configure({ appsYaml: services.appsYaml })
  gateway = startHushgate(['serve'], { folder: hushgate.path })
  const { admin } = await gateway.running()
  const example = await readFile(join(folder, 'prometheus.yml'), 'utf8')
  if (!example.includes(`targets: ['${TARGET}']`)) throw new Error(`prometheus.yml does not ask ${TARGET}`)
  const config = join(folder, 'here.yml')
  await writeFile(config, example.replaceAll(TARGET, new URL(admin).host).replaceAll('30s', '1s'))
  const port = await freePort()
  url = `http://127.0.0.1:${port}`
  const data = join(folder, 'data')
  prometheus = spawn(
    monitoringTools.prometheus,
    [`--config.file=${config}`, `--storage.tsdb.path=${data}`, `--web.listen-address=127.0.0.1:${port}`],
    { stdio: 'ignore', env: {} },
  )
  await until('Prometheus has read the gateway', async () => (await answersTo('up{job="hushgate"} == 1')).length === 1)
})
afterAll(async () => {
  prometheus.kill('SIGKILL')
  if (prometheus.exitCode === null && prometheus.signalCode === null) await once(prometheus, 'exit')
  await gateway[Symbol.asyncDispose]()
  await Promise.all([hushgate[Symbol.asyncDispose](), services[Symbol.asyncDispose]()])
  await rm(home, { recursive: true })
})

async function ask(path: string): Promise<JsonObject> {
  const answer: unknown = await (await fetch(`${url}/api/v1/${path}`)).json()
  return isJsonObject(answer) ? answer : {}
}

/** None where Prometheus is not up yet. */
async function answersTo(query: string): Promise<readonly unknown[]> {
  const answer = await ask(`query?${new URLSearchParams({ query }).toString()}`).catch(() => ({}))
  return pickList(answer, 'data', 'result')
}

it('the configuration is as Prometheus wants it', () => {
  const config = join(folder, 'prometheus.yml')
  const { status, stdout } = spawnSync(monitoringTools.promtool, ['check', 'config', config], { encoding: 'utf8' })
  expect(stdout).toContain('is valid prometheus config file syntax')
  expect(status).toBe(0)
})

it('every alert is looked at without an error, and none is pending', async () => {
  const alerts = async (): Promise<readonly JsonObject[]> =>
    pickList(await ask('rules'), 'data', 'groups')
      .flatMap((group) => pickList(group, 'rules'))
      .filter(isJsonObject)
  // Before the first answer of the gateway HushgateDown is pending, as it must be.
  await until('none is pending any more', async () =>
    (await alerts()).every((alert) => pick(alert, 'health') !== 'unknown' && pick(alert, 'state') === 'inactive'),
  ).catch(() => {})
  const all = await alerts()
  expect(all.length).toBeGreaterThan(15)
  expect(all.filter((alert) => pick(alert, 'health') !== 'ok')).toEqual([])
  expect(all.filter((alert) => pick(alert, 'state') !== 'inactive').map((alert) => pick(alert, 'name'))).toEqual([])
})

it('the dashboard finds series that have no namespace, with all of its variables at All', async () => {
  const chosen = pickList(readChartFile('files/dashboard.json'), 'templating', 'list').filter(
    (variable) => pick(variable, 'type') === 'query',
  )
  expect(chosen.map((variable) => pick(variable, 'allValue'))).toEqual(chosen.map(() => '.*'))
  const queries = pickList(readChartFile('files/dashboard.json'), 'panels')
    .flatMap((panel) => pickList(panel, 'targets'))
    .map((target) => pickText(target, 'expr').replaceAll('$__rate_interval', '1m').replaceAll(/\$\w+/g, '.*'))
  const found = await Promise.all(queries.map(answersTo))
  expect(found.filter((series) => series.length > 0).length).toBeGreaterThan(10)
})

it('Prometheus and Grafana are given the files that are there, each at the place that another of them names', async () => {
  expect((await readFile(join(folder, 'grafana-password'), 'utf8')).length).toBeGreaterThan(30)
  const compose: unknown = parse(await readFile(join(EXAMPLES, 'compose/compose.yaml'), 'utf8'))
  const volumes = isJsonObject(compose) ? pickList(compose, 'services', 'grafana', 'volumes') : []
  const mounts = volumes.filter((volume) => typeof volume === 'string').map((volume) => volume.split(':'))
  const at = (path: string): string =>
    mounts.find(([, inside = '']) => inside.startsWith(path))?.[0]?.replace('./monitoring', folder) ?? ''
  const source: unknown = parse(await readFile(at('/etc/grafana/provisioning/datasources/'), 'utf8'))
  expect(source).toMatchObject({ datasources: [{ type: 'prometheus', url: 'http://prometheus:9090' }] })
  const provider: unknown = parse(await readFile(at('/etc/grafana/provisioning/dashboards/'), 'utf8'))
  const path = isJsonObject(provider) ? pickText(provider, 'providers', 0, 'options', 'path') : ''
  expect(basename(at(path))).toBe('dashboard.json')
  expect(JSON.parse(await readFile(at(path), 'utf8'))).toMatchObject({ uid: 'hushgate' })
})
