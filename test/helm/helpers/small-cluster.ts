/** A small Kubernetes for helm and kubectl as people type them: an API server at the wire (small-cluster/api-server.ts), and a node whose containers are processes here. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startApiServer } from './small-cluster/api-server.ts'
import { SmallNode } from './small-cluster/node.ts'
import { ClusterObjects } from './small-cluster/objects.ts'
import { controlWorkloads } from './small-cluster/workloads.ts'

export interface SmallCluster extends AsyncDisposable {
  readonly objects: ClusterObjects
  readonly node: SmallNode
  /** The file for `KUBECONFIG`. Its namespace is `push`, as of somebody who works in it. */
  readonly kubeconfig: string
  /** What was asked and could not be done. */
  readonly notImplemented: readonly string[]
}

export async function startSmallCluster(): Promise<SmallCluster> {
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-small-cluster-'))
  const objects = new ClusterObjects()
  const node = new SmallNode(objects, join(folder, 'node'))
  const release = controlWorkloads(objects)
  const server = await startApiServer(objects, node)
  const kubeconfig = join(folder, 'kubeconfig')
  const content = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 't', cluster: { server: server.url } }],
    users: [{ name: 't', user: {} }],
    contexts: [{ name: 't', context: { cluster: 't', user: 't', namespace: 'push' } }],
    'current-context': 't',
  }
  await writeFile(kubeconfig, JSON.stringify(content))
  return {
    objects,
    node,
    kubeconfig,
    notImplemented: server.notImplemented,
    async [Symbol.asyncDispose]() {
      release()
      await node[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
      await rm(folder, { recursive: true, force: true })
    },
  }
}
