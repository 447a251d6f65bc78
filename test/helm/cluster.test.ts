/** Every way of use on a real Kubernetes API server, in a namespace that refuses every pod that is not restricted. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { parse } from 'yaml'
import { chartTools } from '../../scripts/helm-tools.ts'
import { isJsonObject, type JsonObject, type JsonValue } from '../../src/core/json.ts'
import {
  chartFolder,
  gatewaysOf,
  nameOf,
  ofKind,
  pick,
  pickList,
  pickText,
  renderObjects,
  RELEASE,
  valuesFile,
  waysOfUse,
} from './helpers/chart.ts'
import { startCluster, type Cluster } from './helpers/cluster.ts'
import { mountedKeys } from './helpers/kubelet.ts'

/** Where each kind that the chart can make is listed. */
const COLLECTIONS = [
  ...['configmaps', 'persistentvolumeclaims', 'pods', 'secrets', 'serviceaccounts', 'services'].map((name) => [
    'v1',
    name,
  ]),
  ...['deployments', 'replicasets', 'statefulsets', 'controllerrevisions'].map((name) => ['apps/v1', name]),
  ['autoscaling/v2', 'horizontalpodautoscalers'],
  ['networking.k8s.io/v1', 'ingresses'],
  ['networking.k8s.io/v1', 'networkpolicies'],
  ['policy/v1', 'poddisruptionbudgets'],
  ['gateway.networking.k8s.io/v1', 'httproutes'],
  ['keda.sh/v1alpha1', 'scaledobjects'],
  ...['podmonitors', 'servicemonitors', 'prometheusrules'].map((name) => ['monitoring.coreos.com/v1', name]),
] as const

let cluster: Cluster
beforeAll(async () => {
  cluster = await startCluster()
  const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
  for (const file of readdirSync(chartTools.crds)) {
    const definition: unknown = parse(readFileSync(join(chartTools.crds, file), 'utf8'))
    await cluster.create(definitions, isJsonObject(definition) ? definition : {})
  }
  // Accepted is not yet served.
  await vi.waitFor(async () => {
    const answers = await Promise.all(COLLECTIONS.map((collection) => cluster.ask('GET', pathOf(collection))))
    if (answers.some(({ status }) => status !== 200)) throw new Error('not every kind is served yet')
  }, 30_000)
})
afterAll(() => cluster[Symbol.asyncDispose]())

describe.each(waysOfUse)('the release with %s', (wayOfUse) => {
  const namespace = `gateway-${wayOfUse}`
  const release = (...args: readonly string[]): Promise<string> =>
    cluster.helm(...args, '--namespace', namespace, '--wait', '--timeout', '90s')
  const values = [chartFolder, '--values', valuesFile(wayOfUse)]
  let rendered: readonly JsonObject[]
  let first: readonly JsonObject[]

  beforeAll(async () => {
    rendered = await renderObjects(wayOfUse)
    await createNamespace(namespace)
    await createSecretsOfTheOperator(namespace, rendered)
  })

  it('installs, and all its pods are there and ready', async () => {
    const notes = await release('install', RELEASE, ...values)
    expect(notes).toMatch(/https:\/\/push\.example\.com\/_matrix\/push\/v1\/notify/)
    first = await pods(namespace)
    expectPods(first, rendered)
  })

  it('has everything that the chart renders, as it renders it', async () => {
    const names = new Set((await everything(namespace)).map(nameOf))
    const missing = rendered.filter((object) => !isHook(object) && !names.has(nameOf(object)))
    expect(missing.map(nameOf)).toEqual([])
  })

  it('would let the pod of helm test in', async () => {
    const path = `/api/v1/namespaces/${namespace}/pods?dryRun=All&fieldValidation=Strict`
    for (const pod of ofKind(rendered, 'Pod').filter(isHook)) await cluster.create(path, pod)
  })

  it('starts other pods of the gateway, and of nothing else, when the configuration changes', async () => {
    await release('upgrade', RELEASE, ...values, '--set', 'config.queue.max_age=2h')
    const second = await pods(namespace)
    expectPods(second, rendered)
    expect(identities(second, 'hushgate').filter((id) => identities(first, 'hushgate').includes(id))).toEqual([])
    expect(identities(second, 'hushgate-redis')).toEqual(identities(first, 'hushgate-redis'))
    expect(JSON.stringify(await everything(namespace))).toContain('max_age: 2h')
  })

  it('rolls back to what it was', async () => {
    await release('rollback', RELEASE, '1')
    const third = await pods(namespace)
    expectPods(third, rendered)
    expect(new Set(third.map(checksum))).toEqual(new Set(first.map(checksum)))
    const { body } = await cluster.ask('GET', `/api/v1/namespaces/${namespace}/configmaps/${RELEASE}`)
    expect(pickText(body, 'data', 'hushgate.yaml')).not.toContain('max_age: 2h')
  })

  it('leaves nothing behind when it is uninstalled, but for a volume that is to be kept', async () => {
    await release('uninstall', RELEASE)
    const kept = rendered
      .filter((object) => pick(object, 'spec', 'persistentVolumeClaimRetentionPolicy', 'whenDeleted') === 'Retain')
      .map((object) => `PersistentVolumeClaim/data-${pickText(object, 'metadata', 'name')}-0`)
    // What hung on a removed object is collected a moment later.
    await vi.waitFor(async () => expect((await everything(namespace)).map(nameOf).toSorted()).toEqual(kept), 30_000)
  })
})

