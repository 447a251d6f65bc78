/** Containers of the image as an operator should run them: read-only, without rights, as the image's own user. None outlives the test run. */
import { execFile, spawn, spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { chmodSync, chownSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { inject } from 'vitest'
import { podman } from '../../scripts/image-tools.ts'
import { follow, type HushgateProcess } from '../helpers/hushgate-process.ts'

const USER_ID = 65_532

/** No timer for health checks, which would need systemd; and no proxy of ours, which would be asked to reach loopback. */
const ENVIRONMENT = { PATH: process.env['PATH'], HOME: process.env['HOME'], DISABLE_HC_SYSTEMD: 'true' }

/** Podman's own are beyond what a container in a container may set. */
export const CONTAINER_LIMITS = ['--ulimit=nofile=4096:4096', '--ulimit=nproc=4096:4096']

/** On the network of this machine, where the simulators are. */
const RUN = ['run', '--rm', '--network=host', '--cap-drop=all', '--security-opt=no-new-privileges', ...CONTAINER_LIMITS]

export interface ContainerOptions {
  /** Mounted at /etc/hushgate, for reading. */
  readonly configFolder: string
  /** Further folders to be read at the same path. */
  readonly folders?: readonly string[] | undefined
  /** Mounted at /data. */
  readonly volume?: string | undefined
  /** Default true. */
  readonly isReadOnly?: boolean | undefined
  readonly options?: readonly string[] | undefined
}

export interface Container extends HushgateProcess {
  /** Runs a command of Hushgate in it. */
  command(...args: readonly string[]): Promise<{ readonly code: unknown; readonly stdout: string }>
  /** Resolves with the exit code of the image's own health check. */
  checkHealth(): Promise<unknown>
}

/** What an operator does with `chown` and `chmod`: the image's user and group may read it, and nobody else. */
export function giveToImage(path: string): void {
  const isFolder = statSync(path).isDirectory()
  chownSync(path, USER_ID, USER_ID)
  chmodSync(path, isFolder ? 0o750 : 0o640)
  if (isFolder) for (const name of readdirSync(path)) giveToImage(join(path, name))
}

/** `args` in the place of the image's own `serve`. */
export function startContainer(
  { configFolder, folders = [], volume, isReadOnly = true, options = [] }: ContainerOptions,
  ...args: readonly string[]
): Container {
  giveToImage(configFolder)
  folders.forEach(giveToImage)
  const mounts = [
    `${configFolder}:/etc/hushgate:ro`,
    ...folders.map((folder) => `${folder}:${folder}:ro`),
    ...(volume === undefined ? [] : [`${volume}:/data`]),
  ].flatMap((mount) => ['--volume', mount])
  return startPlainContainer([...(isReadOnly ? ['--read-only'] : []), ...mounts, ...options], ...args)
}

/** With the engine's own options, and `args` in the place of the image's own `serve`. */
export function startPlainContainer(options: readonly string[], ...args: readonly string[]): Container {
  const name = `hushgate-test-${randomUUID()}`
  return startEngine(name, [...RUN, ...options, '--name', name, inject('image'), ...args])
}

/** One that `create` made; it is removed with what is returned. */
export function startCreated(name: string): Container {
  return startEngine(name, ['start', '--attach', name])
}

/** The engine prints what the container of this name prints. */
function startEngine(name: string, args: readonly string[]): Container {
  const [program, ...engine] = podman
  const child = spawn(program, [...engine, ...args], { env: ENVIRONMENT })
  const remove = (): void => void spawnSync(program, [...engine, 'rm', '--force', '--time', '0', name])
  process.once('exit', remove)
  const followed = follow(child)
  return {
    ...followed,
    // The engine passes on what it is sent, but for this one.
    signal: (signal) =>
      void (signal === 'SIGKILL' ? spawnSync(program, [...engine, 'kill', name]) : child.kill(signal)),
    command: (...given) => engineCommand('exec', name, 'hushgate', ...given),
    checkHealth: async () => (await engineCommand('healthcheck', 'run', name)).code,
    async [Symbol.asyncDispose]() {
      remove()
      process.off('exit', remove)
      await followed.ended
    },
  }
}

/** Runs a command of the image to its end. */
export function runContainer(options: ContainerOptions, ...args: readonly string[]): HushgateProcess['ended'] {
  return startContainer(options, ...args).ended
}

export interface Volume extends AsyncDisposable {
  readonly name: string
}

export async function createVolume(): Promise<Volume> {
  const { stdout } = await engineCommand('volume', 'create')
  const name = stdout.trim()
  return {
    name,
    [Symbol.asyncDispose]: async () => void (await engineCommand('volume', 'rm', '--force', name)),
  }
}

export async function engineCommand(
  ...args: readonly string[]
): Promise<{ readonly code: unknown; readonly stdout: string }> {
  const [program, ...engine] = podman
  try {
    const { stdout } = await promisify(execFile)(program, [...engine, ...args])
    return { code: 0, stdout }
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && 'stdout' in error)) throw error
    return { code: error.code, stdout: String(error.stdout) }
  }
}
