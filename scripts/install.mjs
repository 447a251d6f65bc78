/**
 * Installs what is missing, quietly when nothing is: the packages of the lock file (Node 24 among them), and with `--tests` a real Redis server, a real
 * HTTP proxy, a real browser, a JDK, and what shows the connections of a process.
 * Runs before `npm start`, `npm test` and `npm run check`, on whatever Node the machine has, so it uses nothing but Node itself.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'

const MARKER = 'node_modules/.hushgate-lock'
/** Programs, and the packages of Debian that have them. */
const TOOLS = new Map([
  ['redis-server', 'redis-server'],
  ['tinyproxy', 'tinyproxy'],
  ['chromium', 'chromium'],
  ['javac', 'default-jdk-headless'],
  ['strace', 'strace'],
  ['ip', 'iproute2'],
])

const lock = createHash('sha256').update(readFileSync('package-lock.json')).digest('hex')
if (!existsSync(MARKER) || readFileSync(MARKER, 'utf8') !== lock) {
  console.log('Installing the packages of package-lock.json (once) …')
  run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], 'npm ci failed')
  mkdirSync('node_modules', { recursive: true })
  writeFileSync(MARKER, lock)
}
const missing = process.argv.includes('--tests')
  ? [...TOOLS].filter(([program]) => !isInstalled(program)).map(([, name]) => name)
  : []
if (missing.length > 0) {
  const names = missing.join(' ')
  console.log(`Installing ${names} from Debian (once) …`)
  const help = `The tests need real servers and tools: install them with "apt-get install ${names}" as root`
  // The services that the packages would start are not wanted: the tests start their own.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  run('apt-get', ['-qq', 'update'], help, { env })
  run('apt-get', ['-qq', '-y', 'install', ...missing], help, { env })
}

function isInstalled(program) {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined
}

function run(program, args, help, options = {}) {
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', maxBuffer: 2 ** 26, ...options })
  if (status === 0) return
  console.error(`${stdout ?? ''}${stderr ?? ''}\n${help}`)
  process.exit(1)
}
