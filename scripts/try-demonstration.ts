/** The demonstration as somebody meets it who pastes a command: until a notification has reached all three simulated push services. */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'

const { stdout } = process
const DEADLINE_MS = 10 * 60_000
/** From the README to the first push: what the README promises. */
const PROMISED_MS = 5 * 60_000

export interface Attempt {
  /** For people. */
  readonly name: string
  /** The program and its arguments that run this command in a shell of the machine which is tried. */
  readonly inShell: (command: string) => readonly [program: string, args: readonly string[]]
  readonly command: string
}

/** Shows what it prints. Resolves when it has ended at Ctrl-C; rejects when a push did not arrive in time. */
export async function tryDemonstration({ name, inShell, command }: Attempt): Promise<void> {
  stdout.write(`\n${name}\n`)
  const startMs = Date.now()
  const demonstration = spawn(...inShell(command), { stdio: ['ignore', 'pipe', 'inherit'], detached: true })
  const ended = once(demonstration, 'close')
  let printed = ''
  const printing = (async () => {
    for await (const text of demonstration.stdout.setEncoding('utf8')) {
      stdout.write(String(text))
      printed += String(text)
      demonstration.emit('printed')
    }
  })()
  // Whatever happens, and also when this script is told to stop, nothing of it goes on.
  const kill = (signal: NodeJS.Signals): void => {
    if (demonstration.pid !== undefined && demonstration.exitCode === null) process.kill(-demonstration.pid, signal)
  }
  const killAll = (): void => kill('SIGKILL')
  process.once('exit', killAll)
  const signal = AbortSignal.timeout(DEADLINE_MS)
  const untilPrinted = async (...texts: readonly string[]): Promise<void> => {
    while (!texts.every((text) => printed.includes(text)))
      await Promise.race([
        once(demonstration, 'printed', { signal }),
        ended.then(() => Promise.reject(new Error(`${name} ended`))),
      ])
  }
  let arrivedMs: number
  try {
    await untilPrinted('Stop: Ctrl-C')
    const [, line = ''] = /^Without curl:\n\n(.*)$/m.exec(printed) ?? []
    const pasted = spawnSync(...inShell(line), { encoding: 'utf8' })
    const answer = pasted.stdout.trim()
    if (answer !== '{"rejected":[]}') throw new Error(`The line that was printed was answered with ${answer}`)
    await untilPrinted('Apple received', 'Google received', 'Browser received')
    arrivedMs = Date.now()
    // As Ctrl-C does: to all that run in that terminal.
    kill('SIGINT')
    await Promise.race([ended, once(demonstration, 'never', { signal })])
  } finally {
    killAll()
    process.off('exit', killAll)
  }
  await ended
  await printing
  const tookMs = arrivedMs - startMs
  stdout.write(`${name}: the first push arrived ${Math.round(tookMs / 1000)} s after it was pasted\n`)
  if (tookMs > PROMISED_MS) throw new Error(`${name} took longer than five minutes`)
}
