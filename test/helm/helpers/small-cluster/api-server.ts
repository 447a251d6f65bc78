/**
 * A small Kubernetes API server at the wire, for helm and kubectl: HTTP and JSON on loopback. It keeps any object of the kinds in kinds.ts. What it cannot
 * do it refuses with 501, so that nothing is pretended silently. It lets in everybody, and checks no field of an object.
 */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { isJsonObject, type JsonObject } from '../../../../src/core/json.ts'
import { freePort } from '../../../helpers/free-port.ts'
import { pick } from '../chart.ts'
import { discoveryAt, kindAt, POD, type Kind } from './kinds.ts'
import { leaving, metadataOf, placeOf, Refusal, type Change, type ClusterObjects, type Place } from './objects.ts'
import { merged } from './patches.ts'
import { objectIn } from './protobuf.ts'
import { podTable, selectorOf } from './selectors.ts'

/** What is asked of the node that a pod runs on. */
export interface Node {
  /** What a container, or the only one, has printed. */
  log(pod: Place, container: string | undefined): string
  /** Speaks with a client about a pod: `exec`, `portforward`. */
  attend(pod: Place, what: string, request: IncomingMessage, socket: Duplex): Promise<void>
}

export interface ApiServer extends AsyncDisposable {
  readonly url: string
  /** What it has refused because it is not made for that, as the client has asked. */
  readonly notImplemented: readonly string[]
}

interface Asked {
  readonly method: string
  readonly kind: Kind
  readonly namespace: string | undefined
  readonly name: string | undefined
  readonly part: string | undefined
  readonly query: URLSearchParams
}

/** All others would have to be obeyed. */
const KNOWN_PARAMETERS = new Set(
  `allowWatchBookmarks container fieldManager fieldSelector fieldValidation force includeObject labelSelector limit
   resourceVersion resourceVersionMatch sendInitialEvents timeout timeoutSeconds watch`.split(/\s+/),
)
const PATH =
  /^(?:\/api\/(v1)|\/apis\/([^/]+\/[^/]+))(?:\/namespaces\/([^/]+)(?=\/))?\/([a-z]+)(?:\/([^/]+)(?:\/([a-z]+))?)?$/

export async function startApiServer(objects: ClusterObjects, node: Node): Promise<ApiServer> {
  const notImplemented: string[] = []
  const server = createServer((request, response) => {
    answer(objects, node, request, response).catch((error: unknown) => {
      const refusal = error instanceof Refusal ? error : new Refusal(500, 'InternalError', String(error))
      if (refusal.code >= 500) notImplemented.push(`${request.method} ${request.url}: ${refusal.message}`)
      send(response, refusal.code, statusOf(refusal))
    })
  })
  const upgraded = new Set<Duplex>()
  server.on('upgrade', (request, socket, first) => {
    upgraded.add(socket)
    const asked = askedOf(request)
    socket.on('error', () => {}).unshift(first)
    // kubectl offers a WebSocket first, and then takes what every kubectl speaks.
    if (request.headers.upgrade !== 'SPDY/3.1' || asked?.kind !== POD || asked.part === undefined)
      socket.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n')
    else node.attend(placeAsked(asked), asked.part, request, socket).catch(() => socket.destroy())
  })
  const port = await freePort()
  await once(server.listen(port, '127.0.0.1'), 'listening')
  return {
    url: `http://127.0.0.1:${port}`,
    notImplemented,
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
      for (const socket of upgraded) socket.destroy()
      await once(server, 'close')
    },
  }
}

async function answer(
  objects: ClusterObjects,
  node: Node,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const found = discoveryAt(new URL(request.url ?? '', 'http://server').pathname)
  if (found !== undefined) return send(response, 200, found)
  const asked = askedOf(request)
  if (asked === undefined) throw new Refusal(404, 'NotFound', 'the server could not find the requested resource')
  const unknown = [...asked.query.keys()].filter((name) => !KNOWN_PARAMETERS.has(name))
  if (unknown.length > 0) throw new Refusal(501, 'NotImplemented', `the parameters ${unknown.join()}`)
  if (asked.kind === POD && asked.part === 'log' && asked.method === 'GET') {
    objects.get(placeAsked(asked))
    response.writeHead(200, { 'content-type': 'text/plain' })
    response.end(node.log(placeAsked(asked), asked.query.get('container') ?? undefined))
    return undefined
  }
  if (asked.part !== undefined) throw new Refusal(501, 'NotImplemented', `the part ${asked.part} of an object`)
  if (asked.method === 'GET') {
    if (['1', 'true'].includes(asked.query.get('watch') ?? '')) return watch(objects, asked, response)
    return send(response, 200, read(objects, asked, request.headers.accept ?? ''))
  }
  const [code, object] = write(objects, asked, request.headers['content-type'] ?? '', await buffer(request))
  return send(response, code, object)
}

