/**
 * Builds what `npm run test:helm` needs into ~/.cache/hushgate-tools, from the Go module proxy, PyPI and Debian; does nothing when it is there.
 * With ACCEPTANCE=1 also a Kubernetes control plane, which takes half an hour once.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isJsonObject } from '../src/core/json.ts'
import { announce, build, inFolder, installGo, run } from './go-tools.ts'
import {
  actionlint,
  chartTools,
  clusterTools,
  composeReader,
  hasClusterTools,
  kubectlFolder,
  monitoringFolder,
  monitoringTools,
  versions,
} from './helm-tools.ts'

const { stdout, env } = process

interface Wrapper {
  /** Each program as its Go package. */
  readonly packages: readonly string[]
  readonly requirement: string
  readonly replacements: readonly string[]
  readonly linkerFlags?: string
}

/** Programs whose module has `replace` lines, which `go install` refuses: built as dependencies of a module made for it. */
function installWrapped(targets: readonly string[], wrapper: Wrapper): void {
  const { packages, requirement, replacements, linkerFlags = '-s -w' } = wrapper
  if (targets.every((target) => existsSync(target))) return
  inFolder((folder) => {
    const lines = ['module hushgate.test/tools', 'go 1.26.0', `require ${requirement}`, ...replacements]
    writeFileSync(join(folder, 'go.mod'), `${lines.join('\n')}\n`)
    const imports = packages.map((name) => `import _ "${name}"`)
    writeFileSync(join(folder, 'tools.go'), `//go:build tools\npackage tools\n${imports.join('\n')}\n`)
    run('go', ['mod', 'tidy'], { cwd: folder, env: { GOFLAGS: '-mod=mod' } })
    for (const [index, name] of packages.entries())
      build(targets[index] ?? '', () => {
        run('go', ['build', '-trimpath', '-ldflags', linkerFlags, '-o', 'built', name], { cwd: folder })
        return join(folder, 'built')
      })
  })
}

function installKubernetes(): void {
  const targets = [clusterTools.apiserver, clusterTools.controllerManager, clusterTools.scheduler]
  if (targets.every((target) => existsSync(target))) return
  const version = versions.kubernetes
  const staging = `v${version.replace(/^1/, '0')}`
  const manifest = readFileSync(goModule('k8s.io/kubernetes', version, 'GoMod'), 'utf8')
  const stagingModules = [...manifest.matchAll(/^\s*(k8s\.io\/[a-z0-9-]+) => \.\/staging/gm)].map(([, name]) => name)
  const stamp = 'k8s.io/component-base/version.git'
  const [major, minor] = version.split('.')
  installWrapped(targets, {
    packages: ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler'].map(
      (name) => `k8s.io/kubernetes/cmd/${name}`,
    ),
    requirement: `k8s.io/kubernetes v${version}`,
    replacements: stagingModules.map((name) => `replace ${name} => ${name} ${staging}`),
    // Without these the server calls itself v0.0.0, and kubeVersion of Chart.yaml cannot be met.
    linkerFlags: `-s -w -X ${stamp}Version=v${version} -X ${stamp}Major=${major} -X ${stamp}Minor=${minor}`,
  })
}

function installCrds(): void {
  build(chartTools.crds, (folder) => {
    const files = [
      [
        'github.com/prometheus-operator/prometheus-operator',
        versions['prometheus-operator'],
        'example/prometheus-operator-crd',
        ['podmonitors', 'servicemonitors', 'prometheusrules'].map((name) => `monitoring.coreos.com_${name}`),
      ],
      [
        'github.com/kedacore/keda/v2',
        versions.keda,
        'config/crd/bases',
        ['keda.sh_scaledobjects', 'keda.sh_triggerauthentications'],
      ],
      [
        'sigs.k8s.io/gateway-api',
        versions['gateway-api'],
        'config/crd/standard',
        ['gateway.networking.k8s.io_httproutes'],
      ],
    ] as const
    for (const [name, version, path, crds] of files) {
      const source = join(goModule(name, version, 'Dir'), path)
      for (const crd of crds) writeFileSync(join(folder, `${crd}.yaml`), readFileSync(join(source, `${crd}.yaml`)))
    }
    return folder
  })
}

function installKubernetesValidate(): void {
  const { kubernetesValidate } = chartTools
  if (existsSync(kubernetesValidate)) return
  const folder = join(kubernetesValidate, '../..')
  announce(folder)
  rmSync(folder, { recursive: true, force: true })
  run('python3', ['-m', 'venv', folder])
  const requirement = `kubernetes-validate==${versions['kubernetes-validate']}`
  run(join(folder, 'bin/python'), ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', requirement])
}

/** Prometheus and promtool, unpacked beside the system: nothing of it is installed or started. Some releases of Debian have promtool in a package of its own. */
function installMonitoring(): void {
  if (Object.values(monitoringTools).every((path) => existsSync(path))) return
  rmSync(monitoringFolder, { recursive: true, force: true })
  build(monitoringFolder, (folder) => {
    const named = run('apt-cache', ['pkgnames', 'prom']).split('\n')
    const packages = ['prometheus', 'promtool'].filter((name) => named.includes(name))
    run('apt-get', ['download', '-q', ...packages], { cwd: folder })
    for (const file of readdirSync(folder)) run('dpkg-deb', ['-x', file, '.'], { cwd: folder })
    return folder
  })
}

/** A machine that has to do with clusters has one of its own. */
function installKubectl(): void {
  if (spawnSync('kubectl', ['version', '--client']).status === 0) return
  build(kubectlFolder, (folder) => {
    run('apt-get', ['download', '-q', 'kubernetes-client'], { cwd: folder })
    for (const file of readdirSync(folder)) run('dpkg-deb', ['-x', file, '.'], { cwd: folder })
    return folder
  })
}

function goModule(name: string, version: string, what: 'Dir' | 'GoMod'): string {
  const answer: unknown = JSON.parse(run('go', ['mod', 'download', '-json', `${name}@v${version}`], { cwd: '/' }))
  const path = isJsonObject(answer) ? answer[what] : undefined
  return typeof path === 'string' ? path : ''
}

installGo(chartTools.helm, 'helm.sh/helm/v4/cmd/helm', versions.helm)
installWrapped([chartTools.helmUnittest], {
  packages: ['github.com/helm-unittest/helm-unittest/cmd/helm-unittest'],
  requirement: `github.com/helm-unittest/helm-unittest v${versions['helm-unittest']}`,
  replacements: ['replace github.com/vmware-labs/yaml-jsonpath => github.com/helm-unittest/yaml-jsonpath v0.4.0'],
})
installKubernetesValidate()
installMonitoring()
installKubectl()
installCrds()
installGo(chartTools.kubectlValidate, 'sigs.k8s.io/kubectl-validate', versions['kubectl-validate'])
installGo(composeReader, 'github.com/compose-spec/compose-go/v2/cmd', versions['compose-go'])
installGo(actionlint, 'github.com/rhysd/actionlint/cmd/actionlint', versions.actionlint)
if (env['ACCEPTANCE'] === '1') {
  installWrapped([clusterTools.etcd], {
    packages: ['go.etcd.io/etcd/server/v3'],
    requirement: `go.etcd.io/etcd/server/v3 v${versions.etcd}`,
    replacements: [],
  })
  installKubernetes()
}
if (!hasClusterTools())
  stdout.write(
    'The chart is not tried on a real Kubernetes API server: ACCEPTANCE=1 npm run test:helm builds one (half an hour, once).\n',
  )
