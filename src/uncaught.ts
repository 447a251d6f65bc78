/** What nobody caught, and what Node.js warns of, is described, never printed: errors of other people's code quote what they were given. */
import { describeError } from './log.ts'

/** EX_SOFTWARE of sysexits.h. */
const EXIT_CODE = 70

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
