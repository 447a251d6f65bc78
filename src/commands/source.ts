/** Which configuration a command means, in whose form it is, and what it finds in its environment. */
import { existsSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { sygnalReader } from '../config/sygnal/source.ts'
import type { Environment, SourceReader } from '../config/yaml-source.ts'
import { OperatorError } from '../operator/operator.ts'

export const CONFIG_HERE = 'hushgate.yaml'
/** Of the service of this machine: for commands that are typed beside it. */
export const CONFIG_OF_MACHINE = '/etc/hushgate/hushgate.yaml'

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

/** Throws an OperatorError for options that do not go together. */
export function sourceOf({ config, sygnal, store, encryptionKeyFile }: SourceOptions, env: Environment): Source {
  if (sygnal === undefined) {
    if (store !== undefined || encryptionKeyFile !== undefined)
      throw new OperatorError(
        '--store and --encryption-key-file go with --sygnal; hushgate.yaml says it in store and queue',
      )
    const isOfMachine = !existsSync(CONFIG_HERE) && existsSync(CONFIG_OF_MACHINE)
    const configPath = config ?? (isOfMachine ? CONFIG_OF_MACHINE : CONFIG_HERE)
    return { configPath, env: withCredentials(configPath, env) }
  }
  const readAs = sygnalReader({
    workingDirectory: process.cwd(),
    storeUrl: store ?? env['HUSHGATE_STORE_URL'],
    encryptionKeyFile: encryptionKeyFile ?? env['HUSHGATE_ENCRYPTION_KEY_FILE'],
  })
  return { configPath: sygnal, readAs, env: withCredentials(sygnal, env) }
}

/** systemd hands credentials to its service in a folder that it names; a command beside the service finds them where root has put them. */
function withCredentials(configPath: string, env: Environment): Environment {
  return { CREDENTIALS_DIRECTORY: join(dirname(resolve(configPath)), 'credentials'), ...env }
}
