/**
 * Two nodes that run nothing: a pod that was put on one becomes ready (one of a Job: is done) as soon as everything that it mounts is there, and is
 * gone when it is to go. Volumes for claims are there, too.
 */
import { setTimeout } from 'node:timers/promises'
import type { JsonObject, JsonValue } from '../../../src/core/json.ts'
import { pick, pickList, pickText } from './chart.ts'
import type { Cluster } from './cluster.ts'

type Api = Pick<Cluster, 'ask' | 'create'>

const NODES = ['node-0', 'node-1']
const VOLUMES = 30
const LOOK_EVERY_MS = 200
/** The controller manager takes a node for lost after 50 s. */
const BEAT_EVERY_MS = 5000

export async function startKubelets(api: Api): Promise<AsyncDisposable> {
  for (const name of NODES) await api.create('/api/v1/nodes', node(name))
  for (let index = 0; index < VOLUMES; index += 1) await api.create('/api/v1/persistentvolumes', volume(index))
  const closing = new AbortController()
  const working = work()

  async function work(): Promise<void> {
    let beatAtMs = 0
    while (!closing.signal.aborted) {
      if (Date.now() - beatAtMs > BEAT_EVERY_MS) {
        beatAtMs = Date.now()
        for (const name of NODES) await api.ask('PATCH', `/api/v1/nodes/${name}/status`, nodeStatus())
      }
      const { body } = await api.ask('GET', '/api/v1/pods')
      for (const pod of pickList(body, 'items')) await tend(api, pod)
      await setTimeout(LOOK_EVERY_MS, undefined, { signal: closing.signal }).catch(() => {})
    }
  }
  return {
    async [Symbol.asyncDispose]() {
      closing.abort()
      await working
    },
  }
}

async function tend(api: Api, pod: JsonValue): Promise<void> {
  if (pick(pod, 'spec', 'nodeName') === undefined) return
  const path = `/api/v1/namespaces/${pickText(pod, 'metadata', 'namespace')}/pods/${pickText(pod, 'metadata', 'name')}`
  if (pick(pod, 'metadata', 'deletionTimestamp') !== undefined) await api.ask('DELETE', `${path}?gracePeriodSeconds=0`)
  else if (pick(pod, 'status', 'phase') === 'Pending' && (await hasWhatItMounts(api, pod)))
    await api.ask('PATCH', `${path}/status`, {
      status: pick(pod, 'spec', 'restartPolicy') === 'Never' ? doneStatus(pod) : runningStatus(pod),
    })
}

async function hasWhatItMounts(api: Api, pod: JsonValue): Promise<boolean> {
  const namespace = pickText(pod, 'metadata', 'namespace')
  for (const { kind, name, key } of mountedKeys(pick(pod, 'spec'))) {
    const { body } = await api.ask('GET', `/api/v1/namespaces/${namespace}/${kind}s/${name}`)
    if (pick(body, 'data', key) === undefined) return false
  }
  return true
}

export interface MountedKey {
  readonly kind: 'secret' | 'configmap'
  readonly name: string
  readonly key: string
}

/** Every key of a Secret or ConfigMap that a pod with this spec mounts. */
export function mountedKeys(podSpec: JsonValue | undefined): readonly MountedKey[] {
  return pickList(podSpec, 'volumes')
    .flatMap((each) => pickList(each, 'projected', 'sources'))
    .flatMap((source) =>
      (['secret', 'configMap'] as const).flatMap((field) =>
        pickList(source, field, 'items').map((item) => ({
          kind: field === 'secret' ? ('secret' as const) : ('configmap' as const),
          name: pickText(source, field, 'name'),
          key: pickText(item, 'key'),
        })),
      ),
    )
}

function runningStatus(pod: JsonValue): JsonObject {
  const now = new Date().toISOString()
  const conditions = ['Initialized', 'PodReadyToStartContainers', 'ContainersReady', 'Ready', 'PodScheduled']
  return {
    phase: 'Running',
    podIP: '192.0.2.10',
    podIPs: [{ ip: '192.0.2.10' }],
    startTime: now,
    conditions: conditions.map((type) => ({ type, status: 'True', lastTransitionTime: now })),
    containerStatuses: pickList(pod, 'spec', 'containers').map((container) => ({
      name: pickText(container, 'name'),
      image: pickText(container, 'image'),
      imageID: '',
      ready: true,
      started: true,
      restartCount: 0,
      state: { running: { startedAt: now } },
    })),
  }
}

function doneStatus(pod: JsonValue): JsonObject {
  const now = new Date().toISOString()
  const running = runningStatus(pod)
  return {
    ...running,
    phase: 'Succeeded',
    conditions: pickList(running, 'conditions').filter(
      (condition) => !['ContainersReady', 'Ready'].includes(pickText(condition, 'type')),
    ),
    containerStatuses: pickList(running, 'containerStatuses').map((status) => ({
      ...Object(status),
      ready: false,
      started: false,
      state: { terminated: { exitCode: 0, reason: 'Completed', startedAt: now, finishedAt: now } },
    })),
  }
}

function node(name: string): object {
  const labels = { 'kubernetes.io/hostname': name, 'kubernetes.io/os': 'linux' }
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, labels } }
}

function nodeStatus(): object {
  const now = new Date().toISOString()
  const room = { cpu: '64', memory: '256Gi', pods: '200' }
  const ready = { type: 'Ready', status: 'True', reason: 'Pretended', lastHeartbeatTime: now, lastTransitionTime: now }
  return { status: { capacity: room, allocatable: room, conditions: [ready] } }
}

function volume(index: number): object {
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: `volume-${index}` },
    spec: { capacity: { storage: '10Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: `/volumes/${index}` } },
  }
}
