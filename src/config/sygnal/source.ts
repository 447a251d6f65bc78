/** A sygnal.yaml in the place of a hushgate.yaml: `loadConfig` checks what it is translated to, and mistakes have Sygnal's names and lines. */
import { jsonObject } from '../../core/json.ts'
import { formatPath } from '../config-error.ts'
import type { SourceReader } from '../yaml-source.ts'
import { readSygnal } from './read.ts'
import { WARNINGS } from './translation.ts'

/** What no sygnal.yaml can say. */
export interface SygnalExtras {
  /** Where relative paths begin. */
  readonly workingDirectory: string
  /** `store.url`; the default is SQLite in the working directory. */
  readonly storeUrl?: string | undefined
  /** `queue.encryption_key_file`, which is needed with Redis. */
  readonly encryptionKeyFile?: string | undefined
}

const NEEDS_KEYS =
  'with Redis, --encryption-key-file (or HUSHGATE_ENCRYPTION_KEY_FILE) names the keys that every process needs; make them with: hushgate keygen store'

export function sygnalReader({ workingDirectory, storeUrl, encryptionKeyFile }: SygnalExtras): SourceReader {
  return (text, env, report, warn) => {
    const file = readSygnal(text, { workingDirectory, httpsProxy: env['HTTPS_PROXY'] })
    if ('message' in file) {
      report([], file.line, file.message)
      return { value: undefined, lineOf: () => file.line, isFromEnvironment: () => false }
    }
    const { config, notes, mistakes, originOf, lineOf } = file
    const isEmpty = !Object.hasOwn(config, 'apps')
    for (const { path, message } of mistakes) report(path, lineOf(path), message)
    for (const { kind, path, sentence } of notes) if (WARNINGS.has(kind)) warn(path, lineOf(path), sentence)
    if (storeUrl?.startsWith('redis') === true && encryptionKeyFile === undefined)
      report(['queue', 'encryption_key_file'], 1, NEEDS_KEYS)
    const fromEnvironment = new Set(['store.url', file.isProxyFromEnvironment ? 'proxy' : ''])
    return {
      // With no app left, what is wrong is said already.
      value: isEmpty
        ? undefined
        : jsonObject([
            ...Object.entries(config),
            ['store', storeUrl === undefined ? undefined : { url: storeUrl }],
            ['queue', encryptionKeyFile === undefined ? undefined : { encryption_key_file: encryptionKeyFile }],
          ]),
      folder: workingDirectory,
      nameOf: originOf,
      lineOf: (path) => lineOf(originOf(path)),
      isFromEnvironment: (path) => fromEnvironment.has(formatPath(path)),
    }
  }
}
