/** The tools that `npm run test:helm` uses (also the linter of our workflows and the reader of compose files, which are programs in Go like the others): their pinned versions and where they are. Shared by the installer and the tests. */
import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'

const { env } = process

export const versions = {
  helm: '4.3.1',
  'helm-unittest': '1.1.2',
  'kubectl-validate': '0.0.4',
  'kubernetes-validate': '1.37.0',
  kubernetes: '1.37.2',
  etcd: '3.6.6',
  'prometheus-operator': '0.85.0',
  keda: '2.21.0',
  'gateway-api': '1.6.0',
  actionlint: '1.7.12',
  'compose-go': '2.16.2',
} as const

/** Outside the checkout, so that a fresh clone does not spend the half hour again. */
export const toolsHome = env['HUSHGATE_TOOLS'] ?? join(homedir(), '.cache/hushgate-tools')

/** The version is in the name, so that a new pin is a new file and an old one is never taken for it. */
function binary(name: string, version: string): string {
  return join(toolsHome, 'bin', `${name}-${version}`)
}

/** What checks the chart without a cluster. */
export const chartTools = {
  helm: binary('helm', versions.helm),
  helmUnittest: binary('helm-unittest', versions['helm-unittest']),
  kubectlValidate: binary('kubectl-validate', versions['kubectl-validate']),
  kubernetesValidate: join(
    toolsHome,
    `kubernetes-validate-${versions['kubernetes-validate']}`,
    'bin/kubernetes-validate',
  ),
  crds: join(toolsHome, `crds-${[versions['prometheus-operator'], versions.keda, versions['gateway-api']].join('-')}`),
} as const

/** From Debian's archive, as the machine has it: the rules are for any Prometheus from 2.42 on. */
export const monitoringFolder = join(toolsHome, 'monitoring')
export const monitoringTools = {
  prometheus: join(monitoringFolder, 'usr/bin/prometheus'),
  promtool: join(monitoringFolder, 'usr/bin/promtool'),
} as const

/** Debian's, for a machine that has none; it comes last in the path. */
export const kubectlFolder = join(toolsHome, 'kubectl')

/** What Docker Compose itself reads its files with. */
export const composeReader = binary('compose-go', versions['compose-go'])

export const actionlint = binary('actionlint', versions.actionlint)

/** A Kubernetes control plane; its kubelets are pretended (test/helm/helpers/kubelet.ts). */
export const clusterTools = {
  apiserver: binary('kube-apiserver', versions.kubernetes),
  controllerManager: binary('kube-controller-manager', versions.kubernetes),
  scheduler: binary('kube-scheduler', versions.kubernetes),
  etcd: binary('etcd', versions.etcd),
} as const

export function hasClusterTools(): boolean {
  return Object.values(clusterTools).every((path) => existsSync(path))
}
