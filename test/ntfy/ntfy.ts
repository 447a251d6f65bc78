/** A real ntfy on loopback, whose program the environment variable HUSHGATE_NTFY names. It asks nobody: without `upstream-base-url` it knows no other server. */
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startLoggedProcess, type LoggedProcess } from '../helpers/logged-process.ts'
import type { StartPushServer } from '../helpers/push-server.ts'

const START_MS = 20_000

export const startNtfy: StartPushServer = async ({ url, port, folder }) => {
  const program = process.env['HUSHGATE_NTFY'] ?? ''
  if (!existsSync(program)) throw new Error('Set HUSHGATE_NTFY to the path of an ntfy (https://docs.ntfy.sh/install)')
  const inner = `http://127.0.0.1:${port}`
  const settings = {
    'base-url': url,
    'listen-http': `127.0.0.1:${port}`,
    'cache-file': join(folder, 'cache.db'),
    'behind-proxy': true,
    // How often a test looks would count against what an address may ask, and the gateway's address is the same.
    'visitor-request-limit-exempt-hosts': '127.0.0.1',
    'log-level': 'debug',
  }
  const settingsFile = join(folder, 'server.yml')
  await writeFile(settingsFile, JSON.stringify(settings))
  let ntfy: LoggedProcess
  const start = async (): Promise<void> => {
    ntfy = startLoggedProcess(program, ['serve', '--config', settingsFile], folder)
    await ntfy.ready(() => fetch(`${inner}/v1/health`), START_MS)
  }
  const kill = (): Promise<void> => ntfy.end('SIGKILL')
  await start()
  return {
    async messages(topic) {
      const answer = await fetch(`${inner}/${topic}/json?poll=1`)
      if (!answer.ok) throw new Error(`ntfy answered ${answer.status} to a subscriber`)
      const lines = (await answer.text()).split('\n').filter(Boolean)
      return lines.map((line) => {
        const { message }: { message: string } = JSON.parse(line)
        return message
      })
    },
    start,
    kill,
    [Symbol.asyncDispose]: kill,
  }
}
