/** The chart without a cluster: what helm, the schemas of Kubernetes and our own reading say of every way of use. */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { readdirSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { helmSchema, helmSchemaFile } from '../../scripts/helm-schema.ts'
import { chartTools, versions } from '../../scripts/helm-tools.ts'
import { isJsonObject, type JsonObject, type JsonValue } from '../../src/core/json.ts'
import {
  chartFolder,
  gatewaysOf,
  nameOf,
  ofKind,
  pick,
  pickList,
  pickText,
  readChartFile,
  render,
  renderObjects,
  runTool,
  selects,
  valuesFile,
  waysOfUse,
} from './helpers/chart.ts'

const { helm, helmUnittest, kubectlValidate, kubernetesValidate, crds } = chartTools
const oldest = /\d+\.\d+\.\d+/.exec(pickText(readChartFile('Chart.yaml'), 'kubeVersion'))?.[0] ?? ''
const newest = versions['kubernetes-validate']

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hushgate-helm-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function rendered(wayOfUse: string, kubernetes: string): Promise<string> {
  const path = join(folder, `${wayOfUse}-${kubernetes}.yaml`)
  await writeFile(path, await render(wayOfUse, ['--kube-version', kubernetes]))
  return path
}

async function written(name: string, objects: readonly object[]): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, objects.map((object) => JSON.stringify(object)).join('\n---\n'))
  return path
}

describe.each(waysOfUse)('the chart with %s', (wayOfUse) => {
  it('has nothing that helm lint finds fault with', async () => {
    await runTool(helm, ['lint', '--strict', '--quiet', chartFolder, '--values', valuesFile(wayOfUse)])
  })

  it.each([oldest, newest])('fits the schemas of Kubernetes %s', async (kubernetes) => {
    await runTool(kubernetesValidate, ['--strict', '-k', kubernetes, await rendered(wayOfUse, kubernetes)])
  })

  it('fits the real definitions of every custom resource', async () => {
    const path = await rendered(wayOfUse, newest)
    await runTool(kubectlValidate, ['--version', '1.30', '--local-crds', crds, path])
  })

  it('starts no other pods when only the version of the chart changes', async () => {
    const before = podTemplates(await renderObjects(wayOfUse))
    const next = join(folder, `next-${wayOfUse}`)
    await cp(chartFolder, next, { recursive: true })
    const manifest = await readFile(join(next, 'Chart.yaml'), 'utf8')
    await writeFile(join(next, 'Chart.yaml'), manifest.replace(/^version: .*$/m, 'version: 99.0.0'))
    const after = await renderObjects(wayOfUse, [], next)
    expect(JSON.stringify(after)).toContain('hushgate-99.0.0')
    expect(podTemplates(after)).toEqual(before)
  })

  it('wears no label of a version on what can never be changed', async () => {
    const fixed = ofKind(await renderObjects(wayOfUse), 'Deployment', 'StatefulSet').map((object) => [
      pick(object, 'spec', 'selector'),
      pick(object, 'spec', 'volumeClaimTemplates') ?? [],
    ])
    expect(JSON.stringify(fixed)).not.toMatch(/helm\.sh\/chart|app\.kubernetes\.io\/version/)
  })

  it('has only selectors and ports that meet a pod', async () => {
    const objects = await renderObjects(wayOfUse)
    for (const object of ofKind(objects, 'Service', 'PodDisruptionBudget', 'NetworkPolicy', 'PodMonitor')) {
      const pods = podsFor(object, objects)
      expect({ of: nameOf(object), pods: pods.length }).not.toMatchObject({ pods: 0 })
      const unknown = namedPorts(object).filter((port) => !pods.flatMap(portNames).includes(port))
      expect({ of: nameOf(object), unknown }).toMatchObject({ unknown: [] })
    }
    for (const monitor of ofKind(objects, 'ServiceMonitor')) {
      const services = ofKind(objects, 'Service').filter((service) =>
        selects(pick(monitor, 'spec', 'selector', 'matchLabels'), pick(service, 'metadata', 'labels')),
      )
      expect(services.map(nameOf)).toEqual(['Service/hushgate-admin'])
    }
  })

  it('never publishes the admin port', async () => {
    const objects = await renderObjects(wayOfUse)
    const published = ofKind(objects, 'Ingress', 'HTTPRoute')
    expect(JSON.stringify(published)).not.toMatch(/admin|5001/)
    const admin = ofKind(objects, 'Service').filter((service) => namedPorts(service).includes('admin'))
    for (const service of admin) expect(pick(service, 'spec', 'clusterIP')).toBe('None')
  })
})

