/**
 * `npm run test:debian`: the README's blocks on a Debian 12 with nothing but its own Node 18, npm, systemd and sudo. First the two that start the demonstration, by `npx` and
 * in a checkout, each until a notification has reached all three push services, with the time that it took; after them, with its systemd booted, the blocks
 * for systemd. Then the fast tests, with `--whole` all that `npm test` runs, with `--readme` none. That Debian is made once, outside of the checkout; each run
 * takes a fresh copy of it. With `--if-possible` a machine that cannot do it is no failure.
 */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:http'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { bootDebian, reasonAgainstBooting } from './booted-debian.ts'
import { codeOf } from './document-code.ts'
import { toolsHome } from './helm-tools.ts'
import { tryCheckout } from './try-checkout.ts'
import { tryDemonstration } from './try-demonstration.ts'
import { trySystemd } from './try-systemd.ts'

const { argv, env, stdout, stderr, getuid } = process

const CHECKOUT = join(import.meta.dirname, '..')
const DEBIAN = join(toolsHome, 'debian-12-systemd.tar')
const PACKAGES = 'nodejs,npm,systemd-sysv,dbus,sudo,procps'
const INSIDE = { home: homedir(), checkout: join(homedir(), 'hushgate') } as const
/** A root for each run, named by the process. */
const ROOTS = join(toolsHome, 'debian')
const REPORT = join(CHECKOUT, '.cache/tests-debian.json')

/** How this machine reaches the registries. What names a file is taken along with that file. */
const SETTINGS =
  /^((https?|all|no)_proxy|NODE_EXTRA_CA_CERTS|npm_config_(registry|cafile|globalconfig)|PIP_(INDEX_URL|EXTRA_INDEX_URL|TRUSTED_HOST|CERT|PROXY))$/i
const FILES = ['/etc/resolv.conf', '/etc/hosts', '/etc/npmrc', '/etc/pip.conf', '/etc/ssl/certs/ca-certificates.crt']
const FILES_AT_HOME = ['.npmrc', '.config/pip/pip.conf']

/** With processes and mounts of its own. Mounted onto itself the folder is a root in which networks can be made, as a test does. */
const ENTER = `set -e
root=$1; shift
mount --rbind "$root" "$root"
mount -t proc proc "$root/proc"
for name in sys dev; do mount --rbind "/$name" "$root/$name"; done
exec chroot "$root" "$@"`
const QUIET = { DEBIAN_FRONTEND: 'noninteractive' } as const
/** A checkout may belong to somebody else than root, as in a workflow: git then refuses to list it. */
const TRUSTED = { GIT_CONFIG_COUNT: '1', GIT_CONFIG_KEY_0: 'safe.directory', GIT_CONFIG_VALUE_0: CHECKOUT } as const
const UNSHARE = ['--mount', '--pid', '--fork', '--kill-child']

function reasonAgainst(): string | undefined {
  if (getuid?.() !== 0) return 'it needs root'
  if (spawnSync('unshare', [...UNSHARE, '--net', 'true']).status !== 0) return 'it may not make namespaces'
  if (spawnSync('apt-get', ['--version']).status !== 0) return 'it needs Debian or Ubuntu'
  return undefined
}

function makeDebian(): void {
  if (existsSync(DEBIAN)) return
  if (spawnSync('mmdebstrap', ['--version']).status !== 0) {
    stdout.write('Installing mmdebstrap from Debian (once) …\n')
    run('apt-get', ['-qq', 'update'])
    run('apt-get', ['-qq', '-y', '--no-install-recommends', 'install', 'mmdebstrap'])
  }
  stdout.write(`Making ${DEBIAN} (once, a minute or two) …\n`)
  mkdirSync(toolsHome, { recursive: true })
  const part = DEBIAN.replace('.tar', '.part.tar')
  run('mmdebstrap', ['--quiet', '--variant=minbase', `--include=${PACKAGES}`, 'bookworm', part])
  renameSync(part, DEBIAN)
}

/** That Debian with a copy of the checkout (what git would take, so no packages), and with the settings of this machine. */
function unpack(root: string): void {
  run('tar', ['--extract', '--preserve-permissions', '--file', DEBIAN, '--directory', root])
  const named = settings().map(([, value]) => value)
  const ofTheMachine = [...FILES, ...FILES_AT_HOME.map((name) => join(INSIDE.home, name)), ...named]
  for (const file of new Set(ofTheMachine)) if (isFile(file)) copy(file, join(root, file))
  const acquire = capture('apt-config', ['dump', '--format', '%F "%v";%n', 'Acquire'])
  const proxies = acquire.split('\n').filter((line) => /proxy|Check-/i.test(line))
  writeFileSync(join(root, 'etc/apt/apt.conf.d/90machine'), `${proxies.join('\n')}\n`)
  const kept = ['npm_config_noproxy', ...settings().map(([name]) => name)]
  writeFileSync(join(root, 'etc/sudoers.d/90machine'), `Defaults env_keep += "${kept.join(' ')}"\n`)
  for (const name of filesOfCheckout()) copy(join(CHECKOUT, name), join(root, INSIDE.checkout, name))
  const shared = join(CHECKOUT, '../shared')
  if (existsSync(shared))
    cpSync(shared, join(root, INSIDE.checkout, '../shared'), { recursive: true, dereference: true })
}

