/**
 * `docker compose` where there is none: the containers of compose.yaml in the working folder, made by hand. Without Caddy, which would ask for a certificate, without what only
 * a profile starts, and on the network of this machine, where the simulators are. COMPOSE_PROJECT_NAME begins all names, COMPOSE_IMAGE is Hushgate's image, COMPOSE_REDIS_PORT
 * Redis's port.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parse } from 'yaml'
import { bases, podman } from '../../scripts/image-tools.ts'
import { initScript, type ComposeService } from '../helpers/compose.ts'

interface Service extends ComposeService {
  readonly image: string
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>
  readonly tmpfs?: readonly string[]
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly volumes?: readonly string[]
  readonly user?: string
}

const { env, argv } = process
const { COMPOSE_PROJECT_NAME: project = '', COMPOSE_IMAGE: image = '', COMPOSE_REDIS_PORT: redisPort = '' } = env
const { services }: { services: Record<string, Service> } = parse(readFileSync('compose.yaml', 'utf8'))
const nameOf = (service: string): string => `${project}-${service}`

function optionsOf(service: Service): readonly string[] {
  const { tmpfs = [], cap_add: added = [], cap_drop: dropped = [], security_opt: security = [], volumes = [] } = service
  return [
    '--read-only',
    ...tmpfs.map((each) => `--tmpfs=${each}`),
    ...dropped.map((each) => `--cap-drop=${each.toLowerCase()}`),
    ...added.map((each) => `--cap-add=${each}`),
    ...security.map((each) => `--security-opt=${each}`),
    ...volumes.map((each) => `--volume=${each.startsWith('./') ? resolve('.') + each.slice(1) : nameOf(each)}`),
    ...(service.user === undefined ? [] : [`--user=${service.user}`]),
    '--ulimit=nofile=4096:4096',
    '--ulimit=nproc=4096:4096',
  ]
}

function engine(...args: readonly string[]): void {
  const [program, ...options] = podman
  const { status } = spawnSync(program, [...options, ...args], { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

const isRunning = (name: string): boolean => {
  const [program, ...options] = podman
  return spawnSync(program, [...options, 'container', 'exists', nameOf(name)]).status === 0
}

const started = new Set<string>()

/** What it depends on, once and first; `init` runs to its end. */
function startNeeds(service: Service): void {
  for (const [name, { condition }] of Object.entries(service.depends_on ?? {})) {
    const needed = services[name]
    if (needed === undefined) throw new Error(`compose.yaml has no service ${name}`)
    if (started.has(name)) continue
    started.add(name)
    if (condition === 'service_completed_successfully') {
      const base = needed.image.includes('valkey') ? bases.valkey : bases.build
      engine('run', '--rm', '--network=none', ...optionsOf(needed), base, 'sh', '-euc', initScript(needed))
    } else start(name, needed)
  }
}

function start(name: string, service: Service): void {
  startNeeds(service)
  if (isRunning(name)) return
  const run = ['run', '--detach', '--name', nameOf(name), '--network=host', ...optionsOf(service)]
  if (name === 'hushgate') return engine(...run, image)
  const words = String(service.command).match(/"[^"]*"|\S+/g) ?? []
  engine(...run, bases.valkey, ...words.map((word) => word.replaceAll('"', '')), '--port', redisPort)
}

const [command, ...given] = argv.slice(2)
const { hushgate, redis } = services
if (hushgate === undefined) throw new Error('compose.yaml has no service hushgate')
const args = given.slice(given.indexOf('hushgate') + 1)
if (command === 'run') {
  startNeeds(hushgate)
  engine('run', '--rm', '--network=host', ...optionsOf(hushgate), image, ...args)
} else if (command === 'up') {
  if (redis !== undefined) start('redis', redis)
  start('hushgate', hushgate)
} else engine('exec', nameOf('hushgate'), ...args)
