/**
 * `docker compose` for the README's block where there is no compose: the same containers, made by hand from compose.yaml of the working folder. Without Caddy,
 * which would ask for a certificate, and on the network of this machine, where the simulators are. COMPOSE_VOLUME, COMPOSE_CONTAINER and COMPOSE_IMAGE name what is used.
 */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parse } from 'yaml'
import { bases, podman } from '../../scripts/image-tools.ts'
import { initScript, type ComposeService } from '../helpers/compose.ts'

interface Service extends ComposeService {
  readonly tmpfs?: readonly string[]
  readonly cap_drop?: readonly string[]
  readonly security_opt?: readonly string[]
  readonly volumes?: readonly string[]
}

const { env, argv } = process
const { COMPOSE_VOLUME: volume = '', COMPOSE_CONTAINER: container = '', COMPOSE_IMAGE: image = '' } = env
const { services }: { services: Record<string, Service> } = parse(readFileSync('compose.yaml', 'utf8'))

function optionsOf({
  tmpfs = [],
  cap_add: added = [],
  cap_drop: dropped = [],
  security_opt: security = [],
  volumes = [],
}: Service): readonly string[] {
  return [
    '--read-only',
    ...tmpfs.map((each) => `--tmpfs=${each}`),
    ...dropped.map((each) => `--cap-drop=${each.toLowerCase()}`),
    ...added.map((each) => `--cap-add=${each}`),
    ...security.map((each) => `--security-opt=${each}`),
    ...volumes.map((each) => `--volume=${each.replace(/^\.\//, `${resolve('.')}/`).replace(/^data:/, `${volume}:`)}`),
    '--ulimit=nofile=4096:4096',
    '--ulimit=nproc=4096:4096',
  ]
}

function engine(...args: readonly string[]): void {
  const [program, ...options] = podman
  const { status } = spawnSync(program, [...options, ...args], { stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

const [command, ...given] = argv.slice(2)
const { hushgate = {}, init = {} } = services
if (command !== 'exec')
  engine('run', '--rm', '--network=none', ...optionsOf(init), bases.build, 'sh', '-euc', initScript(init))
const here = ['--network=host', ...optionsOf(hushgate)]
if (command === 'run') engine('run', '--rm', ...here, image, ...given.slice(given.indexOf('hushgate') + 1))
else if (command === 'up') engine('run', '--detach', '--name', container, ...here, image)
else engine('exec', container, ...given.slice(1))
