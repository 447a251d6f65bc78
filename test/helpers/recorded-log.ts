/** A log that a test can read. */
import type { Log, LogFacts } from '../../src/core/log.ts'

export interface LogEntry {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly message: string
  readonly facts: LogFacts
  readonly error?: unknown
}

export class RecordedLog implements Log {
  readonly entries: LogEntry[] = []

  debug(message: string, facts: () => LogFacts = () => ({})): void {
    this.entries.push({ level: 'debug', message, facts: facts() })
  }

  info(message: string, facts: LogFacts = {}): void {
    this.entries.push({ level: 'info', message, facts })
  }

  warn(message: string, facts: LogFacts = {}): void {
    this.entries.push({ level: 'warn', message, facts })
  }

  error(message: string, error?: unknown, facts: LogFacts = {}): void {
    this.entries.push({ level: 'error', message, facts, error })
  }

  /** What was said at this level. */
  messages(level: LogEntry['level']): readonly string[] {
    return this.entries.filter((entry) => entry.level === level).map(({ message }) => message)
  }
}