describe('the namespace', () => {
  it('refuses the pods of a release that is not restricted, whatever helm says', async () => {
    await createNamespace('gateway-refused')
    const loosened = ['--set', 'containerSecurityContext.allowPrivilegeEscalation=true']
    await cluster.helm(
      'install',
      RELEASE,
      chartFolder,
      '--values',
      valuesFile('minimal'),
      '--namespace',
      'gateway-refused',
      ...loosened,
    )
    await vi.waitFor(async () => {
      const { body } = await cluster.ask('GET', '/api/v1/namespaces/gateway-refused/events')
      expect(JSON.stringify(body)).toContain('violates PodSecurity')
    }, 30_000)
    expect(await pods('gateway-refused')).toEqual([])
  })

  it('is told how many pods may be disrupted', async () => {
    await createNamespace('gateway-disrupted')
    await createSecretsOfTheOperator('gateway-disrupted', await renderObjects('split'))
    const values = ['--values', valuesFile('split')]
    await cluster.helm(
      'install',
      RELEASE,
      chartFolder,
      ...values,
      '--namespace',
      'gateway-disrupted',
      '--wait',
      '--timeout',
      '90s',
    )
    await vi.waitFor(async () => {
      const path = `/apis/policy/v1/namespaces/gateway-disrupted/poddisruptionbudgets/${RELEASE}-http`
      const { body } = await cluster.ask('GET', path)
      expect(pick(body, 'status')).toMatchObject({ expectedPods: 3, currentHealthy: 3, disruptionsAllowed: 1 })
    }, 30_000)
  })
})

function pathOf([version, collection]: readonly string[], namespace?: string): string {
  const root = version === 'v1' ? '/api/v1' : `/apis/${version}`
  return namespace === undefined ? `${root}/${collection}` : `${root}/namespaces/${namespace}/${collection}`
}

