/**
 * Installs what is missing, and is quiet when nothing is: the packages of the lock file (Node 24 among them), and with `--tests` the programs that the
 * tests run. Comes before `npm start`, `npm test`, `npm run check` and `npx hushgate`, on whatever Node the machine has, so it uses nothing but Node
 * itself. What it says goes to standard error.
 */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const MARKER = 'node_modules/.hushgate-lock'
const SIGN_OF_LIFE_MS = 5000
/** Commands that succeed where a program is, and the package of Debian that brings it. */
const TOOLS = new Map([
  ['command -v redis-server', 'redis-server'],
  ['command -v tinyproxy', 'tinyproxy'],
  ['command -v chromium', 'chromium'],
  ['command -v javac', 'default-jdk-headless'],
  ['command -v strace', 'strace'],
  ['command -v ip', 'iproute2'],
  ['command -v curl', 'curl'],
  ['command -v openssl', 'openssl'],
  ['command -v nix-instantiate', 'nix-bin'],
  ['python3 -m ensurepip --version', 'python3-venv'],
])

const { argv, env, platform, arch, stderr } = process
process.chdir(fileURLToPath(new URL('..', import.meta.url)))
const manifest = JSON.parse(readFileSync('package.json', 'utf8'))
const lock = readFileSync('package-lock.json', 'utf8')
const lockHash = createHash('sha256').update(lock).digest('hex')

if (!isInstalled()) await alone(installPackages)
if (argv.includes('--tests')) await installTools()

function isInstalled() {
  return existsSync(MARKER) && readFileSync(MARKER, 'utf8') === lockHash
}

/** Two terminals of one checkout: the second waits for the first. A process that was killed leaves its folder, and is not waited for. */
async function alone(install) {
  const folder = '.cache/installing'
  mkdirSync('.cache', { recursive: true })
  for (let isTold = false; ; isTold = true) {
    try {
      mkdirSync(folder)
      break
    } catch {
      if (!isTold) stderr.write('Another process installs the packages; waiting for it …\n')
      await new Promise((resolve) => setTimeout(resolve, 500))
      if (!isRunning(readPid(folder))) rmSync(folder, { recursive: true, force: true })
    }
  }
  writeFileSync(`${folder}/pid`, String(process.pid))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  if (!isInstalled()) await install()
}

/** Its own, until it is written: that process is about to write it. */
function readPid(folder) {
  try {
    return Number(readFileSync(`${folder}/pid`, 'utf8')) || process.pid
  } catch {
    return process.pid
  }
}

function isRunning(pid) {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

async function installPackages() {
  const machine = findNode()
  const { npm, path } = isNewEnough(machine.version) ? { npm: ['npm'], path: machine.path } : await bringNode(machine)
  // Also where the environment says that only what runs in production is wanted: the tools are what builds and runs it.
  const args = ['ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error']
  await run('the packages of package-lock.json', [...npm, ...args], {
    env: { ...env, PATH: path },
    help: 'npm ci failed',
    progress: () => `${countPackages()} packages`,
  })
  writeFileSync(MARKER, lockHash)
}

/** The Node of the machine, and the path without the folders that npm puts before it: their Node goes when the packages are installed anew. */
function findNode() {
  const path = (env.PATH ?? '')
    .split(':')
    .filter((folder) => !folder.includes('node_modules'))
    .join(':')
  const { stdout } = spawnSync('node', ['--version'], { env: { ...env, PATH: path }, encoding: 'utf8' })
  return { path, version: (stdout ?? '').trim().replace('v', '') }
}

/** npm leaves out what is optional and does not fit the Node that it runs on, such as the native parts of the tools. */
function isNewEnough(version) {
  const [major, minor] = version.split('.').map(Number)
  const [oldestMajor, oldestMinor] = oldestNode().split('.').map(Number)
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)
}

function oldestNode() {
  return manifest.devEngines.runtime.version.replace('>=', '')
}

