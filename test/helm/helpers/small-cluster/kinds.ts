/** The kinds of object that the small API server knows, and how it tells clients of them. */
import type { JsonObject } from '../../../../src/core/json.ts'
import { versions } from '../../../../scripts/helm-tools.ts'

export interface Kind {
  /** Such as `v1` or `apps/v1`. */
  readonly apiVersion: string
  readonly kind: string
  readonly plural: string
  readonly short: readonly string[]
  readonly isNamespaced: boolean
}

function kindOf(apiVersion: string, kind: string, plural: string, short: readonly string[] = []): Kind {
  return { apiVersion, kind, plural, short, isNamespaced: kind !== 'Namespace' }
}

export const NAMESPACE = kindOf('v1', 'Namespace', 'namespaces', ['ns'])
export const POD = kindOf('v1', 'Pod', 'pods', ['po'])
export const SECRET = kindOf('v1', 'Secret', 'secrets')
export const CONFIG_MAP = kindOf('v1', 'ConfigMap', 'configmaps', ['cm'])
export const SERVICE = kindOf('v1', 'Service', 'services', ['svc'])
export const CLAIM = kindOf('v1', 'PersistentVolumeClaim', 'persistentvolumeclaims', ['pvc'])
export const STATEFUL_SET = kindOf('apps/v1', 'StatefulSet', 'statefulsets', ['sts'])
export const JOB = kindOf('batch/v1', 'Job', 'jobs')

const KINDS: readonly Kind[] = [
  NAMESPACE,
  POD,
  SECRET,
  CONFIG_MAP,
  SERVICE,
  CLAIM,
  STATEFUL_SET,
  JOB,
  kindOf('v1', 'ServiceAccount', 'serviceaccounts', ['sa']),
  kindOf('v1', 'Event', 'events', ['ev']),
  kindOf('networking.k8s.io/v1', 'NetworkPolicy', 'networkpolicies', ['netpol']),
]

const VERBS = ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch']

export function kindAt(apiVersion: string, plural: string): Kind | undefined {
  return KINDS.find((kind) => kind.apiVersion === apiVersion && kind.plural === plural)
}

export function kindNamed(apiVersion: string, name: string): Kind | undefined {
  return KINDS.find((kind) => kind.apiVersion === apiVersion && kind.kind === name)
}

/** What stands in front of the names of objects in a path: `/api/v1`, `/apis/apps/v1`. */
export function rootOf(apiVersion: string): string {
  return apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`
}

/** The answer at a path of discovery, by which clients learn what there is; undefined where the path is another one. */
export function discoveryAt(path: string): JsonObject | undefined {
  const [major = '', minor = ''] = versions.kubernetes.split('.')
  if (path === '/version') return { major, minor, gitVersion: `v${versions.kubernetes}`, platform: 'linux/amd64' }
  if (path === '/api') return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] }
  const apiVersions = [...new Set(KINDS.map(({ apiVersion }) => apiVersion))]
  if (path === '/apis')
    return { kind: 'APIGroupList', apiVersion: 'v1', groups: apiVersions.filter((each) => each !== 'v1').map(groupOf) }
  if (path === '/openapi/v3')
    return {
      paths: Object.fromEntries(
        apiVersions.map((each) => [rootOf(each).slice(1), { serverRelativeURL: `/openapi/v3${rootOf(each)}` }]),
      ),
    }
  for (const apiVersion of apiVersions) {
    if (path === rootOf(apiVersion)) return resourcesOf(apiVersion)
    if (path === `/openapi/v3${rootOf(apiVersion)}`) return openApiOf(apiVersion)
  }
  return undefined
}

function groupOf(groupVersion: string): JsonObject {
  const [name = '', version = ''] = groupVersion.split('/')
  return { name, versions: [{ groupVersion, version }], preferredVersion: { groupVersion, version } }
}

function resourcesOf(groupVersion: string): JsonObject {
  const resources = KINDS.filter(({ apiVersion }) => apiVersion === groupVersion).map((kind) => ({
    name: kind.plural,
    singularName: kind.kind.toLowerCase(),
    namespaced: kind.isNamespaced,
    kind: kind.kind,
    verbs: VERBS,
    shortNames: kind.short,
  }))
  return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion, resources }
}

/** No more than Helm looks for: that a server would check the fields itself. This one does not; test/helm/chart.test.ts has them checked. */
function openApiOf(apiVersion: string): JsonObject {
  const [version = '', group = ''] = apiVersion.split('/').toReversed()
  const paths = KINDS.filter((kind) => kind.apiVersion === apiVersion).map(({ plural, kind }) => [
    `${rootOf(apiVersion)}/${plural}/{name}`,
    {
      patch: {
        parameters: [{ name: 'fieldValidation', in: 'query', schema: { type: 'string' } }],
        responses: {},
        'x-kubernetes-group-version-kind': { group, version, kind },
      },
    },
  ])
  return { openapi: '3.0.0', info: { title: 'small', version }, paths: Object.fromEntries(paths) }
}
