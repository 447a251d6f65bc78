/** What the demonstration prints for people to paste. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

export interface DemonstrationLines {
  readonly curl: string
  /** For a machine without curl. */
  readonly node: string
}

export function linesToPaste(printed: string): DemonstrationLines {
  const [curl = ''] = /^curl .*$/m.exec(printed) ?? []
  const [, node = ''] = /^Without curl:\n\n(.*)$/m.exec(printed) ?? []
  return { curl, node }
}

/** As pasted into a terminal; dash knows nothing that POSIX does not. Resolves with what is answered. */
export async function paste(line: string, shell: 'dash' | 'bash'): Promise<string> {
  const env = { PATH: process.env['PATH'], no_proxy: '*' }
  return (await promisify(execFile)(shell, ['-c', line], { env })).stdout.trim()
}
