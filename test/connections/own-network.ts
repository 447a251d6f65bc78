/** A network of a test's own, in namespaces that end with the process: nothing but loopback, on which the internet consists of the names that are given. */
import { execFileSync, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface OwnNetwork {
  /** Each question that the name server was asked since the last time, e.g. `A example.org`, once and in order of the alphabet. */
  takeAsked(): string[]
  close(): void
}

/** Where it listens. */
export const NAME_SERVER = '10.0.0.53'

const HELP =
  'This test needs a network of its own (as root: CAP_SYS_ADMIN and CAP_SYS_PTRACE; else unprivileged user namespaces), ' +
  'and the programs strace and ip: apt-get install strace iproute2'
/** Namespaces of the network, of mounts and of processes: with the first process all others in it end, and everything that was set up. */
const UNSHARE = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']

/** Runs a module to its end in namespaces of its own, with a folder of its own for temporary files; resolves with what it printed. */
export async function runInOwnNetwork(module: string, argument: string, signal: AbortSignal): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-network-'))
  // Whoever is not root becomes it in a namespace of users, where the system allows that.
  const users = process.getuid?.() === 0 ? [] : ['--map-root-user']
  const child = spawn('unshare', [...users, ...UNSHARE, process.execPath, module, argument], {
    stdio: 'pipe',
    env: { ...process.env, TMPDIR: folder },
    signal,
    killSignal: 'SIGKILL',
  })
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  try {
    await once(child, 'close')
  } catch (error) {
    throw new Error(`unshare did not run to its end. ${HELP}`, { cause: error })
  } finally {
    process.off('exit', kill)
    await rm(folder, { recursive: true })
  }
  if (child.exitCode !== 0) throw new Error(`${stderr}\n${HELP}`)
  return stdout
}

/** To be called in such namespaces: from now on these names have these addresses, which are this machine's own, and no others exist. */
export async function createOwnNetwork(addresses: Readonly<Record<string, string>>): Promise<OwnNetwork> {
  endWithParent()
  const run = (command: string, ...args: readonly string[]): void => void execFileSync(command, args)
  run('ip', 'link', 'set', 'lo', 'up')
  for (const address of [NAME_SERVER, ...Object.values(addresses)])
    run('ip', 'address', 'add', `${address}/32`, 'dev', 'lo')
  // Who connects to a stray address waits for an answer, as it would where there is an internet.
  run('ip', 'route', 'add', 'default', 'dev', 'lo')
  const files = {
    'resolv.conf': `nameserver ${NAME_SERVER}\n`,
    hosts: '127.0.0.1 localhost\n::1 localhost\n',
    'nsswitch.conf': 'hosts: files dns\n',
  }
  for (const [name, text] of Object.entries(files)) {
    const path = join(tmpdir(), name)
    await writeFile(path, text)
    run('mount', '--bind', path, `/etc/${name}`)
  }
  return startNameServer(addresses)
}

/** Standard input ends when the test run is killed, and nobody else would end this network then. */
function endWithParent(): void {
  process.stdin.once('end', () => process.exit(1))
  process.stdin.resume().unref()
}

const TYPES: Readonly<Record<number, string>> = { 1: 'A', 28: 'AAAA' }
const HEADER_BYTES = 12

async function startNameServer(addresses: Readonly<Record<string, string>>): Promise<OwnNetwork> {
  const questions = new Set<string>()
  const server = createSocket('udp4')
  server.on('message', (query, { address, port }) => {
    const { name, type, end } = questionIn(query)
    questions.add(`${TYPES[type] ?? `type ${type}`} ${name}`)
    server.send(answerTo(query.subarray(0, end), type, addresses[name]), port, address)
  })
  server.bind(53, NAME_SERVER)
  await once(server, 'listening')
  return {
    takeAsked() {
      const asked = [...questions].toSorted()
      questions.clear()
      return asked
    },
    close: () => void server.close(),
  }
}

/** RFC 1035 §4.1.2. */
function questionIn(query: Buffer): { readonly name: string; readonly type: number; readonly end: number } {
  const labels: string[] = []
  let at = HEADER_BYTES
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 }
}

/** RFC 1035 §4.1.1 and §4.1.3: its IPv4 address, nothing of another type, or that there is no such name (3). */
function answerTo(question: Buffer, type: number, address: string | undefined): Buffer {
  const isAnswered = address !== undefined && TYPES[type] === 'A'
  const header = Buffer.from(question.subarray(0, HEADER_BYTES))
  header.writeUInt16BE(address === undefined ? 0x8183 : 0x8180, 2)
  header.writeUInt16BE(isAnswered ? 1 : 0, 6)
  header.fill(0, 8) // nothing else: the query's own additional record (EDNS) is left out
  const record = isAnswered ? [0xc0, HEADER_BYTES, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, ...address.split('.').map(Number)] : []
  return Buffer.concat([header, question.subarray(HEADER_BYTES), Buffer.from(record)])
}
