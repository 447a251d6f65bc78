/** `hushgate import`: turns a sygnal.yaml into a hushgate.yaml with the same meaning, and prints it; comments say what to look at. */
import { resolve } from 'node:path'
import { ConfigError, formatPath } from '../config/config-error.ts'
import { readText } from '../config/files.ts'
import { printConfig } from '../config/sygnal/print.ts'
import { readSygnal } from '../config/sygnal/read.ts'
import type { Environment } from '../config/yaml-source.ts'

export interface ImportOptions {
  /** The sygnal.yaml. */
  readonly path: string
  /** From where its relative paths are followed, as Sygnal does. */
  readonly workingDirectory: string
  readonly env: Environment
  readonly stdout: NodeJS.WritableStream
}

/** Resolves with the exit code; rejects with a ConfigError that lists what cannot be imported. */
export async function importSygnal({ path, workingDirectory, env, stdout }: ImportOptions): Promise<number> {
  const file = resolve(workingDirectory, path)
  const { text, problem } = await readText(file)
  if (text === undefined) throw new ConfigError([{ path: '', file, message: problem }])
  const sygnal = readSygnal(text, { workingDirectory, httpsProxy: env['HTTPS_PROXY'] })
  if ('message' in sygnal) throw new ConfigError([{ path: '', file, ...sygnal }])
  if (sygnal.mistakes.length > 0)
    throw new ConfigError(
      sygnal.mistakes.map((mistake) => ({
        path: formatPath(mistake.path),
        file,
        line: sygnal.lineOf(mistake.path),
        message: mistake.message,
      })),
    )
  stdout.write(printConfig(sygnal, headerOf(file, workingDirectory)))
  return 0
}

function headerOf(file: string, workingDirectory: string): readonly string[] {
  return [
    `The same as ${file}, with paths that begin in ${workingDirectory}.`,
    'Check it with: hushgate check --config hushgate.yaml',
    'differs: means something else here. obsolete: is not needed, or has no effect. safer: could be set to something safer.',
    'risky: could be set to something safer, and as it is strangers can do harm.',
    'cannot: is not carried over. The store is SQLite in the folder data beside this file, unless store.url says otherwise.',
    '',
  ]
}
