/** The block of docs/deploying.md for a machine with systemd, pasted on one that has none: what the unit starts is started as it says, until a push has arrived. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startSimulators } from '../src/commands/simulators.ts'
import { freePort } from '../test/helpers/free-port.ts'
import { codeOf } from './document-code.ts'

const { stdout } = process
const DEADLINE_MS = 5 * 60_000
const POLL_MS = 100

/** What systemd does with the lines of a unit that name programs, their environment and their credentials; and what else is not on that machine. */
const PROGRAMS = {
  sudo: 'exec "$@"',
  sudoedit: 'cp /root/edited.yaml "$1"',
  journalctl: 'cat /run/hushgate.log',
  systemctl: `[ "$1" = enable ] || exit 0
line() { sed -n "s/^$1=//p" /etc/systemd/system/hushgate.service; }
export CREDENTIALS_DIRECTORY=/run/credentials/hushgate.service
mkdir -p "$CREDENTIALS_DIRECTORY" /var/lib/hushgate
line LoadCredential | while IFS=: read -r name path; do cp "$path" "$CREDENTIALS_DIRECTORY/$name"; done
cd /
exec > /run/hushgate.log 2>&1
env $(line Environment) $(line ExecStartPre)
env $(line Environment) $(line ExecStart) &`,
} as const

export interface Machine {
  /** Its folder. */
  readonly root: string
  readonly home: string
  /** The program and its arguments that run this command in a shell of it. */
  readonly inShell: (command: string) => readonly [program: string, args: readonly string[]]
  /** Where the package is, in the place of the release. */
  readonly packageUrl: string
}

export async function trySystemd({ root, home, inShell, packageUrl }: Machine): Promise<void> {
  const startMs = Date.now()
  const folder = mkdtempSync(join(tmpdir(), 'hushgate-systemd-'))
  const arrived = Promise.withResolvers<void>()
  const simulators = await startSimulators({ folder, onApplePush: () => arrived.resolve(), onGooglePush: () => {} })
  const port = await freePort()
  furnish({ root, home, folder, apps: simulators.appsYaml, ports: [port, await freePort()] })
  const block = codeOf('docs/deploying.md', 'systemctl enable --now hushgate').replace(/https:\S+\.tgz/, packageUrl)
  stdout.write(`\n${block}`)
  const shell = spawn(...inShell(`export npm_config_noproxy=127.0.0.1; set -eu\n${block}\nexec sleep 600`), {
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  })
  const ended = once(shell, 'close')
  shell.stdout.pipe(stdout, { end: false })
  const kill = (): void => {
    if (shell.pid !== undefined && shell.exitCode === null) process.kill(-shell.pid, 'SIGKILL')
  }
  process.once('exit', kill)
  try {
    const over = ended.then(() => Promise.reject(new Error('The block of docs/deploying.md for systemd failed')))
    await Promise.race([untilAccepted(port), over])
    await Promise.race([arrived.promise, over])
    const beside = codeOf('docs/deploying.md', 'sudo hushgate dead list')
    const { status, stderr } = spawnSync(...inShell(beside), { encoding: 'utf8' })
    if (status !== 0) throw new Error(`${beside} failed: ${stderr}`)
  } finally {
    kill()
    process.off('exit', kill)
    await ended
    await simulators[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true })
  }
  stdout.write(`The block for systemd: the first push arrived after ${Math.round((Date.now() - startMs) / 1000)} s\n`)
}

interface Furniture {
  readonly root: string
  readonly home: string
  /** That of the simulators' keys. */
  readonly folder: string
  readonly apps: string
  readonly ports: readonly [notify: number, admin: number]
}

/** What whoever pastes the block has already: credentials, an editor, and a configuration in mind. */
function furnish({ root, home, folder, apps, ports: [notify, admin] }: Furniture): void {
  for (const [name, script] of Object.entries(PROGRAMS))
    writeFileSync(join(root, 'usr/local/sbin', name), `#!/bin/sh\nset -eu\n${script}\n`, { mode: 0o755 })
  const downloads = join(root, home, 'Downloads')
  mkdirSync(downloads, { recursive: true })
  copyFileSync(join(folder, 'AuthKey.p8'), join(downloads, 'AuthKey_ABC123DEFG.p8'))
  copyFileSync(join(folder, 'service-account.json'), join(downloads, 'firebase.json'))
  copyFileSync(join(folder, 'ca.pem'), join(root, 'etc/simulators.pem'))
  const example = readFileSync(join(root, home, 'hushgate/config/examples/systemd/hushgate.yaml'), 'utf8')
  const edited = example.replace(/^apps:\n[^]*/m, () =>
    apps
      .replaceAll(JSON.stringify(join(folder, 'AuthKey.p8')), '${CREDENTIALS_DIRECTORY}/apns.p8')
      .replaceAll(JSON.stringify(join(folder, 'service-account.json')), '${CREDENTIALS_DIRECTORY}/firebase.json')
      .replaceAll(JSON.stringify(join(folder, 'ca.pem')), '/etc/simulators.pem'),
  )
  const ports = `http: { port: ${notify} }\nadmin: { port: ${admin} }\n`
  writeFileSync(join(root, 'root/edited.yaml'), `${ports}${edited}`)
}

/** It listens some seconds after the block was pasted. */
async function untilAccepted(port: number): Promise<void> {
  const devices = [{ app_id: 'com.example.ios', pushkey: Buffer.from('phone').toString('base64') }]
  const body = JSON.stringify({ notification: { event_id: '$event', room_id: '!room:example.org', devices } })
  for (const deadlineMs = Date.now() + DEADLINE_MS; ; await delay(POLL_MS))
    try {
      const answer = await fetch(`http://127.0.0.1:${port}/_matrix/push/v1/notify`, { method: 'POST', body })
      if (answer.status === 200) return
      throw new Error(`A notification was answered ${answer.status}`)
    } catch (error) {
      if (Date.now() > deadlineMs) throw error
    }
}
