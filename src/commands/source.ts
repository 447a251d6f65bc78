/** Which configuration a command means, in whose form it is, and what it finds in its environment. */
import { statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { sygnalReader } from '../config/sygnal/source.ts'
import type { Environment, SourceReader } from '../config/yaml-source.ts'
import { OperatorError } from '../operator/operator.ts'

export const CONFIG_HERE = 'hushgate.yaml'
/** Of the service of this machine: for commands that are typed beside it. */
export const CONFIG_OF_MACHINE = '/etc/hushgate/hushgate.yaml'
/** Where the image's volume is. */
const STORE_IN_CONTAINER = 'sqlite:/data/hushgate.db'

/** Options that stand before or after any command. */
export interface SourceOptions {
  readonly config?: string
  readonly sygnal?: string
  readonly store?: string
  readonly encryptionKeyFile?: string
}

export interface Source {
  readonly configPath: string
  readonly readAs?: SourceReader
  readonly env: Environment
}

/** Who owns a file; undefined when there is none. */
export type OwnerOf = (path: string) => number | undefined

/**
 * Throws an OperatorError for options that do not go together. `user`: who runs the command. Root does not obey a file that somebody else has put into the folder
 * where root happens to be: it could have the operator's token sent anywhere.
 */
export function sourceOf(
  options: SourceOptions,
  env: Environment,
  user = process.geteuid?.() ?? 0,
  ownerOf: OwnerOf = ownerOnDisk,
): Source {
  const { config, sygnal } = namedBy(options, env)
  if (sygnal !== undefined) return { ...sygnalSource(options, sygnal, env), env: withCredentials(sygnal, env) }
  if (options.store !== undefined || options.encryptionKeyFile !== undefined)
    throw new OperatorError(
      '--store and --encryption-key-file go with --sygnal; hushgate.yaml says it in store and queue',
    )
  const trusted = [0, Number(env['SUDO_UID'] ?? 0)]
  const configPath = config ?? (isInContainer(env) ? CONFIG_OF_MACHINE : foundConfig(user, trusted, ownerOf))
  return { configPath, env: withCredentials(configPath, env) }
}

/** Options come before the environment. `SYGNAL_CONF` is Sygnal's own, so that an image or a unit of Sygnal's starts Hushgate unchanged. */
export function namedBy(
  { config, sygnal }: SourceOptions,
  env: Environment,
): { readonly config?: string | undefined; readonly sygnal?: string | undefined } {
  if (config !== undefined && sygnal !== undefined)
    throw new OperatorError('--config and --sygnal do not go together: each names the configuration')
  if (sygnal !== undefined) return { sygnal }
  const ours = config ?? env['HUSHGATE_CONFIG']
  return ours === undefined ? { sygnal: env['SYGNAL_CONF'] } : { config: ours }
}

/** Whether a configuration is named, or lies where one is looked for. */
export function isConfigured(options: SourceOptions, env: Environment, ownerOf: OwnerOf = ownerOnDisk): boolean {
  const { config, sygnal } = namedBy(options, env)
  const isThere = [CONFIG_HERE, CONFIG_OF_MACHINE].some((path) => ownerOf(path) !== undefined)
  return config !== undefined || sygnal !== undefined || isThere
}

function sygnalSource(
  { store, encryptionKeyFile }: SourceOptions,
  configPath: string,
  env: Environment,
): Omit<Source, 'env'> {
  const readAs = sygnalReader({
    workingDirectory: process.cwd(),
    storeUrl: store ?? env['HUSHGATE_STORE_URL'] ?? (isInContainer(env) ? STORE_IN_CONTAINER : undefined),
    encryptionKeyFile: encryptionKeyFile ?? env['HUSHGATE_ENCRYPTION_KEY_FILE'],
  })
  return { configPath, readAs }
}

/** Set by our image. */
function isInContainer(env: Environment): boolean {
  return env['HUSHGATE_IN_CONTAINER'] === '1'
}

function foundConfig(user: number, trusted: readonly number[], ownerOf: OwnerOf): string {
  const owner = ownerOf(CONFIG_HERE)
  if (user === 0 && owner !== undefined && !trusted.includes(owner))
    throw new OperatorError(
      `${CONFIG_HERE} in this folder belongs to another user: say --config ${CONFIG_HERE} if it is meant, or --config ${CONFIG_OF_MACHINE}`,
    )
  return owner === undefined && ownerOf(CONFIG_OF_MACHINE) !== undefined ? CONFIG_OF_MACHINE : CONFIG_HERE
}

function ownerOnDisk(path: string): number | undefined {
  return statSync(path, { throwIfNoEntry: false })?.uid
}

/** systemd hands credentials to its service in a folder that it names; a command beside the service finds them where root has put them. */
function withCredentials(configPath: string, env: Environment): Environment {
  return { CREDENTIALS_DIRECTORY: join(dirname(resolve(configPath)), 'credentials'), ...env }
}
