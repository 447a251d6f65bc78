/** helm/values.schema.json: the chart's own values, and the gateway's settings from the gateway's own schema. Run it to write the file. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { configSchema } from '../src/config/json-schema.ts'
import { isJsonObject, jsonObject, type JsonObject, type JsonValue } from '../src/core/json.ts'
import { providers } from '../src/providers/index.ts'

export const helmSchemaFile = join(import.meta.dirname, '../helm/values.schema.json')

/** What the chart writes itself, by section; `true` for the whole section. */
const WRITTEN_BY_THE_CHART: Readonly<Record<string, readonly string[] | true>> = {
  http: ['host', 'port'],
  admin: ['host', 'port', 'token_file'],
  store: ['url', 'cluster', 'username', 'password', 'password_file', 'ca_file'],
  queue: ['encryption_key_file'],
  apps: true,
  proxy: true,
  proxy_file: true,
  tracing: true,
}

const text: JsonObject = { type: 'string' }
const flag: JsonObject = { type: 'boolean' }
const map: JsonObject = { type: 'object' }
const list: JsonObject = { type: 'array' }
const objects: JsonObject = { type: 'array', items: map }
const texts: JsonObject = { type: 'array', items: text }
const textMap: JsonObject = { type: 'object', additionalProperties: text }
const quantity: JsonObject = { type: 'string', pattern: '^[0-9]+(\\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$' }
const promDuration: JsonObject = { type: 'string', pattern: '^([0-9]+(ms|s|m|h|d))+$' }
const file: JsonObject = { $ref: '#/definitions/file' }
const optionalFile: JsonObject = {
  type: 'object',
  if: { minProperties: 1 },
  // oxlint-disable-next-line unicorn/no-thenable -- JSON Schema calls it so
  then: file,
}

function closed(properties: JsonObject, rest: JsonObject = {}): JsonObject {
  return { type: 'object', additionalProperties: false, ...rest, properties }
}

function oneOf(...values: readonly string[]): JsonObject {
  return { enum: [...values] }
}

function wholeNumber(minimum: number, maximum = 2_147_483_647): JsonObject {
  return { type: 'integer', minimum, maximum }
}

const image = {
  registry: text,
  repository: { type: 'string', minLength: 1 },
  tag: { type: 'string', pattern: '^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$' },
  digest: { type: 'string', pattern: '^(sha256:[0-9a-f]{64})?$' },
  pullPolicy: oneOf('', 'Always', 'IfNotPresent', 'Never'),
} as const
const volume = {
  size: quantity,
  storageClassName: text,
  accessModes: {
    type: 'array',
    minItems: 1,
    items: oneOf('ReadWriteOnce', 'ReadWriteOncePod', 'ReadWriteMany'),
  },
  whenDeleted: oneOf('Retain', 'Delete'),
  existingClaim: text,
} as const
const hostAndPort: JsonObject = { type: 'array', items: { type: 'string', pattern: '^[^\\s/@,]+$' } }
const monitor = closed({
  enabled: flag,
  interval: promDuration,
  scrapeTimeout: { type: 'string', pattern: '^([0-9]+(ms|s|m|h|d))*$' },
  labels: textMap,
  annotations: textMap,
  relabelings: objects,
  metricRelabelings: objects,
})

const role = closed({
  replicas: wholeNumber(0),
  resources: map,
  podAnnotations: textMap,
  hpa: closed({
    enabled: flag,
    minReplicas: wholeNumber(1),
    maxReplicas: wholeNumber(1),
    targetCPUUtilizationPercentage: wholeNumber(1),
    behavior: map,
  }),
  keda: closed({
    enabled: flag,
    minReplicas: wholeNumber(1),
    maxReplicas: wholeNumber(1),
    targetAgeSeconds: wholeNumber(1),
    pollingInterval: wholeNumber(1),
    cooldownPeriod: wholeNumber(0),
    extraTriggers: objects,
  }),
  pdb: closed({ enabled: flag, maxUnavailable: { type: ['integer', 'string'] } }),
  topologySpreadConstraints: objects,
  nodeSelector: textMap,
  tolerations: objects,
  affinity: map,
})

const alertChange = closed({ enabled: flag, threshold: { type: 'number' }, for: promDuration, severity: text })

