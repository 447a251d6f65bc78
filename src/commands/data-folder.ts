/** Whether the SQLite store has a folder to live in that is there after a restart. */
import { access, constants, mkdir, readFile, realpath } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Config } from '../config/config.ts'
import { ConfigError } from '../config/config-error.ts'
import { codeOf } from '../core/error-code.ts'
import type { Environment } from '../config/yaml-source.ts'

/** Rejects with a ConfigError when what is accepted could not be kept. Makes the folder. */
export async function prepareDataFolder({ store, file }: Config, env: Environment): Promise<void> {
  if (store.kind !== 'sqlite') return
  const folder = dirname(store.file)
  const refuse = (why: string): ConfigError => {
    const message = `the database is to be in ${folder}, which ${why}: mount a volume there, or give a file in another folder, or a Redis`
    return new ConfigError([{ path: 'store.url', file, message }])
  }
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await access(folder, constants.W_OK)
  } catch (error) {
    throw refuse(`cannot be written to (${codeOf(error)})`)
  }
  // Set by our image: what is written outside a volume is deleted with the container.
  if (env['HUSHGATE_IN_CONTAINER'] === '1' && !(await isOnMount(folder))) throw refuse('is deleted with this container')
}

/** Something is mounted at the folder, or at one that it is in. */
async function isOnMount(folder: string): Promise<boolean> {
  const real = await realpath(folder)
  // The mount point is the fifth field, with spaces as \040 (proc_pid_mountinfo(5)).
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n')
  return mounts
    .map((line) => line.split(' ')[4]?.replaceAll(String.raw`\040`, ' ') ?? '/')
    .some((mount) => mount !== '/' && `${real}/`.startsWith(`${mount}/`))
}
