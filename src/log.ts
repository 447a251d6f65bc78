/**
 * The logger, and the only import of pino. What it must never print: a request body, a pushkey, a Matrix ID, a message, an error object of an SDK
 * (they carry tokens). So it takes sentences and a few named facts, and of an error only its name, code and where it was thrown.
 */
import { pino, type DestinationStream, type Logger } from 'pino'
import type { Log, LogFacts } from './core/log.ts'

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal'

export interface LogOptions {
  readonly level: LogLevel
  readonly format: 'json' | 'text'
}

export interface LeveledLog extends Log {
  /** From the next line on. */
  setLevel(level: LogLevel): void
}

export function createLog(options: LogOptions, output: NodeJS.WritableStream): LeveledLog {
  const destination: DestinationStream = {
    write: (line) => void output.write(options.format === 'json' ? line : textLine(line)),
  }
  const logger: Logger = pino(
    {
      level: options.level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    destination,
  )
  return {
    debug: (message, facts) => {
      if (logger.isLevelEnabled('debug')) logger.debug(facts?.() ?? {}, message)
    },
    info: (message, facts) => logger.info(facts ?? {}, message),
    warn: (message, facts) => logger.warn(facts ?? {}, message),
    error: (message, error, facts) => logger.error({ ...facts, ...describeError(error) }, message),
    setLevel: (level) => {
      logger.level = level
    },
  }
}

/** `at name (file:line:column)`, or without a name. */
const FRAME = /^\s+at (?:[^()]+ (?:\[as [^\]]+\] )?\()?[^()\s]+:\d+:\d+\)?$/

/** An error without its message: messages of other people's code quote what they were given. */
export function describeError(error: unknown): LogFacts {
  if (error === undefined) return {}
  if (!(error instanceof Error)) return { error: typeof error }
  const code =
    'code' in error && typeof error.code === 'string' && /^[A-Z][A-Z0-9_]{1,40}$/.test(error.code)
      ? error.code
      : undefined
  return { error: nameOf(error), code, at: placeOf(error) }
}

/** A name is a word, also one that other people's code has set. */
function nameOf({ name }: Error): string {
  return /^[A-Za-z]\w{0,60}$/.test(name) ? name : 'Error'
}

/** Undefined where the message in the stack is not the message any more: then a line of it may look like a frame. */
function placeOf({ stack = '', message }: Error): string | undefined {
  const start = stack.indexOf(message)
  if (start < 0) return undefined
  const frame = stack
    .slice(start + message.length)
    .split('\n')
    .find((line) => FRAME.test(line))
  return frame
    ?.trim()
    .replace(/^at /, '')
    .replace(/\(?(?:file:\/\/)?\/.*\/(src|dist|node_modules)\//, '($1/')
}

function textLine(line: string): string {
  const { level, time, msg, ...facts }: Record<string, unknown> = JSON.parse(line)
  const words = Object.entries(facts).map(
    ([name, value]) => `${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`,
  )
  return `${[time, String(level).toUpperCase().padEnd(5), msg, ...words].join(' ')}\n`
}

/** EX_SOFTWARE of sysexits.h. */
const EXIT_CODE = 70

/** What nobody caught, and what Node.js warns of, is described, never printed: errors of other people's code quote what they were given. */
export function describeUncaught(process: NodeJS.Process): void {
  const write = (level: 'fatal' | 'warn', msg: string, error: unknown): void =>
    void process.stderr.write(
      `${JSON.stringify({ level, time: new Date().toISOString(), msg, ...describeError(error) })}\n`,
    )
  for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(event, (error: unknown) => {
      write('fatal', 'The process ends after an error that nobody caught', error)
      process.exit(EXIT_CODE)
    })
  }
  // Node's own listener prints the message.
  process.removeAllListeners('warning')
  process.on('warning', (warning) => write('warn', 'Node.js warns', warning))
}
