/** The line of docs/deploying.md that leads to the operations page from elsewhere, pasted: Debian's own sshd on the machine with the gateway, and the page asked for at this end. */
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePort } from '../test/helpers/free-port.ts'
import { codeOf } from './document-code.ts'

const { stdout } = process
const DEADLINE_MS = 30_000
const POLL_MS = 100

export interface Tunnel {
  /** The folder of the machine. */
  readonly root: string
  readonly home: string
  /** The program and its arguments that run this command in a shell of it. */
  readonly inShell: (command: string) => readonly [program: string, args: readonly string[]]
  readonly adminPort: number
}

/** The machine is at both ends, so the port at this end is another one. Rejects if the page is not there within half a minute. */
export async function tryTunnel(tunnel: Tunnel): Promise<void> {
  const startMs = Date.now()
  await installServer(tunnel, await freePort())
  const port = await freePort()
  const line = codeOf('docs/deploying.md', 'ssh -L 5001').replace(
    '5001:127.0.0.1:5001',
    `${port}:127.0.0.1:${tunnel.adminPort}`,
  )
  stdout.write(`\n${line}\n`)
  // Whoever pastes it has a terminal, and leaves it open.
  const ssh = spawn(...tunnel.inShell(line), { stdio: ['pipe', 'inherit', 'inherit'] })
  const ended = once(ssh, 'close')
  try {
    await untilPage(`http://127.0.0.1:${port}/`)
    ssh.stdin.end()
    // It waits for what still goes through it.
    const late = delay(DEADLINE_MS, [undefined], { ref: false })
    const [code] = await Promise.race([ended, late])
    if (code !== 0) throw new Error(`ssh ended with ${code}`)
  } finally {
    ssh.kill('SIGKILL')
  }
  stdout.write(`The tunnel: the operations page came through after ${Math.round((Date.now() - startMs) / 1000)} s\n`)
}

/** With a key of the operator's, as push.example.com. */
async function installServer({ root, home, inShell }: Tunnel, port: number): Promise<void> {
  mkdirSync(join(root, 'etc/ssh/sshd_config.d'), { recursive: true })
  writeFileSync(join(root, 'etc/ssh/sshd_config.d/port.conf'), `Port ${port}\nListenAddress 127.0.0.1\n`)
  const folder = join(root, home, '.ssh')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  writeFileSync(
    join(folder, 'config'),
    `Host push.example.com\n  HostName 127.0.0.1\n  Port ${port}\n  StrictHostKeyChecking accept-new\n`,
  )
  const [program, args] = inShell(
    `set -eu; export DEBIAN_FRONTEND=noninteractive
apt-get -qq -y install openssh-server
ssh-keygen -q -t ed25519 -N '' -f ~/.ssh/id_ed25519 && cp ~/.ssh/id_ed25519.pub ~/.ssh/authorized_keys`,
  )
  await promisify(execFile)(program, args)
}

async function untilPage(url: string): Promise<void> {
  for (const deadlineMs = Date.now() + DEADLINE_MS; ; await delay(POLL_MS))
    try {
      const page = await (await fetch(url, { headers: { connection: 'close' } })).text()
      if (page.includes('<title>Hushgate: operations</title>')) return
      throw new Error(`This is not the operations page: ${page.slice(0, 200)}`)
    } catch (error) {
      if (Date.now() > deadlineMs) throw error
    }
}
