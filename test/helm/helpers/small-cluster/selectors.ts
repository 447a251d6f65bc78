/** Which objects a client asks for, and how `kubectl get` is given pods. Pure. */
import type { JsonObject, JsonValue } from '../../../../src/core/json.ts'
import { pick, pickList, pickText } from '../chart.ts'
import { Refusal } from './objects.ts'

/** By the parameters labelSelector and fieldSelector. Only equality is known, which is all that is asked for. */
export function selectorOf(query: URLSearchParams): (object: JsonObject) => boolean {
  const labels = equalities(query.get('labelSelector') ?? '')
  const fields = equalities(query.get('fieldSelector') ?? '')
  return (object) =>
    labels.every(([name, value]) => pick(object, 'metadata', 'labels', name) === value) &&
    fields.every(([path, value]) => (pick(object, ...path.split('.')) ?? '') === value)
}

function equalities(selector: string): readonly (readonly [name: string, value: string])[] {
  if (selector === '') return []
  return selector.split(',').map((part) => {
    const [, name, value] = /^([\w./-]+)==?([\w.-]*)$/.exec(part) ?? []
    if (name === undefined || value === undefined) throw new Refusal(501, 'NotImplemented', `the selector ${selector}`)
    return [name, value] as const
  })
}

const OVER: Readonly<Record<string, string>> = { Succeeded: 'Completed', Failed: 'Error' }
const COLUMNS = ['Name', 'Ready', 'Status', 'Restarts', 'Age']

/** As the API server makes it; its clients only print it. */
export function podTable(pods: readonly JsonObject[], resourceVersion: string, nowMs: number): JsonObject {
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata: { resourceVersion },
    columnDefinitions: COLUMNS.map((name) => ({ name, type: 'string', format: '', description: '', priority: 0 })),
    rows: pods.map((pod) => ({ cells: cellsOf(pod, nowMs), object: partOf(pod) })),
  }
}

function cellsOf(pod: JsonObject, nowMs: number): readonly JsonValue[] {
  const statuses = pickList(pod, 'status', 'containerStatuses')
  const ready = statuses.filter((status) => pick(status, 'ready') === true).length
  const restarts = statuses.reduce((sum: number, status) => sum + Number(pick(status, 'restartCount')), 0)
  const ageS = Math.floor((nowMs - Date.parse(pickText(pod, 'metadata', 'creationTimestamp'))) / 1000)
  const phase = pick(pod, 'status', 'phase') === undefined ? 'Pending' : pickText(pod, 'status', 'phase')
  const isLeaving = pick(pod, 'metadata', 'deletionTimestamp') !== undefined
  return [
    pickText(pod, 'metadata', 'name'),
    `${ready}/${pickList(pod, 'spec', 'containers').length}`,
    isLeaving ? 'Terminating' : (OVER[phase] ?? phase),
    String(restarts),
    `${ageS}s`,
  ]
}

function partOf({ metadata }: JsonObject): JsonObject {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata }
}
