/** A child process whose output is kept, and which does not outlive the test run. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { vi } from 'vitest'

export interface LoggedProcess {
  /** All that it has written so far. */
  readonly log: () => string
  /** Resolves once `isReady` no longer rejects; rejects with the end of the log when the process ends or the time is over before. */
  ready(isReady: () => Promise<unknown>, timeoutMs: number): Promise<void>
  /** Sends the signal, if the process still runs, and resolves when it has ended. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

const POLL_MS = 50
const LOG_TAIL_LENGTH = 8000

/** The process gets no environment: a proxy named in ours would be asked to reach loopback. */
export function startLoggedProcess(command: string, args: readonly string[], cwd: string): LoggedProcess {
  const child = spawn(command, args, { cwd, env: {}, stdio: ['ignore', 'pipe', 'pipe'] })
  let log = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text: string) => (log += text))
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  const ended = once(child, 'close').then(() => process.off('exit', kill))

  return {
    log: () => log,
    async ready(isReady, timeoutMs) {
      const endedEarly = ended.then(() => {
        throw new Error('it ended')
      })
      try {
        await Promise.race([vi.waitFor(isReady, { timeout: timeoutMs, interval: POLL_MS }), endedEarly])
      } catch (error) {
        throw new Error(`${command} is not ready; the end of its log:\n${log.slice(-LOG_TAIL_LENGTH)}`, {
          cause: error,
        })
      }
    },
    async end(signal) {
      child.kill(signal)
      await ended
    },
  }
}
