/** Hushgate as an operator runs it: commands in a folder, signals, what is printed, exit codes. A whole gateway in one call: gateway-process.ts. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createToken } from '../../src/config/keys.ts'
import { createKeyFile } from '../../src/core/keyring.ts'
import { keepLog, type Ended, type LoggedProcess } from './logged-process.ts'

/** One line of the log; `msg` is the sentence. */
export type LogLine = Readonly<Record<string, unknown>>

export interface HushgateProcess extends LoggedProcess {
  /** Resolves with the `count`th line of the JSON log whose sentence contains this. */
  logged(sentence: string, count?: number): Promise<LogLine>
  /** Resolves once standard output contains the text, `count` times. */
  printed(text: string, count?: number): Promise<void>
  /** Resolves with where it listens, once it does; a worker has no `notify`. */
  running(): Promise<{ readonly notify: string; readonly admin: string }>
}

export interface ProcessOptions {
  /** Where it runs. */
  readonly folder: string
  readonly stdin?: string
  /** The program; default: the sources. */
  readonly main?: string | undefined
  /** For Node itself, e.g. a module to be loaded first. */
  readonly nodeOptions?: readonly string[]
  /** A program and its options that run Node, e.g. a tracer. */
  readonly under?: readonly string[]
}

const MAIN = join(import.meta.dirname, '../../src/main.ts')

/** The process gets no environment: a proxy named in ours would be asked to reach loopback. */
export function startHushgate(args: readonly string[], options: ProcessOptions): HushgateProcess {
  const { folder, stdin = '', main = MAIN, nodeOptions = [], under = [] } = options
  const [program = '', ...rest] = [...under, process.execPath, ...nodeOptions, main, ...args]
  return follow(spawn(program, rest, { cwd: folder, env: {} }), stdin)
}

/** What is known of a process that runs Hushgate, or that prints what it prints (a container engine). */
export function follow(child: ChildProcessWithoutNullStreams, stdin = ''): HushgateProcess {
  const kept = keepLog(child, stdin)
  const logged: HushgateProcess['logged'] = (sentence, count = 1) =>
    kept.seen(sentence, () => logLines(kept.stdout()).filter(({ msg }) => String(msg).includes(sentence))[count - 1])
  return {
    ...kept,
    logged,
    async printed(text, count = 1) {
      await kept.seen(text, () => (kept.stdout().split(text).length > count ? true : undefined))
    },
    async running() {
      const { notify, admin } = await logged('Hushgate is running')
      return { notify: String(notify), admin: String(admin) }
    },
  }
}

/** Runs a command to its end. */
export function runHushgate(args: readonly string[], options: ProcessOptions): Promise<Ended> {
  return startHushgate(args, options).ended
}

/** The lines of JSON in a text. */
export function logLines(text: string): LogLine[] {
  return text.split('\n').flatMap((line): LogLine[] => (/^\{.*\}$/.test(line) ? [JSON.parse(line)] : []))
}

export interface FolderConfig {
  readonly appsYaml: string
  /** The `store` section as flow YAML; default: SQLite in the folder. */
  readonly store?: string | undefined
  /** Default: any free port. */
  readonly notifyPort?: number | undefined
  readonly adminPort?: number | undefined
  /** Further settings of the `queue` section, as flow YAML. */
  readonly queue?: string | undefined
  /** Further sections. */
  readonly settings?: string | undefined
}

export interface HushgateFolder extends AsyncDisposable {
  readonly path: string
  at(name: string): string
  write(name: string, text: string): Promise<void>
  /** Writes hushgate.yaml. */
  configure(config: FolderConfig): Promise<void>
}

/** A folder with the key and token files, and no configuration yet. */
export async function createHushgateFolder(): Promise<HushgateFolder> {
  const path = await mkdtemp(join(tmpdir(), 'hushgate-process-'))
  const at = (name: string): string => join(path, name)
  const write = (name: string, text: string): Promise<void> => writeFile(at(name), text, { mode: 0o600 })
  await write('keys', createKeyFile())
  await write('token', createToken())
  return {
    path,
    at,
    write,
    async configure(config) {
      // At once, so that a process which starts at this moment reads all of it.
      await write('hushgate.yaml.new', configText(config))
      await rename(at('hushgate.yaml.new'), at('hushgate.yaml'))
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  }
}

function configText({ appsYaml, store, notifyPort = 0, adminPort = 0, queue, settings = '' }: FolderConfig): string {
  return `http: { host: 127.0.0.1, port: ${notifyPort} }
admin: { host: 127.0.0.1, port: ${adminPort}, token_file: token }
store: ${store ?? '{ url: "sqlite:./hushgate.db" }'}
queue: { encryption_key_file: keys${queue === undefined ? '' : `, ${queue}`} }
${settings}
${appsYaml}`
}