function filesOfCheckout(): readonly string[] {
  const names = capture('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard']).split('\0')
  return names.filter((name) => name !== '' && isFile(join(CHECKOUT, name)))
}

function settings(): [string, string][] {
  return Object.entries(env).flatMap(([name, value = '']) => (SETTINGS.test(name) ? [[name, value]] : []))
}

function isFile(path: string): boolean {
  return path.startsWith('/') && existsSync(path) && statSync(path).isFile()
}

function copy(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true })
  cpSync(from, to, { dereference: true })
}

/** As this user, with nothing of our environment but what leads to the registries. */
function inCheckout(...command: readonly string[]): readonly string[] {
  const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'
  const variables = [path, `HOME=${INSIDE.home}`, 'LANG=C.UTF-8', ...settings().map((one) => one.join('='))]
  return ['env', `--chdir=${INSIDE.checkout}`, '--ignore-environment', ...variables, ...command]
}

/** A command in there, in the checkout. */
function inside(root: string, ...command: readonly string[]): [string, string[]] {
  return ['unshare', [...UNSHARE, 'sh', '-c', ENTER, 'sh', root, ...inCheckout(...command)]]
}

/** The README's own blocks. */
async function tryReadme(root: string): Promise<void> {
  const inShell = (command: string): [string, string[]] => inside(root, 'dash', '-c', command)
  await using release = await publishPackage()
  const block = codeOf('README.md', 'npx --yes').replace(/https:\S+\.tgz/, release.url)
  const inEmptyFolder = `export npm_config_noproxy=127.0.0.1; mkdir "$HOME/empty" && cd "$HOME/empty" && ${block}`
  await tryDemonstration({ name: block.trim(), inShell, command: inEmptyFolder })
  const [start = ''] = codeOf('README.md', 'npm start').split(/ *#/)
  await tryDemonstration({ name: start, inShell, command: start })
  tryCheckout({ folder: join(root, INSIDE.checkout), files: filesOfCheckout(), inShell })
  const reason = reasonAgainstBooting()
  if (reason !== undefined && argv.includes('--if-possible')) {
    stderr.write(`The blocks for systemd are not tried: ${reason}.\n`)
    return
  }
  await using debian = await bootDebian(root)
  const booted = (command: string): [string, string[]] => debian.inside(...inCheckout('dash', '-c', command))
  await trySystemd({ root, home: INSIDE.home, inShell: booted, packageUrl: release.url })
}

/** The package that this checkout makes, at an address on loopback, which stands for that of the release. */
async function publishPackage(): Promise<AsyncDisposable & { readonly url: string }> {
  const folder = mkdtempSync(join(toolsHome, 'package-'))
  capture('npm', ['pack', '--silent', '--pack-destination', folder])
  const [name = ''] = readdirSync(folder)
  const content = readFileSync(join(folder, name))
  rmSync(folder, { recursive: true })
  const server = createServer((_request, response) => response.end(content)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address !== null ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}/${name}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
    },
  }
}

function tryTests(root: string, isWhole: boolean): void {
  const command = (isWhole ? 'npm test' : codeOf('CONTRIBUTING.md', 'npm run test:quick')).split(' ')
  stdout.write(`\n${command.join(' ')}\n`)
  const startMs = Date.now()
  const [program, args] = inside(root, ...command)
  const { status } = spawnSync(program, args, { stdio: 'inherit' })
  mkdirSync(join(CHECKOUT, '.cache'), { recursive: true })
  copy(join(root, INSIDE.checkout, '.cache/tests-main.json'), REPORT)
  stdout.write(`${command.join(' ')}: ${Math.round((Date.now() - startMs) / 1000)} s\n`)
  if (status !== 0) process.exitCode = 1
}

/** What a run that was cut off has left: it holds settings of this machine. */
function removeForgotten(): void {
  mkdirSync(ROOTS, { recursive: true })
  for (const pid of readdirSync(ROOTS))
    if (!existsSync(join('/proc', pid))) rmSync(join(ROOTS, pid), { recursive: true, force: true })
}

function run(program: string, args: readonly string[]): void {
  capture(program, args)
}

function capture(program: string, args: readonly string[]): string {
  const options = { cwd: CHECKOUT, encoding: 'utf8', maxBuffer: 2 ** 26 } as const
  const done = spawnSync(program, args, { ...options, env: { ...env, ...QUIET, ...TRUSTED } })
  if (done.status === 0) return done.stdout
  throw new Error(`${program} failed:\n${done.stdout}${done.stderr}`, { cause: done.error })
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))
rmSync(REPORT, { force: true })
const reason = reasonAgainst()
if (reason !== undefined) {
  const isFine = argv.includes('--if-possible')
  stderr.write(
    `${isFine ? 'The README is not tried' : 'This machine cannot try the README'} on a bare Debian: ${reason}.\n`,
  )
  process.exit(isFine ? 0 : 1)
}
makeDebian()
removeForgotten()
const root = join(ROOTS, String(process.pid))
mkdirSync(root, { recursive: true })
try {
  unpack(root)
  await tryReadme(root)
  if (!argv.includes('--readme')) tryTests(root, argv.includes('--whole'))
} finally {
  rmSync(root, { recursive: true, force: true })
}
