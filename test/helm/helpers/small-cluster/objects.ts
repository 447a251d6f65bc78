/** The objects of the small API server, in memory: their versions, and what has changed since one. */
import { randomUUID } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { isJsonObject, type JsonObject, type JsonValue } from '../../../../src/core/json.ts'
import { pick, pickText } from '../chart.ts'
import { JOB, kindNamed, NAMESPACE, SECRET, type Kind } from './kinds.ts'

export interface Place {
  readonly kind: Kind
  readonly namespace: string | undefined
  readonly name: string
}

export interface Change {
  readonly version: number
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'
  readonly kind: Kind
  readonly object: JsonObject
}

/** What a client is told, as a Status. */
export class Refusal extends Error {
  readonly code: number
  readonly reason: string
  constructor(code: number, reason: string, message: string) {
    super(message)
    this.code = code
    this.reason = reason
  }
}

export class ClusterObjects {
  readonly #objects = new Map<string, JsonObject>()
  readonly #changes: Change[] = []
  readonly #news = new EventEmitter().setMaxListeners(0)

  get version(): number {
    return this.#changes.length
  }

  /** Of the kind, in the namespace or in all. */
  list(kind: Kind, namespace?: string): readonly JsonObject[] {
    const prefix = keyOf({ kind, namespace, name: '' })
    return [...this.#objects].filter(([key]) => key.startsWith(prefix)).map(([, object]) => object)
  }

  find(place: Place): JsonObject | undefined {
    return this.#objects.get(keyOf(place))
  }

  get(place: Place): JsonObject {
    const found = this.find(place)
    if (found === undefined) throw new Refusal(404, 'NotFound', `${place.kind.plural} "${place.name}" not found`)
    return found
  }

  create(place: Place, object: JsonObject): JsonObject {
    const { kind, namespace, name } = place
    if (namespace !== undefined) this.get({ kind: NAMESPACE, namespace: undefined, name: namespace })
    if (this.find(place) !== undefined)
      throw new Refusal(409, 'AlreadyExists', `${kind.plural} "${name}" already exists`)
    const uid = randomUUID()
    const creationTimestamp = new Date().toISOString()
    const metadata = { ...metadataOf(object), name, ...(namespace === undefined ? {} : { namespace }), uid }
    const made = { apiVersion: kind.apiVersion, kind: kind.kind, ...withDefaults(kind, object, uid) }
    return this.#put('ADDED', place, { ...made, metadata: { ...metadata, creationTimestamp, generation: 1 } })
  }

  /** All of it. It stays the same object: what only a server writes is kept. */
  replace(place: Place, object: JsonObject): JsonObject {
    const before = this.get(place)
    const { uid, creationTimestamp, generation, resourceVersion } = metadataOf(before)
    const hasOther = JSON.stringify(before['spec']) !== JSON.stringify(object['spec'])
    const kept = { uid, creationTimestamp, generation: Number(generation) + (hasOther ? 1 : 0), resourceVersion }
    const after = withDefaults(
      place.kind,
      { ...object, metadata: { ...metadataOf(object), ...kept } },
      pickText(before, 'metadata', 'uid'),
    )
    return JSON.stringify(before) === JSON.stringify(after) ? before : this.#put('MODIFIED', place, after)
  }

  /** Only its status, as those do that see to an object. What is not there any more has none. */
  setStatus(place: Place, status: JsonObject): void {
    const before = this.find(place)
    if (before !== undefined) this.replace(place, { ...before, status })
  }

  /** At once, with all that it owns. */
  remove(place: Place): JsonObject {
    const object = this.get(place)
    this.#objects.delete(keyOf(place))
    const version = this.#tell('DELETED', place.kind, object)
    for (const [key, other] of this.#objects)
      if (pick(other, 'metadata', 'ownerReferences', 0, 'uid') === pick(object, 'metadata', 'uid')) {
        const kind = kindNamed(pickText(other, 'apiVersion'), pickText(other, 'kind'))
        this.#objects.delete(key)
        if (kind !== undefined) this.#tell('DELETED', kind, other)
      }
    return withVersion(object, version)
  }

  since(version: number): readonly Change[] {
    return this.#changes.slice(version)
  }

  /** Until what is returned is called. The listener is called before the change is answered, and must not wait. */
  onChange(listener: (change: Change) => void): () => void {
    this.#news.on('change', listener)
    return () => this.#news.off('change', listener)
  }

  #put(type: Change['type'], place: Place, object: JsonObject): JsonObject {
    const stored = withVersion(object, this.version + 1)
    this.#objects.set(keyOf(place), stored)
    this.#tell(type, place.kind, stored)
    return stored
  }

  #tell(type: Change['type'], kind: Kind, object: JsonObject): number {
    const version = this.version + 1
    const change = { version, type, kind, object: withVersion(object, version) }
    this.#changes.push(change)
    this.#news.emit('change', change)
    return version
  }
}

/** The slash at the end: a list is what begins with it. */
function keyOf({ kind, namespace, name }: Place): string {
  const inNamespace = namespace === undefined ? '' : `${namespace}/`
  return `${kind.apiVersion}/${kind.plural}/${inNamespace}${name}${name === '' ? '' : '/'}`
}

export function metadataOf(object: JsonObject): JsonObject {
  const metadata = object['metadata']
  return isJsonObject(metadata) ? metadata : {}
}

/** A pod that was told to go: its node removes it when it has gone. */
export function leaving(pod: JsonObject): JsonObject {
  const deletionTimestamp = new Date().toISOString()
  return { ...pod, metadata: { ...metadataOf(pod), deletionTimestamp, deletionGracePeriodSeconds: 60 } }
}

export function placeOf(kind: Kind, object: JsonObject): Place {
  const { namespace } = metadataOf(object)
  return {
    kind,
    namespace: typeof namespace === 'string' ? namespace : undefined,
    name: pickText(object, 'metadata', 'name'),
  }
}

function withVersion(object: JsonObject, version: number): JsonObject {
  return { ...object, metadata: { ...metadataOf(object), resourceVersion: String(version) } }
}

/** What an API server adds to an object of this kind. */
function withDefaults(kind: Kind, object: JsonObject, uid: string): JsonObject {
  if (kind === SECRET) {
    const { stringData, ...rest } = object
    const texts = Object.entries(isJsonObject(stringData) ? stringData : {})
    const encoded = texts.map(([key, text]) => [key, Buffer.from(pickText(text)).toString('base64')])
    return { type: 'Opaque', ...rest, data: { ...dataOf(rest), ...Object.fromEntries(encoded) } }
  }
  if (kind === NAMESPACE) return { ...object, status: { phase: 'Active' } }
  if (kind !== JOB) return object
  const mark = {
    'batch.kubernetes.io/controller-uid': uid,
    'batch.kubernetes.io/job-name': pick(object, 'metadata', 'name'),
  }
  const spec = isJsonObject(object['spec']) ? object['spec'] : {}
  const template = isJsonObject(spec['template']) ? spec['template'] : {}
  const labels = pick(template, 'metadata', 'labels')
  const marked = { ...template, metadata: { ...metadataOf(template), labels: { ...objectOf(labels), ...mark } } }
  const selector = { matchLabels: { 'batch.kubernetes.io/controller-uid': uid } }
  return { ...object, spec: { ...spec, selector, template: marked } }
}

function dataOf(object: JsonObject): JsonObject {
  return objectOf(object['data'])
}

export function objectOf(value: JsonValue | undefined): JsonObject {
  return isJsonObject(value) ? value : {}
}
