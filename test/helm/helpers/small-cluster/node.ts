/** The node of the small cluster: it does what a kubelet does, with processes of this machine for containers. */
import { rm } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import type { JsonObject } from '../../../../src/core/json.ts'
import { pick, pickList, pickText } from '../chart.ts'
import type { Node } from './api-server.ts'
import { attend } from './attend.ts'
import { RunningPod } from './containers.ts'
import { POD } from './kinds.ts'
import { placeOf, Refusal, type Change, type ClusterObjects, type Place } from './objects.ts'
import { mountVolumes, portsOf, translator, withServices, type Ports } from './pod-files.ts'

interface Held {
  readonly uid: string
  readonly running: RunningPod
  readonly ports: Ports
}

export class SmallNode implements Node, AsyncDisposable {
  readonly #objects: ClusterObjects
  readonly #folder: string
  readonly #pods = new Map<string, Held>()
  /** What is still to be done for each pod, one thing after the other. */
  readonly #work = new Map<string, Promise<void>>()
  readonly #leave: () => void

  /** `folder`: for volumes. */
  constructor(objects: ClusterObjects, folder: string) {
    this.#objects = objects
    this.#folder = folder
    this.#leave = objects.onChange((change) => this.#look(change))
  }

  log(pod: Place, container: string | undefined): string {
    return this.#running(pod).log(container)
  }

  async attend(pod: Place, what: string, request: IncomingMessage, socket: Duplex): Promise<void> {
    await attend(this.#running(pod), what, request, socket)
  }

  /** Of the process in the pod's only container. */
  pid(pod: Place): number {
    return this.#running(pod).pid(undefined)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#leave()
    await Promise.all(this.#work.values())
    await Promise.all([...this.#pods.values()].map(({ running }) => running.end()))
  }

  #running(pod: Place): RunningPod {
    const held = this.#pods.get(keyOf(pod))
    if (held === undefined) throw new Refusal(400, 'BadRequest', `the pod ${pod.name} does not run`)
    return held.running
  }

  #look({ kind, type, object }: Change): void {
    if (kind !== POD) return
    const place = placeOf(POD, object)
    if (type === 'ADDED')
      this.#then(place, () =>
        this.#start(place, object).catch((error: unknown) =>
          this.#objects.setStatus(place, { phase: 'Failed', reason: 'FailedMount', message: String(error) }),
        ),
      )
    else if (type === 'DELETED' || pick(object, 'metadata', 'deletionTimestamp') !== undefined)
      this.#then(place, () => this.#end(place, pickText(object, 'metadata', 'uid')))
  }

  #then(place: Place, work: () => Promise<void>): void {
    const before = this.#work.get(keyOf(place)) ?? Promise.resolve()
    this.#work.set(
      keyOf(place),
      before.then(work).catch(() => {}),
    )
  }

  async #start(place: Place, pod: JsonObject): Promise<void> {
    const folder = join(this.#folder, keyOf(place))
    await rm(folder, { recursive: true, force: true })
    const folderOf = (name: string): string => {
      const volume = pickList(pod, 'spec', 'volumes').find((each) => pick(each, 'name') === name)
      if (pick(volume, 'persistentVolumeClaim') === undefined) return join(folder, name)
      return join(this.#folder, 'claims', pickText(volume, 'persistentVolumeClaim', 'claimName'))
    }
    const ports = await portsOf(pod)
    const namespace = place.namespace ?? ''
    const portsAt = (name: string): Ports | undefined => this.#pods.get(keyOf({ ...place, name }))?.ports
    const here = translator(pod, ports, folderOf)
    const translate = (text: string): string => withServices(this.#objects, namespace, portsAt, here(text))
    await mountVolumes(this.#objects, pod, folderOf, translate)
    const uid = pickText(pod, 'metadata', 'uid')
    const onStatus = (status: JsonObject): void => {
      if (this.#isThere(place, uid)) this.#objects.setStatus(place, status)
    }
    const running = new RunningPod({ pod, translate, portOf: (port) => ports.get(port), folder, onStatus })
    this.#pods.set(keyOf(place), { uid, running, ports })
  }

  /** It may be gone already, with what owned it. */
  async #end(place: Place, uid: string): Promise<void> {
    const held = this.#pods.get(keyOf(place))
    if (held?.uid === uid) {
      this.#pods.delete(keyOf(place))
      await held.running.end()
    }
    if (this.#isThere(place, uid)) this.#objects.remove(place)
  }

  /** Another pod may have got the name. */
  #isThere(place: Place, uid: string): boolean {
    return pick(this.#objects.find(place), 'metadata', 'uid') === uid
  }
}

function keyOf({ namespace, name }: Place): string {
  return `${namespace}/${name}`
}
