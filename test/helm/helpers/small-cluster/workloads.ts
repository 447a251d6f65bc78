/** What the controllers of Kubernetes do for the workloads of the default release: a pod for a StatefulSet (of one pod, as all of the chart are) and for a Job. */
import { createHash } from 'node:crypto'
import type { JsonObject } from '../../../../src/core/json.ts'
import { pick, pickList, pickText } from '../chart.ts'
import { CLAIM, JOB, POD, STATEFUL_SET } from './kinds.ts'
import { leaving, metadataOf, objectOf, placeOf, type Change, type ClusterObjects, type Place } from './objects.ts'

const REVISION = 'controller-revision-hash'

/** Until what is returned is called. */
export function controlWorkloads(objects: ClusterObjects): () => void {
  const look = ({ kind, type, object }: Change): void => {
    if (type !== 'DELETED' && kind === STATEFUL_SET) controlStatefulSet(objects, placeOf(kind, object))
    if (type !== 'DELETED' && kind === JOB) controlJob(objects, placeOf(kind, object))
    if (kind !== POD) return
    for (const [owner, control] of [
      [STATEFUL_SET, controlStatefulSet],
      [JOB, controlJob],
    ] as const)
      if (pick(object, 'metadata', 'ownerReferences', 0, 'kind') === owner.kind)
        control(objects, {
          ...placeOf(owner, object),
          name: pickText(object, 'metadata', 'ownerReferences', 0, 'name'),
        })
  }
  // A moment later: whoever else listens is to hear of this change before those that follow from it.
  return objects.onChange((change) => queueMicrotask(() => look(change)))
}

function controlStatefulSet(objects: ClusterObjects, place: Place): void {
  const set = objects.find(place)
  if (set === undefined) return
  const revision = createHash('sha256')
    .update(JSON.stringify(pick(set, 'spec', 'template')))
    .digest('hex')
    .slice(0, 10)
  const pod: Place = { ...place, kind: POD, name: `${place.name}-0` }
  const claims = pickList(set, 'spec', 'volumeClaimTemplates').map((claim) => ({
    claim: objectOf(claim),
    volume: pickText(claim, 'metadata', 'name'),
    name: `${pickText(claim, 'metadata', 'name')}-${pod.name}`,
  }))
  for (const { claim, name } of claims) {
    const at = { ...place, kind: CLAIM, name }
    if (objects.find(at) === undefined) objects.create(at, claim)
  }
  const volumes = claims.map(({ volume, name }) => ({ name: volume, persistentVolumeClaim: { claimName: name } }))
  const there = objects.find(pod)
  if (there === undefined) {
    objects.create(pod, podOf(set, { [REVISION]: revision, 'statefulset.kubernetes.io/pod-name': pod.name }, volumes))
    return
  }
  const isCurrent = pick(there, 'metadata', 'labels', REVISION) === revision
  if (!isCurrent && pick(there, 'metadata', 'deletionTimestamp') === undefined) {
    objects.replace(pod, leaving(there))
    return
  }
  const ready = pickList(there, 'status', 'conditions').some(
    (condition) => pick(condition, 'type') === 'Ready' && pick(condition, 'status') === 'True',
  )
  objects.setStatus(place, {
    observedGeneration: pick(set, 'metadata', 'generation'),
    replicas: 1,
    readyReplicas: ready ? 1 : 0,
    availableReplicas: ready ? 1 : 0,
    currentReplicas: isCurrent ? 1 : 0,
    updatedReplicas: isCurrent ? 1 : 0,
    currentRevision: pick(there, 'metadata', 'labels', REVISION),
    updateRevision: revision,
  })
}

function controlJob(objects: ClusterObjects, place: Place): void {
  const job = objects.find(place)
  if (job === undefined) return
  const pod: Place = { ...place, kind: POD, name: `${place.name}-pod` }
  const there = objects.find(pod)
  if (there === undefined) {
    if (pick(job, 'status') === undefined) objects.create(pod, podOf(job, {}, []))
    return
  }
  const phase = pick(there, 'status', 'phase')
  // Its backoffLimit is 0: what has failed is not tried again.
  const [count, type] = phase === 'Succeeded' ? ['succeeded', 'Complete'] : ['failed', 'Failed']
  const isOver = phase === 'Succeeded' || phase === 'Failed'
  objects.setStatus(place, isOver ? { [count]: 1, conditions: [{ type, status: 'True' }] } : { active: 1 })
}

function podOf(owner: JsonObject, labels: JsonObject, volumes: readonly JsonObject[]): JsonObject {
  const template = objectOf(pick(owner, 'spec', 'template'))
  const spec = objectOf(template['spec'])
  const { apiVersion, kind } = owner
  const reference = { apiVersion, kind, name: pick(owner, 'metadata', 'name'), uid: pick(owner, 'metadata', 'uid') }
  return {
    metadata: {
      ...metadataOf(template),
      labels: { ...objectOf(pick(template, 'metadata', 'labels')), ...labels },
      ownerReferences: [{ ...reference, controller: true }],
    },
    spec: { ...spec, volumes: [...pickList(spec, 'volumes'), ...volumes] },
  }
}
