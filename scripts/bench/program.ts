/** One process of Hushgate, as it is installed. */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { LAUNCH_OPTIONS } from '../launch-options.ts'

export interface Program {
  readonly pid: number
  /** Addresses of its ports. */
  readonly notify: string
  readonly admin: string
  kill(): Promise<void>
}

const MAX_KEPT_LINES = 100

/** `main`: what `npm run build` has made. Resolves when it listens. */
export async function startProgram(main: string, folder: string): Promise<Program> {
  const { nodeArguments, environment } = LAUNCH_OPTIONS
  // No environment but this: a proxy that is named in ours would be asked to reach loopback.
  const child = spawn(process.execPath, [...nodeArguments, main, 'serve'], {
    cwd: folder,
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const killNow = (): void => void child.kill('SIGKILL')
  process.once('exit', killNow)
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const lines: string[] = []
  const running = await new Promise<{ readonly notify: string; readonly admin: string }>((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      if (lines.length < MAX_KEPT_LINES) lines.push(line)
      if (line.includes('Hushgate is running')) resolve(JSON.parse(line))
    })
    child.once('exit', () => reject(new Error(`${main} ended:\n${lines.join('\n')}`)))
  })
  return {
    pid: child.pid ?? 0,
    notify: running.notify,
    admin: running.admin,
    async kill() {
      process.off('exit', killNow)
      killNow()
      await ended
    },
  }
}
