/** A real Kubernetes control plane on loopback; its nodes and their kubelets are pretended (kubelet.ts). */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { Agent, request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { chartTools, clusterTools } from '../../../scripts/helm-tools.ts'
import { isJsonObject, type JsonObject } from '../../../src/core/json.ts'
import { createAuthority } from '../../../src/simulators/certificate.ts'
import { freePort } from '../../helpers/free-port.ts'
import { startLoggedProcess, type LoggedProcess } from '../../helpers/logged-process.ts'
import { runTool } from './chart.ts'
import { startKubelets } from './kubelet.ts'

const STARTS_WITHIN_MS = 90_000

export interface Answer {
  readonly status: number
  readonly body: JsonObject
}

/** Asks the API server as its administrator. */
export type Ask = (method: string, path: string, body?: object) => Promise<Answer>

export interface Cluster extends AsyncDisposable {
  readonly ask: Ask
  /** Creates the object; rejects unless it is accepted. */
  create(path: string, object: object): Promise<void>
  helm(...args: readonly string[]): Promise<string>
}

export async function startCluster(): Promise<Cluster> {
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-cluster-'))
  const at = (name: string): string => join(folder, name)
  const running: LoggedProcess[] = []
  const start = (program: string, options: Readonly<Record<string, string | number>>): LoggedProcess => {
    const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`)
    const process = startLoggedProcess(program, args, folder)
    running.unshift(process)
    return process
  }

  const etcdPort = await freePort()
  const peerPort = await freePort()
  const apiPort = await freePort()
  const managerPort = await freePort()
  const schedulerPort = await freePort()
  const token = randomBytes(16).toString('hex')
  const server = `https://127.0.0.1:${apiPort}`
  const authority = createAuthority()
  const served = authority.issue({ commonName: 'kube-apiserver', hosts: ['127.0.0.1'] })
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  await Promise.all([
    writeFile(at('ca.pem'), authority.certificate),
    writeFile(at('server.key'), served.key),
    writeFile(at('server.crt'), served.cert),
    writeFile(at('accounts.key'), privateKey.export({ type: 'pkcs8', format: 'pem' })),
    writeFile(at('tokens.csv'), `${token},admin,admin,system:masters`),
    writeFile(at('kubeconfig'), JSON.stringify(kubeconfig(server, at('ca.pem'), token))),
  ])

  const etcd = `http://127.0.0.1:${etcdPort}`
  const peer = `http://127.0.0.1:${peerPort}`
  start(clusterTools.etcd, {
    name: 't',
    'data-dir': at('etcd'),
    'listen-client-urls': etcd,
    'advertise-client-urls': etcd,
    'listen-peer-urls': peer,
    'initial-advertise-peer-urls': peer,
    'initial-cluster': `t=${peer}`,
    'unsafe-no-fsync': 'true',
  })
  const apiServer = start(clusterTools.apiserver, {
    'etcd-servers': etcd,
    'bind-address': '127.0.0.1',
    'secure-port': apiPort,
    'tls-cert-file': at('server.crt'),
    'tls-private-key-file': at('server.key'),
    'service-account-key-file': at('accounts.key'),
    'service-account-signing-key-file': at('accounts.key'),
    'service-account-issuer': 'https://kubernetes.default.svc',
    'service-cluster-ip-range': '10.0.0.0/24',
    'token-auth-file': at('tokens.csv'),
    'authorization-mode': 'RBAC',
    // Loopback is refused here; nothing is ever sent to this address, which is for documentation.
    'advertise-address': '192.0.2.2',
    'endpoint-reconciler-type': 'none',
  })

  const agent = new Agent({ ca: authority.certificate, keepAlive: true })
  const ask: Ask = (method, path, body) => send({ agent, url: server + path, token, method, body })
  const create: Cluster['create'] = async (path, object) => {
    const answer = await ask('POST', path, object)
    if (answer.status >= 300) throw new Error(`${path} refuses it: ${JSON.stringify(answer.body)}`)
  }
  const close = async (): Promise<void> => {
    await kubelets?.[Symbol.asyncDispose]()
    agent.destroy()
    for (const process of running) await process.end('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  }
  let kubelets: AsyncDisposable | undefined
  try {
    await apiServer.ready(async () => {
      const { status } = await ask('GET', '/readyz')
      if (status !== 200) throw new Error('not ready yet')
    }, STARTS_WITHIN_MS)
    const shared = { kubeconfig: at('kubeconfig'), 'leader-elect': 'false', 'bind-address': '127.0.0.1' }
    start(clusterTools.controllerManager, {
      ...shared,
      'secure-port': managerPort,
      'cert-dir': at('manager'),
      'service-account-private-key-file': at('accounts.key'),
      'use-service-account-credentials': 'false',
    })
    start(clusterTools.scheduler, { ...shared, 'secure-port': schedulerPort, 'cert-dir': at('scheduler') })
    kubelets = await startKubelets({ ask, create })
    const env = { KUBECONFIG: at('kubeconfig'), HOME: folder }
    return { ask, create, helm: (...args) => runTool(chartTools.helm, args, env), [Symbol.asyncDispose]: close }
  } catch (error) {
    await close()
    throw error
  }
}

function kubeconfig(server: string, authority: string, token: string): object {
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 't', cluster: { server, 'certificate-authority': authority } }],
    users: [{ name: 'admin', user: { token } }],
    contexts: [{ name: 't', context: { cluster: 't', user: 'admin' } }],
    'current-context': 't',
  }
}

interface Question {
  readonly agent: Agent
  readonly url: string
  readonly token: string
  readonly method: string
  readonly body: object | undefined
}

/** Not `fetch`, which cannot be given an authority. */
async function send({ agent, url, token, method, body }: Question): Promise<Answer> {
  const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
  const headers = { authorization: `Bearer ${token}`, 'content-type': type, accept: 'application/json' }
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  request(url, { agent, method, headers }, (response) => {
    text(response)
      .then((read) => resolve({ status: response.statusCode ?? 0, body: parsed(read) }))
      .catch(reject)
  })
    .on('error', reject)
    .end(body === undefined ? undefined : JSON.stringify(body))
  return promise
}

/** Health is answered in plain text. */
function parsed(read: string): JsonObject {
  const value: unknown = read.startsWith('{') ? JSON.parse(read) : {}
  return isJsonObject(value) ? value : {}
}
