/**
 * The documents' lines for Kubernetes, pasted with the real helm and the real kubectl. The API server is a small one of the tests, and its containers are
 * processes of this machine (helpers/small-cluster.ts). Of the lines only this is changed: the address of the registry; and where a line names no object, one is added.
 */
import { generateKeyPairSync } from 'node:crypto'
import { appendFile, cp, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { codeOf } from '../../scripts/document-code.ts'
import { chartTools, kubectlFolder } from '../../scripts/helm-tools.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { startApnsSimulator, type ApnsSimulator } from '../../src/simulators/apns.ts'
import { createAuthority } from '../../src/simulators/certificate.ts'
import { freePort } from '../helpers/free-port.ts'
import { startLoggedProcess } from '../helpers/logged-process.ts'
import { until } from '../helpers/received.ts'
import {
  chartFolder,
  nameOf,
  pick,
  pickList,
  pickText,
  renderObjects,
  RELEASE,
  runTool,
  valuesFile,
} from './helpers/chart.ts'
import { startRegistry } from './helpers/registry.ts'
import { startSmallCluster, type SmallCluster } from './helpers/small-cluster.ts'
import { kindNamed, NAMESPACE, POD, STATEFUL_SET } from './helpers/small-cluster/kinds.ts'
import type { Place } from './helpers/small-cluster/objects.ts'

const PUSH = 'push'
const POD_0: Place = { kind: POD, namespace: PUSH, name: `${RELEASE}-0` }
const SET: Place = { kind: STATEFUL_SET, namespace: PUSH, name: RELEASE }

/** Somebody's folder and shell, with a cluster, and the key for an Apple that is simulated. */
interface Desk extends AsyncDisposable {
  readonly folder: string
  readonly cluster: SmallCluster
  readonly env: Readonly<Record<string, string>>
  /** Of an app that has this key: where Apple is. To be added to the values. */
  readonly apple: string
  paste(code: string): Promise<string>
}

async function startDesk(): Promise<Desk> {
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-desk-'))
  const cluster = await startSmallCluster()
  const authority = createAuthority()
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = { keyId: 'ABC123DEFG', teamId: 'TEAM123456', publicKey, topics: ['com.example.app'] }
  const apple: ApnsSimulator = await startApnsSimulator({ authority, keys: [key], onPush: () => {} })
  await writeFile(join(folder, 'AuthKey_ABC123DEFG.p8'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  await mkdir(join(folder, 'bin'))
  await symlink(chartTools.helm, join(folder, 'bin/helm'))
  const env = {
    PATH: `${folder}/bin:${process.env['PATH']}:${kubectlFolder}/usr/bin`,
    HOME: folder,
    KUBECONFIG: cluster.kubeconfig,
  }
  return {
    folder,
    cluster,
    env,
    apple: `    endpoint: ${apple.url}\n    ca_file: { value: ${JSON.stringify(authority.certificate)} }\n`,
    paste: (code) => runTool('sh', ['-euc', `cd '${folder}'\n${code}`], env),
    async [Symbol.asyncDispose]() {
      await cluster[Symbol.asyncDispose]()
      await apple.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** What both blocks come to: everything that the chart renders is there, and its pod is ready. */
async function expectRelease({ cluster: { objects } }: Desk): Promise<void> {
  const rendered = (await renderObjects('minimal')).filter(
    (object) => pick(object, 'metadata', 'annotations', 'helm.sh/hook') === undefined,
  )
  const isThere = (object: JsonObject): boolean => {
    const kind = kindNamed(pickText(object, 'apiVersion'), pickText(object, 'kind'))
    const name = pickText(object, 'metadata', 'name')
    return kind !== undefined && objects.find({ kind, namespace: PUSH, name }) !== undefined
  }
  expect(rendered.length).toBeGreaterThan(4)
  expect(rendered.filter((object) => !isThere(object)).map(nameOf)).toEqual([])
  expect(pick(objects.get(SET), 'status')).toMatchObject({ readyReplicas: 1, updatedReplicas: 1 })
}

/** `helm test --logs` has asked the gateway in its pod, and Apple. */
function expectTested(said: string): void {
  expect(said).toMatch(/^says what it is: 200 /m)
  expect(said).toMatch(/^refuses what is no notification: 400 /m)
  expect(said).toMatch(/^com\.example\.app\.ios: accepted$/m)
}

describe('docs/deploying.md', () => {
  it('installs the chart out of a registry, and helm test passes', async () => {
    await using desk = await startDesk()
    await using registry = await startRegistry('hushgate/charts/hushgate', desk.folder)
    await cp(valuesFile('minimal'), join(desk.folder, 'values.yaml'))
    await appendFile(join(desk.folder, 'values.yaml'), desk.apple)
    const block = codeOf('docs/deploying.md', 'helm install hushgate oci://')
      .replace('oci://ghcr.io/', `oci://${registry.address}/`)
      .replace('--wait', '--wait --plain-http')
    expectTested(await desk.paste(block))
    await expectRelease(desk)
    expect(desk.cluster.notImplemented).toEqual([])
  })
})

describe('helm/README.md and docs/runbook.md', () => {
  let desk: Desk
  const pod = (): JsonObject => desk.cluster.objects.get(POD_0)
  const isReady = (): boolean =>
    pick(desk.cluster.objects.find(POD_0), 'status', 'containerStatuses', 0, 'ready') === true

  beforeAll(async () => {
    desk = await startDesk()
    await cp(chartFolder, join(desk.folder, 'helm'), { recursive: true })
    await appendFile(join(desk.folder, 'helm/ci/minimal-values.yaml'), desk.apple)
  })
  afterAll(() => desk[Symbol.asyncDispose]())

  it('install the chart out of the checkout, and helm test passes', async () => {
    expectTested(await desk.paste(codeOf('helm/README.md', 'helm install hushgate ./helm')))
    await expectRelease(desk)
    const namespace = desk.cluster.objects.get({ kind: NAMESPACE, namespace: undefined, name: PUSH })
    expect(pick(namespace, 'metadata', 'labels', 'pod-security.kubernetes.io/enforce')).toBe('restricted')
  })

  it('show the pods of the release', async () => {
    const said = await desk.paste(codeOf('docs/runbook.md', 'kubectl get pods'))
    expect(said).toMatch(/^hushgate-0 +1\/1 +Running +0 /m)
    expect(said).toMatch(/^hushgate-test +0\/2 +Completed +0 /m)
  })

  it('show why a pod ended', async () => {
    process.kill(desk.cluster.node.pid(POD_0), 'SIGKILL')
    const restarts = (): unknown => pick(pod(), 'status', 'containerStatuses', 0, 'restartCount')
    await until('it runs again', () => restarts() === 1 && isReady())
    const said = await desk.paste(codeOf('docs/runbook.md', 'kubectl describe pod'))
    const [, gateway = ''] = /^Name: +hushgate-0$([^]*?)(?:^Name: |$(?![^]))/m.exec(said) ?? []
    expect(gateway).toMatch(/Last State: +Terminated\n +Reason: +Error\n +Exit Code: +137$/m)
    expect(gateway).toMatch(/Restart Count: +1$/m)
  })

  it('run a command beside the gateway, which asks it', async () => {
    const line = codeOf('helm/README.md', 'kubectl exec statefulset/hushgate')
    expect(await desk.paste(line)).toBe('0 given up\n')
    await expect(desk.paste(line.replace('dead list', 'dead drop'))).rejects.toThrow('Say which to drop')
  })

  it('reach the admin port', async () => {
    const port = await freePort()
    const line = `${codeOf('helm/README.md', 'kubectl port-forward')} statefulset/hushgate ${port}:5001`
    await using forwarding = startLoggedProcess('sh', ['-c', `exec ${line}`], desk.folder, desk.env)
    await forwarding.seen('Forwarding', () => (forwarding.log().includes('Forwarding from') ? true : undefined))
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`)
    expect(await answer.json()).toEqual({ status: 'ready', reasons: [] })
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    expect(metrics).toContain('hushgate_build_info')
  })

  it('list what is wrong with a new configuration, with which nothing was replaced', async () => {
    const before = desk.cluster.objects.get(SET)
    const uid = pick(pod(), 'metadata', 'uid')
    await desk.paste('kubectl create secret generic wrong --from-literal=key=nonsense')
    const keyFile = String.raw`apps.com\.example\.app\.ios.key_file`
    const upgrade = 'helm upgrade hushgate ./helm --namespace push --values ./helm/ci/minimal-values.yaml'
    await expect(desk.paste(`${upgrade} --set '${keyFile}.secret=wrong,${keyFile}.key=key'`)).rejects.toThrow(
      'pre-upgrade hooks failed',
    )
    const said = await desk.paste(codeOf('helm/README.md', 'kubectl logs job/hushgate-check'))
    expect(said).toMatch(/apps\["com\.example\.app\.ios"\]\.key_file: is not a private key/)
    expect(desk.cluster.objects.get(SET)).toEqual(before)
    expect(pick(pod(), 'metadata', 'uid')).toBe(uid)
  })

  it('start another pod', async () => {
    const uid = pick(pod(), 'metadata', 'uid')
    await desk.paste(`${codeOf('helm/README.md', 'kubectl rollout restart')} statefulset/hushgate`)
    const annotations = pick(desk.cluster.objects.get(SET), 'spec', 'template', 'metadata', 'annotations')
    expect(annotations).toMatchObject({ 'kubectl.kubernetes.io/restartedAt': expect.stringMatching(/^\d{4}-/) })
    await until('another pod is ready', () => isReady() && pick(pod(), 'metadata', 'uid') !== uid)
    expect(pickList(desk.cluster.objects.get(SET), 'spec', 'template', 'spec', 'containers')).toHaveLength(1)
  })

  it('ask nothing that this API server cannot do', () => {
    expect(desk.cluster.notImplemented).toEqual([])
  })
})