const ours: JsonObject = {
  global: map,
  proxy: closed({
    url: { type: 'string', pattern: '^(http://([^\\s/@:]+|\\[[0-9a-fA-F:]+\\])(:[0-9]+)?/?)?$' },
    file: optionalFile,
    port: wholeNumber(1, 65_535),
    to: objects,
  }),
  tracing: closed({
    endpoint: { type: 'string', pattern: '^(https?://([^\\s/@:]+|\\[[0-9a-fA-F:]+\\])(:[0-9]+)?(/[^\\s@]*)?)?$' },
    headers: optionalFile,
    ca: optionalFile,
    sampleRatio: { type: 'number', minimum: 0, maximum: 1 },
    to: objects,
  }),
  store: closed({
    kind: oneOf('sqlite', 'redis', 'bundledRedis'),
    sqlite: closed(volume),
    redis: closed({
      host: { type: 'string', pattern: '^[^\\s/@]*$' },
      port: wholeNumber(1, 65_535),
      database: wholeNumber(0),
      tls: flag,
      sentinel: closed({ hosts: hostAndPort, masterName: text }),
      cluster: hostAndPort,
      username: text,
      password: optionalFile,
      ca: optionalFile,
    }),
    bundledRedis: closed({
      image: closed(image),
      password: optionalFile,
      ...volume,
      podAnnotations: textMap,
      maxmemory: { type: 'string', pattern: '^[0-9]+(kb|mb|gb)$' },
      appendfsync: oneOf('always', 'everysec'),
      resources: map,
    }),
  }),
  keys: closed({ encryption: optionalFile, adminToken: optionalFile }),
  mode: oneOf('all', 'split'),
  roles: closed({ all: role, http: role, worker: role }),
  image: closed({ ...image, node: text }),
  imagePullSecrets: objects,
  service: closed({
    type: oneOf('ClusterIP', 'NodePort', 'LoadBalancer'),
    port: wholeNumber(1, 65_535),
    annotations: textMap,
    ipFamilyPolicy: oneOf('', 'SingleStack', 'PreferDualStack', 'RequireDualStack'),
  }),
  listenHost: oneOf('0.0.0.0', '::'),
  publicPaths: { type: 'array', minItems: 1, items: { type: 'string', pattern: '^/' } },
  ingress: closed({ enabled: flag, className: text, annotations: textMap, hosts: texts, tls: objects }),
  httpRoute: closed({ enabled: flag, annotations: textMap, parentRefs: objects, hostnames: texts }),
  networkPolicy: closed({
    enabled: flag,
    dns: closed({ to: objects, ports: { type: 'array', items: wholeNumber(1, 65_535), minItems: 1 } }),
    push: closed({ to: objects, ports: { type: 'array', items: wholeNumber(1, 65_535), minItems: 1 } }),
    redis: closed({ to: objects }),
    notify: closed({ from: objects }),
    admin: closed({ from: objects }),
    extraIngress: objects,
    extraEgress: objects,
  }),
  monitoring: closed({
    podMonitor: monitor,
    serviceMonitor: monitor,
    prometheusRule: closed({
      enabled: flag,
      labels: textMap,
      alerts: { type: 'object', additionalProperties: alertChange },
    }),
    dashboard: closed({ enabled: flag, labels: textMap, annotations: textMap }),
  }),
  checkBeforeUpgrade: flag,
  terminationGracePeriodSeconds: wholeNumber(1),
  preStopSleepSeconds: wholeNumber(0),
  probes: closed({ startup: map, liveness: map, readiness: map }),
  serviceAccount: closed({ create: flag, name: text, annotations: textMap }),
  podSecurityContext: map,
  containerSecurityContext: map,
  extraCa: optionalFile,
  extraEnv: objects,
  extraEnvFrom: objects,
  extraVolumes: objects,
  extraVolumeMounts: objects,
  initContainers: objects,
  extraContainers: objects,
  extraObjects: list,
  nameOverride: text,
  fullnameOverride: text,
  commonLabels: textMap,
  podLabels: textMap,
  podAnnotations: textMap,
  dnsPolicy: oneOf('', 'ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'),
  dnsConfig: map,
  hostAliases: objects,
  priorityClassName: text,
  runtimeClassName: text,
  revisionHistoryLimit: wholeNumber(0),
}

const definitions: JsonObject = {
  file: {
    description:
      'Where a file comes from: { secret, key }, { configMap, key } for what is public, or { value }, of which the chart makes a Secret.',
    ...closed(
      Object.fromEntries(
        ['secret', 'configMap', 'key', 'value'].map((name) => [name, { type: 'string', minLength: 1 }]),
      ),
    ),
    oneOf: [{ required: ['secret', 'key'] }, { required: ['configMap', 'key'] }, { required: ['value'] }],
  },
}

export function helmSchema(): JsonObject {
  const gateway = withFileReferences(configSchema(providers))
  const sections = isJsonObject(gateway['properties']) ? gateway['properties'] : {}
  const apps = isJsonObject(sections['apps']) ? sections['apps'] : {}
  const config = jsonObject(
    Object.entries(sections)
      .filter(([name]) => WRITTEN_BY_THE_CHART[name] !== true)
      .map(([name, section]) => [name, without(section, WRITTEN_BY_THE_CHART[name])] as const),
  )
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Values of the chart of Hushgate',
    ...closed({ apps: { ...apps, minProperties: 0 }, config: closed(config), ...ours }),
    definitions,
  }
}

/** Where the gateway reads a path, the chart takes where the file comes from; what is secret and could also stand there in clear is left out. */
function withFileReferences(schema: JsonObject): JsonObject {
  return jsonObject(Object.entries(schema).map(([key, value]) => [key, converted(key, value)] as const))
}

function converted(key: string, value: JsonValue | undefined): JsonValue | undefined {
  if (Array.isArray(value))
    return value.map((item: JsonValue) => (isJsonObject(item) ? withFileReferences(item) : item))
  if (!isJsonObject(value)) return value
  if (key !== 'properties') return withFileReferences(value)
  const kept = Object.entries(value).filter(([name]) => value[`${name}_file`] === undefined)
  return jsonObject(
    kept.map(
      ([name, property]) => [name, name.endsWith('_file') ? reference(property) : converted(name, property)] as const,
    ),
  )
}

function reference(property: JsonValue | undefined): JsonValue {
  const description = isJsonObject(property) ? property['description'] : undefined
  return { ...(description === undefined ? {} : { description }), allOf: [file] }
}

function without(section: JsonValue | undefined, names: readonly string[] | true | undefined): JsonValue | undefined {
  if (!isJsonObject(section) || !isJsonObject(section['properties']) || !Array.isArray(names)) return section
  const properties = Object.entries(section['properties']).filter(([name]) => !names.includes(name))
  return { ...section, properties: jsonObject(properties) }
}

if (import.meta.main) writeFileSync(helmSchemaFile, `${JSON.stringify(helmSchema(), undefined, 2)}\n`)