describe('the checks themselves', () => {
  const deployment = (container: object): object => ({
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'a' },
    spec: {
      selector: { matchLabels: { a: 'b' } },
      template: { metadata: { labels: { a: 'b' } }, spec: { containers: [{ name: 'a', ...container }] } },
    },
  })

  it('notice a field of a pod that does not exist', async () => {
    const path = await written('unknown-field.yaml', [deployment({ readOnlyRootFilesystem: true })])
    await expect(runTool(kubernetesValidate, ['--strict', '-k', newest, path])).rejects.toThrow(
      'readOnlyRootFilesystem',
    )
    await expect(runTool(kubectlValidate, ['--version', '1.30', path])).rejects.toThrow('readOnlyRootFilesystem')
  })

  it('notice a field that the oldest Kubernetes does not know', async () => {
    const path = await written('new-field.yaml', [deployment({ lifecycle: { stopSignal: 'SIGTERM' } })])
    await runTool(kubernetesValidate, ['--strict', '-k', newest, path])
    await expect(runTool(kubernetesValidate, ['--strict', '-k', oldest, path])).rejects.toThrow('stopSignal')
  })

  it('notice a field of a custom resource that does not exist', async () => {
    const monitor = { apiVersion: 'monitoring.coreos.com/v1', kind: 'PodMonitor', metadata: { name: 'a' } }
    const path = await written('unknown-crd-field.yaml', [
      { ...monitor, spec: { selector: {}, podMetricsEndpoint: [] } },
    ])
    await expect(runTool(kubectlValidate, ['--version', '1.30', '--local-crds', crds, path])).rejects.toThrow(
      'podMetricsEndpoint',
    )
  })
})

describe('the chart', () => {
  it('passes its unit tests', async () => {
    const report = await runTool(helmUnittest, [chartFolder])
    expect(report).toMatch(/Tests:\s+(\d{2,}) passed, \1 total/)
  })

  it('knows the settings that the gateway has today', () => {
    // Otherwise: node scripts/helm-schema.ts
    expect(JSON.parse(readFileSync(helmSchemaFile, 'utf8'))).toEqual(helmSchema())
  })

  it('documents every value that it takes, with its default', () => {
    const open = ['apps', 'config', 'global']
    const missing = undocumented(helmSchema(), readChartFile('values.yaml'), [])
    expect(missing.filter((path) => !open.includes(path.split('.')[0] ?? ''))).toEqual([])
  })

  it('is refused on a Kubernetes that is too old for it', async () => {
    await expect(render('minimal', ['--kube-version', '1.29.0'])).rejects.toThrow('incompatible')
  })

  it('is packed without its tests', async () => {
    await runTool(helm, ['package', chartFolder, '--destination', folder])
    const archive = readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? ''
    const files = await runTool('tar', ['-tzf', join(folder, archive)])
    expect(files).toContain('hushgate/values.schema.json')
    expect(files).not.toMatch(/hushgate\/(ci|tests)\//)
  })

  // Helm's `merge` takes false and 0 for absent.
  it('merges values only in the way that keeps false', () => {
    const wrong = readdirSync(join(chartFolder, 'templates')).filter((name) =>
      /\bmerge(Overwrite)? /.test(readFileSync(join(chartFolder, 'templates', name), 'utf8')),
    )
    expect(wrong).toEqual([])
  })
})

/** By name: the template of every pod that the release starts. */
function podTemplates(objects: readonly JsonObject[]): object {
  const workloads = ofKind(objects, 'Deployment', 'StatefulSet')
  expect(gatewaysOf(workloads)).not.toEqual([])
  return Object.fromEntries(workloads.map((object) => [nameOf(object), pick(object, 'spec', 'template')]))
}

/** Templates of the pods that a Service, PodMonitor and so on selects. */
function podsFor(object: JsonObject, objects: readonly JsonObject[]): readonly (JsonValue | undefined)[] {
  const selector =
    pick(object, 'spec', 'podSelector', 'matchLabels') ??
    pick(object, 'spec', 'selector', 'matchLabels') ??
    pick(object, 'spec', 'selector')
  return ofKind(objects, 'Deployment', 'StatefulSet')
    .map((workload) => pick(workload, 'spec', 'template'))
    .filter((template) => selects(selector, pick(template, 'metadata', 'labels')))
}

function portNames(template: JsonValue | undefined): readonly (JsonValue | undefined)[] {
  return pickList(template, 'spec', 'containers', 0, 'ports').map((port) => pick(port, 'name'))
}

/** The ports of pods that a Service, PodMonitor or NetworkPolicy (into them) names. */
function namedPorts(object: JsonObject): readonly string[] {
  const ports = [
    ...pickList(object, 'spec', 'ports').map((port) => pick(port, 'targetPort')),
    ...pickList(object, 'spec', 'podMetricsEndpoints').map((endpoint) => pick(endpoint, 'port')),
    ...pickList(object, 'spec', 'ingress').flatMap((rule) => pickList(rule, 'ports').map((port) => pick(port, 'port'))),
  ]
  return ports.filter((port) => typeof port === 'string')
}

/** Paths of the schema's properties that values.yaml does not have. */
function undocumented(schema: JsonValue | undefined, values: JsonValue | undefined, path: readonly string[]): string[] {
  const properties = pick(schema, 'properties')
  if (!isJsonObject(properties)) return []
  return Object.entries(properties).flatMap(([name, property]) => {
    const value = pick(values, name)
    const at = [...path, name]
    if (value === undefined) return [at.join('.')]
    return undocumented(property, value, at)
  })
}