async function createNamespace(name: string): Promise<void> {
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' }
  await cluster.create('/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } })
  await vi.waitFor(async () => {
    const { status } = await cluster.ask('GET', `/api/v1/namespaces/${name}/serviceaccounts/default`)
    expect(status).toBe(200)
  }, 30_000)
}

/** What the values name and the chart does not make. */
async function createSecretsOfTheOperator(namespace: string, objects: readonly JsonObject[]): Promise<void> {
  const keys = ofKind(objects, 'Deployment', 'StatefulSet').flatMap((workload) =>
    mountedKeys(pick(workload, 'spec', 'template', 'spec')),
  )
  const made = new Set(objects.map((object) => pick(object, 'metadata', 'name')))
  const names = new Set(keys.filter(({ name }) => !made.has(name)).map(({ kind, name }) => `${kind}/${name}`))
  for (const each of names) {
    const [kind, name] = each.split('/')
    const wanted = keys.filter((key) => key.kind === kind && key.name === name)
    const content = Object.fromEntries(wanted.map(({ key }) => [key, 'an example']))
    await cluster.create(`/api/v1/namespaces/${namespace}/${kind}s`, {
      apiVersion: 'v1',
      kind: kind === 'secret' ? 'Secret' : 'ConfigMap',
      metadata: { name, labels: { made: 'by-the-operator' } },
      ...(kind === 'secret' ? { stringData: content } : { data: content }),
    })
  }
}

/** The pods that run and are not about to go. */
async function pods(namespace: string): Promise<readonly JsonObject[]> {
  const { body } = await cluster.ask('GET', `/api/v1/namespaces/${namespace}/pods`)
  return objectsOf(body).filter(
    (pod) => pick(pod, 'metadata', 'deletionTimestamp') === undefined && pick(pod, 'status', 'phase') !== 'Succeeded',
  )
}

/** As many pods of each workload as it asks for, at least one, and all of them ready. */
function expectPods(there: readonly JsonObject[], rendered: readonly JsonObject[]): void {
  const workloads = ofKind(rendered, 'Deployment', 'StatefulSet')
  expect(gatewaysOf(workloads)).not.toEqual([])
  for (const workload of workloads) {
    const wanted = pick(workload, 'spec', 'selector', 'matchLabels')
    const own = there.filter((pod) =>
      Object.entries(isJsonObject(wanted) ? wanted : {}).every(
        ([name, value]) => pick(pod, 'metadata', 'labels', name) === value,
      ),
    )
    // An autoscaler decides where the number is left out.
    const replicas = pick(workload, 'spec', 'replicas') ?? Math.max(own.length, 1)
    expect({ of: nameOf(workload), pods: own.length }).toMatchObject({ pods: replicas })
  }
  for (const pod of there)
    expect(pickList(pod, 'status', 'conditions')).toContainEqual(
      expect.objectContaining({ type: 'Ready', status: 'True' }),
    )
}

/** Everything in the namespace that the release, or something of the release, has made. */
async function everything(namespace: string): Promise<readonly JsonObject[]> {
  const lists = await Promise.all(
    COLLECTIONS.map(async (collection) => {
      const { status, body } = await cluster.ask('GET', pathOf(collection, namespace))
      expect({ collection, status }).toMatchObject({ status: 200 })
      const kind = pickText(body, 'kind').replace(/List$/, '')
      return objectsOf(body).map((object) => ({ ...object, kind }))
    }),
  )
  return lists.flat().filter((object) => !isOfTheNamespace(object))
}

function isOfTheNamespace(object: JsonObject): boolean {
  const isMade = pick(object, 'metadata', 'labels', 'made') === 'by-the-operator'
  return isMade || ['ServiceAccount/default', 'ConfigMap/kube-root-ca.crt'].includes(nameOf(object))
}

function isHook(object: JsonObject): boolean {
  return pick(object, 'metadata', 'annotations', 'helm.sh/hook') !== undefined
}

function objectsOf(list: JsonObject): JsonObject[] {
  return pickList(list, 'items').filter((item) => isJsonObject(item))
}

function identities(all: readonly JsonObject[], name: string): readonly string[] {
  return all
    .filter((pod) => pick(pod, 'metadata', 'labels', 'app.kubernetes.io/name') === name)
    .map((pod) => pickText(pod, 'metadata', 'uid'))
}

function checksum(pod: JsonObject): JsonValue | undefined {
  return pick(pod, 'metadata', 'annotations', 'checksum/config')
}
