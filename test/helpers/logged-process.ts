/** A child process of any program: what it prints is kept and can be waited for, and it does not outlive the test run. For Hushgate: hushgate-process.ts. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { EventEmitter, once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'

export interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
}

export interface LoggedProcess extends AsyncDisposable {
  /** 0 where it could not be started. */
  readonly pid: number
  /** All that it has printed so far, on both streams as it came. */
  readonly log: () => string
  readonly stdout: () => string
  readonly ended: Promise<Ended>
  /**
   * Resolves with what `find` finds, which is asked again whenever more was printed; rejects with the end of the log when the process ends before, or
   * hangs. `what`: to be said then.
   */
  seen<T>(what: string, find: () => T | undefined): Promise<T>
  /** Resolves once `isReady` no longer rejects: for what shows in no log. Rejects as `seen` does. */
  ready(isReady: () => Promise<unknown>, timeoutMs?: number): Promise<void>
  /** It is sent before this returns. */
  signal(signal: NodeJS.Signals): void
  /** Sends the signal, if the process still runs, and resolves when it has ended. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

/** A hang, not a slow machine. */
const HANG_MS = 60_000
const POLL_MS = 50
const LOG_TAIL_LENGTH = 8000

/** The process gets no environment but this: a proxy named in ours would be asked to reach loopback. */
export function startLoggedProcess(
  command: string,
  args: readonly string[],
  cwd: string,
  env: NodeJS.ProcessEnv = {},
): LoggedProcess {
  return keepLog(spawn(command, args, { cwd, env }))
}

/** Of a process that was started some other way; it is given `stdin`, and no more. */
export function keepLog(child: ChildProcessWithoutNullStreams, stdin = ''): LoggedProcess {
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  child.stdin.on('error', () => {}) // it may end without reading
  child.stdin.end(stdin)
  const news = new EventEmitter().setMaxListeners(0)
  const text = { stdout: '', stderr: '', log: '' }
  let isOver = false
  for (const stream of ['stdout', 'stderr'] as const)
    child[stream].setEncoding('utf8').on('data', (chunk: string) => {
      text[stream] += chunk
      text.log += chunk
      news.emit('news')
    })
  const ended = once(child, 'close').then((): Ended => {
    process.off('exit', kill)
    isOver = true
    news.emit('news')
    return { code: child.exitCode, signal: child.signalCode, stdout: text.stdout, stderr: text.stderr }
  })
  const failure = (what: string, cause?: unknown): Error =>
    new Error(`${what}: this never came; the end of the log:\n${text.log.slice(-LOG_TAIL_LENGTH)}`, { cause })

  return {
    pid: child.pid ?? 0,
    log: () => text.log,
    stdout: () => text.stdout,
    ended,
    async seen(what, find) {
      const signal = AbortSignal.timeout(HANG_MS)
      for (;;) {
        const found = find()
        if (found !== undefined) return found
        if (isOver || signal.aborted) throw failure(what)
        await once(news, 'news', { signal }).catch(() => {})
      }
    },
    async ready(isReady, timeoutMs = HANG_MS) {
      const signal = AbortSignal.timeout(timeoutMs)
      for (;;)
        try {
          await isReady()
          return
        } catch (error) {
          if (isOver || signal.aborted) throw failure(`${child.spawnfile} is ready`, error)
          await delay(POLL_MS)
        }
    },
    signal: (signal) => void child.kill(signal),
    async end(signal) {
      child.kill(signal)
      await ended
    },
    async [Symbol.asyncDispose]() {
      kill()
      await ended
    },
  }
}
