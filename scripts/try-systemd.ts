/** The blocks of docs/deploying.md and docs/scaling.md for a machine with systemd, pasted on a Debian that systemd has booted: until a push has arrived, and with several processes. */
import { execFile } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { promisify } from 'node:util'
import { startSimulators } from '../src/commands/simulators.ts'
import { freePort } from '../test/helpers/free-port.ts'
import { startRedis } from '../test/helpers/redis.ts'
import { codeOf } from './document-code.ts'
import { tryTunnel } from './try-tunnel.ts'

const { stdout } = process
const DEADLINE_MS = 30_000
const POLL_MS = 100
const CONFIGURATION = 'etc/hushgate/hushgate.yaml'

export interface SystemdMachine {
  /** Its folder. */
  readonly root: string
  readonly home: string
  /** The program and its arguments that run this command in a shell of it. */
  readonly inShell: (command: string) => readonly [program: string, args: readonly string[]]
  /** Where the package is, in the place of the release. */
  readonly packageUrl: string
}

export async function trySystemd(machine: SystemdMachine): Promise<void> {
  const startMs = Date.now()
  const folder = mkdtempSync(join(tmpdir(), 'hushgate-systemd-'))
  const arrived: unknown[] = []
  await using simulators = await startSimulators({
    folder,
    onApplePush: (push) => void arrived.push(push),
    onGooglePush: () => {},
  })
  const [port, adminPort] = [await freePort(), await freePort()]
  furnish(machine, { folder, apps: simulators.appsYaml, ports: [port, adminPort] })
  await installNpm(machine)
  const block = codeOf('docs/deploying.md', 'systemctl enable --now hushgate')
  await paste(machine, block.replace(/https:\S+\.tgz/, machine.packageUrl))
  const expectPush = async (host = '127.0.0.1'): Promise<void> => {
    const before = arrived.length
    await untilAccepted(host, port)
    for (const deadlineMs = Date.now() + DEADLINE_MS; arrived.length === before; await delay(POLL_MS))
      if (Date.now() > deadlineMs) throw new Error('A push that was accepted did not arrive')
  }
  await expectPush()
  stdout.write(`The block for systemd: the first push arrived after ${Math.round((Date.now() - startMs) / 1000)} s\n`)

  await paste(machine, codeOf('docs/deploying.md', 'sudo hushgate dead list'))
  await paste(machine, codeOf('docs/runbook.md', 'systemctl status hushgate'))
  await paste(machine, codeOf('docs/deploying.md', 'systemctl reload hushgate'))
  // The second line there looks for a device of another day.
  const [level = ''] = codeOf('docs/operating.md', 'journalctl --unit hushgate').split('\n')
  await paste(machine, `cd /etc/hushgate && ${level}`)
  await untilLogged(machine, 'The configuration was reloaded', 2)
  await expectPush()
  await untilLogged(machine, 'A push was accepted')
  await paste(machine, codeOf('docs/deploying.md', 'systemctl restart hushgate'))
  await expectPush()
  await tryTunnel({ ...machine, adminPort })
  await trySeveral(machine, expectPush)
  rmSync(folder, { recursive: true })
}

/** On a machine that has none. It says yes to what npm needs, and no to what is only recommended. */
async function installNpm(machine: SystemdMachine): Promise<void> {
  const startMs = Date.now()
  writeFileSync(
    join(machine.root, 'etc/apt/apt.conf.d/91yes'),
    'APT::Get::Assume-Yes "true";\nAPT::Install-Recommends "false";\nquiet "2";\n',
  )
  await paste(machine, 'apt-get update && apt-get remove npm')
  if ((await paste(machine, 'command -v npm || true')) !== '') throw new Error('npm is still there')
  await paste(machine, codeOf('docs/deploying.md', 'apt-get install npm'))
  stdout.write(`npm: installed after ${Math.round((Date.now() - startMs) / 1000)} s\n`)
}