/** Node and npm as the project has pinned them, in `.cache`: the npm of the machine brings them, and they do the rest. */
async function bringNode(machine) {
  const name = `node-${platform}-${arch}`
  const node = JSON.parse(lock).packages[`node_modules/${name}`]
  if (node === undefined)
    fail(`Hushgate needs Node ${oldestNode()} or newer, and this is ${machine.version}: get it from https://nodejs.org`)
  const [, version, sha512] = /^npm@(.+)\+sha512\.(\w+)$/.exec(manifest.packageManager)
  const npm = { version, integrity: `sha512-${Buffer.from(sha512, 'hex').toString('base64')}` }
  const folder = `${process.cwd()}/.cache/node-${node.version}-npm-${npm.version}`
  if (!existsSync(folder)) {
    const building = `${folder}.part`
    rmSync(building, { recursive: true, force: true })
    const dependencies = { [name]: node.version, npm: npm.version }
    const packages = { '': { dependencies }, [`node_modules/${name}`]: node, 'node_modules/npm': npm }
    mkdirSync(building, { recursive: true })
    writeFileSync(`${building}/package.json`, JSON.stringify({ private: true, dependencies }))
    writeFileSync(`${building}/package-lock.json`, JSON.stringify({ lockfileVersion: 3, requires: true, packages }))
    const what = `Node ${node.version} and npm ${npm.version}, because the Node of this machine is ${machine.version},`
    const args = ['--prefix', building, '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error']
    await run(what, ['npm', 'ci', ...args], { env: { ...env, PATH: machine.path }, help: 'npm ci failed' })
    renameSync(building, folder)
  }
  const modules = `${folder}/node_modules`
  return {
    npm: [`${modules}/${name}/bin/node`, `${modules}/npm/bin/npm-cli.js`],
    path: `${modules}/.bin:${machine.path}`,
  }
}

function countPackages() {
  if (!existsSync('node_modules')) return 0
  const names = readdirSync('node_modules').filter((name) => !name.startsWith('.'))
  return names.flatMap((name) => (name.startsWith('@') ? readdirSync(`node_modules/${name}`) : [name])).length
}

async function installTools() {
  const missing = [...TOOLS].filter(([command]) => spawnSync('sh', ['-c', command]).status !== 0)
  if (missing.length === 0) return
  const names = missing.map(([, name]) => name)
  const options = {
    // The services that the packages would start are not wanted: the tests start their own.
    env: { ...env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
    help: `The tests need real servers and tools: install them with "apt-get install ${names.join(' ')}" as root`,
    progress: (lastLine) => lastLine,
  }
  await run("Debian's list of packages", ['apt-get', '-q', 'update'], options)
  await run(
    `${names.join(', ')} from Debian`,
    ['apt-get', '-q', '-y', '--no-install-recommends', 'install', ...names],
    options,
  )
}

/** What it prints is shown when it fails; until it ends, one line now and then says how far it is. */
function run(what, [program, ...args], options) {
  stderr.write(`Installing ${what} (once) …\n`)
  const startMs = Date.now()
  const child = spawn(program, args, { env: options.env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (output += text))
  const signs = setInterval(() => {
    const lastLine = output.trimEnd().split('\n').at(-1).slice(0, 80)
    const progress = options.progress === undefined ? '' : `: ${options.progress(lastLine)}`
    stderr.write(`  ${Math.round((Date.now() - startMs) / 1000)} s${progress}\n`)
  }, SIGN_OF_LIFE_MS)
  return new Promise((resolve) => {
    const end = (status, reason = '') => {
      clearInterval(signs)
      if (status === 0) resolve()
      else fail(`${output}${reason}\n${options.help}`)
    }
    child
      .on('error', (error) => end(1, error.code === 'ENOENT' ? `${program} is not on this machine` : error.message))
      .on('close', (status) => end(status))
  })
}

function fail(sentence) {
  stderr.write(`${sentence}\n`)
  process.exit(1)
}
