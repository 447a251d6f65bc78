/** What a kubelet mounts into a pod, put into a folder; and what is only true inside a pod, said as it is here: paths, ports, addresses, names of Services. */
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { JsonObject, JsonValue } from '../../../../src/core/json.ts'
import { freePort } from '../../../helpers/free-port.ts'
import { pick, pickList, pickText, selects } from '../chart.ts'
import { CONFIG_MAP, POD, SECRET, SERVICE } from './kinds.ts'
import type { ClusterObjects } from './objects.ts'

/** One port here for each that a container of the pod has. */
export type Ports = ReadonlyMap<number, number>

export async function portsOf(pod: JsonObject): Promise<Ports> {
  const ports = pickList(pod, 'spec', 'containers').flatMap((container) => pickList(container, 'ports'))
  const pairs: [number, number][] = []
  for (const port of ports) pairs.push([Number(pick(port, 'containerPort')), await freePort()])
  return new Map(pairs)
}

/** The root of a container of ours cannot be written to: where nothing is mounted at the folder of the store, nothing can be put there, nor here. */
const NOT_MOUNTED: readonly [path: string, here: string] = ['/data', '/proc/not-mounted']

/** Says a text of the pod as it is here. `folderOf`: where a volume is. */
export function translator(
  pod: JsonObject,
  ports: Ports,
  folderOf: (volume: string) => string,
): (text: string) => string {
  const mounts = pickList(pod, 'spec', 'containers').flatMap((container) => pickList(container, 'volumeMounts'))
  const mounted = mounts.map((mount) => [pickText(mount, 'mountPath'), folderOf(pickText(mount, 'name'))] as const)
  const folders = new Map([NOT_MOUNTED, ...mounted])
  const paths = new RegExp(String.raw`(?<![\w.])(${[...folders.keys()].join('|')})(?=/)`, 'g')
  return (text: string): string =>
    text
      .replaceAll(paths, (path) => folders.get(path) ?? path)
      .replaceAll('0.0.0.0', '127.0.0.1')
      .replaceAll(/\bport: (\d+)/g, (_said, port: string) => `port: ${ports.get(Number(port)) ?? port}`)
}

/** The volumes of the pod, each in its folder. Rejects where a Secret or a ConfigMap, or its key, is not there. */
export async function mountVolumes(
  objects: ClusterObjects,
  pod: JsonObject,
  folderOf: (volume: string) => string,
  translate: (text: string) => string,
): Promise<void> {
  for (const volume of pickList(pod, 'spec', 'volumes')) {
    const folder = folderOf(pickText(volume, 'name'))
    await mkdir(folder, { recursive: true })
    const mode = Number(pick(volume, 'projected', 'defaultMode'))
    for (const source of pickList(volume, 'projected', 'sources'))
      for (const [path, content] of filesOf(objects, pod, source)) {
        await mkdir(dirname(join(folder, path)), { recursive: true })
        await writeFile(join(folder, path), path.endsWith('.yaml') ? translate(content.toString()) : content, { mode })
      }
  }
}

function filesOf(objects: ClusterObjects, pod: JsonObject, source: JsonValue): readonly (readonly [string, Buffer])[] {
  const [kind, field] = pick(source, 'secret') === undefined ? [CONFIG_MAP, 'configMap'] : [SECRET, 'secret']
  const namespace = pickText(pod, 'metadata', 'namespace')
  const object = objects.get({ kind, namespace, name: pickText(source, field, 'name') })
  return pickList(source, field, 'items').map((item) => {
    const content = pickText(object, 'data', pickText(item, 'key'))
    return [pickText(item, 'path'), Buffer.from(content, kind === SECRET ? 'base64' : 'utf8')] as const
  })
}

/** The address of the pod behind each Service that a text names. `portsAt`: those of a pod, by its name. */
export function withServices(
  objects: ClusterObjects,
  namespace: string,
  portsAt: (pod: string) => Ports | undefined,
  text: string,
): string {
  return text.replaceAll(/http:\/\/([a-z0-9-]+):(\d+)/g, (said, name: string, port: string) => {
    const service = objects.find({ kind: SERVICE, namespace, name })
    const target = pickList(service, 'spec', 'ports').find((each) => pick(each, 'port') === Number(port))
    const selector = pick(service, 'spec', 'selector')
    const pod = objects.list(POD, namespace).find((each) => selects(selector, pick(each, 'metadata', 'labels')))
    const containerPort = pickList(pod, 'spec', 'containers')
      .flatMap((container) => pickList(container, 'ports'))
      .find((each) => pick(each, 'name') === pick(target, 'targetPort'))
    const ports = pod === undefined ? undefined : portsAt(pickText(pod, 'metadata', 'name'))
    const here = ports?.get(Number(pick(containerPort, 'containerPort')))
    return here === undefined ? said : `http://127.0.0.1:${here}`
  })
}