/** On a Redis, in the place of the one process. */
async function trySeveral(machine: SystemdMachine, expectPush: (host: string) => Promise<void>): Promise<void> {
  const redis = await startRedis({ settings: { appendonly: 'yes' } })
  try {
    await paste(machine, 'systemctl disable --now hushgate && hushgate keygen store > /etc/hushgate/credentials/store')
    const path = join(machine.root, CONFIGURATION)
    const hosts = codeOf('docs/scaling.md', "http: { host: '${HUSHGATE_ADDRESS}' }").split('\n')
    const [http = '', admin = ''] = hosts.map((line) => line.replace(' }', ','))
    const content = readFileSync(path, 'utf8')
      .replace('http: {', http)
      .replace('admin: {', `${admin} token_file: "\${CREDENTIALS_DIRECTORY}/token",`)
      .replace(/^store:\n.*$/m, `store: { url: "redis://127.0.0.1:${redis.port}" }`)
    writeFileSync(path, `${content}queue: { encryption_key_file: "\${CREDENTIALS_DIRECTORY}/store" }\n`)
    await paste(machine, codeOf('docs/scaling.md', 'hushgate@.service.d'))
    await paste(
      machine,
      `hushgate keygen token > /etc/hushgate/credentials/token
printf 'LoadCredential=%s\\n' store:/etc/hushgate/credentials/store token:/etc/hushgate/credentials/token >> /etc/systemd/system/hushgate@.service.d/address.conf
systemctl daemon-reload`,
    )
    await paste(machine, codeOf('docs/scaling.md', 'systemctl enable --now hushgate@2'))
    for (const host of ['127.0.0.2', '127.0.0.3']) await expectPush(host)
    stdout.write('The lines for several processes: a push arrived by way of each\n')
  } finally {
    await redis.stop()
  }
}

/** Shows it, and what it prints. Stops at the first line that fails. Meanwhile package and simulators are to be had. */
async function paste({ inShell }: SystemdMachine, code: string): Promise<string> {
  stdout.write(`\n${code.trim()}\n`)
  const editor = "export SUDO_EDITOR='cp /root/edited.yaml' npm_config_noproxy=127.0.0.1"
  const [program, args] = inShell(`${editor}; set -eu\n${code}`)
  const { stdout: printed } = await promisify(execFile)(program, args, { maxBuffer: 2 ** 24 })
  stdout.write(printed)
  return printed
}

async function untilLogged({ inShell }: SystemdMachine, sentence: string, count = 1): Promise<void> {
  const [program, args] = inShell('journalctl --unit hushgate')
  for (const deadlineMs = Date.now() + DEADLINE_MS; ; await delay(POLL_MS)) {
    const { stdout: log } = await promisify(execFile)(program, args)
    if (log.split(sentence).length > count) return
    if (Date.now() > deadlineMs) throw new Error(`${sentence}: this is not in the log\n${log}`)
  }
}

interface Furniture {
  /** That of the simulators' keys. */
  readonly folder: string
  readonly apps: string
  readonly ports: readonly [notify: number, admin: number]
}

/** What whoever pastes the block has already: credentials, and a configuration in mind. */
function furnish({ root, home }: SystemdMachine, { folder, apps, ports: [notify, admin] }: Furniture): void {
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
  const settings = `http: { port: ${notify} }\nadmin: { port: ${admin} }\nlog: { level: info }\n`
  writeFileSync(join(root, 'root/edited.yaml'), `${settings}${edited}`)
}

/** It listens some seconds after the block was pasted. */
async function untilAccepted(host: string, port: number): Promise<void> {
  const devices = [{ app_id: 'com.example.ios', pushkey: Buffer.from('phone').toString('base64') }]
  const event = `$${crypto.randomUUID()}`
  const body = JSON.stringify({ notification: { event_id: event, room_id: '!room:example.org', devices } })
  for (const deadlineMs = Date.now() + DEADLINE_MS; ; await delay(POLL_MS))
    try {
      const answer = await fetch(`http://${host}:${port}/_matrix/push/v1/notify`, { method: 'POST', body })
      if (answer.status === 200) return
      throw new Error(`A notification was answered ${answer.status}`)
    } catch (error) {
      if (Date.now() > deadlineMs) throw error
    }
}