function askedOf({ method = '', url = '' }: IncomingMessage): Asked | undefined {
  const { pathname, searchParams: query } = new URL(url, 'http://server')
  const [, core, group, namespace, plural = '', name, part] = PATH.exec(pathname) ?? []
  const kind = kindAt(core ?? group ?? '', plural)
  return kind === undefined ? undefined : { method, kind, namespace, name, part, query }
}

function placeAsked({ kind, namespace, name = '' }: Asked): Place {
  return { kind, namespace, name }
}

function read(objects: ClusterObjects, asked: Asked, accept: string): JsonObject {
  const { kind, namespace, name, query } = asked
  const matches = selectorOf(query)
  const found = name === undefined ? objects.list(kind, namespace).filter(matches) : [objects.get(placeAsked(asked))]
  const resourceVersion = String(objects.version)
  if (kind === POD && accept.includes('as=Table')) return podTable(found, resourceVersion, Date.now())
  if (name !== undefined) return found[0] ?? {}
  return { kind: `${kind.kind}List`, apiVersion: kind.apiVersion, metadata: { resourceVersion }, items: found }
}

/** What is there, where the client has seen nothing yet; then each change, until the client goes. */
function watch(objects: ClusterObjects, { kind, namespace, query }: Asked, response: ServerResponse): void {
  const matches = selectorOf(query)
  const isAsked = (object: JsonObject): boolean =>
    (namespace === undefined || pick(object, 'metadata', 'namespace') === namespace) && matches(object)
  const tell = (type: string, object: JsonObject): void => void response.write(`${JSON.stringify({ type, object })}\n`)
  const follow = (change: Change): void => {
    if (change.kind === kind && isAsked(change.object)) tell(change.type, change.object)
  }
  response.writeHead(200, { 'content-type': 'application/json' })
  response.flushHeaders()
  const seen = query.get('resourceVersion') ?? ''
  if (query.get('sendInitialEvents') === 'true' || ['', '0'].includes(seen)) {
    for (const object of objects.list(kind, namespace).filter(matches)) tell('ADDED', object)
    const metadata = { resourceVersion: String(objects.version), annotations: { 'k8s.io/initial-events-end': 'true' } }
    if (query.get('sendInitialEvents') === 'true')
      tell('BOOKMARK', { kind: kind.kind, apiVersion: kind.apiVersion, metadata })
  } else for (const change of objects.since(Number(seen))) follow(change)
  response.once('close', objects.onChange(follow))
}

function write(objects: ClusterObjects, asked: Asked, type: string, body: Buffer): readonly [number, JsonObject] {
  const { method, kind, namespace } = asked
  const isProtobuf = type === 'application/vnd.kubernetes.protobuf' && method !== 'DELETE'
  const sent: unknown = isProtobuf ? objectIn(body) : JSON.parse(body.toString() || '{}')
  if (!isJsonObject(sent)) throw new Refusal(400, 'BadRequest', 'an object is missing')
  if (method === 'POST' && asked.name === undefined)
    return [201, objects.create({ ...placeOf(kind, sent), namespace }, sent)]
  const place = placeAsked(asked)
  if (method === 'PUT') {
    const { resourceVersion } = metadataOf(sent)
    const isStale = resourceVersion !== metadataOf(objects.get(place))['resourceVersion']
    if (isStale && resourceVersion !== undefined) throw new Refusal(409, 'Conflict', 'the object has been modified')
    return [200, objects.replace(place, sent)]
  }
  if (method === 'PATCH') {
    if (!type.startsWith('application/apply-patch'))
      return [200, objects.replace(place, merged(objects.get(place), sent, type))]
    if (objects.find(place) !== undefined) throw new Refusal(501, 'NotImplemented', 'to apply to what is there')
    return [201, objects.create(place, sent)]
  }
  if (method === 'DELETE' && asked.name !== undefined) return [200, remove(objects, place)]
  throw new Refusal(501, 'NotImplemented', `${method} of ${kind.plural}`)
}

function remove(objects: ClusterObjects, place: Place): JsonObject {
  return place.kind === POD ? objects.replace(place, leaving(objects.get(place))) : objects.remove(place)
}

function statusOf({ code, reason, message }: Refusal): JsonObject {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason, message }
}

function send(response: ServerResponse, code: number, body: JsonObject): void {
  response.writeHead(code, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}
