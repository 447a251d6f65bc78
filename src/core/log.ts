/** The log as the rest of the house sees it: sentences and a few named facts. */
export interface Log {
  /** `facts` is asked only where the level is written: there are such lines for each push. */
  debug(message: string, facts?: () => LogFacts): void
  info(message: string, facts?: LogFacts): void
  warn(message: string, facts?: LogFacts): void
  /** `error` is described, never printed. */
  error(message: string, error?: unknown, facts?: LogFacts): void
}

/** Names from the configuration, vocabulary of the push services, numbers, and shortened keyed hashes. */
export type LogFacts = Readonly<Record<string, string | number | boolean | undefined>>
