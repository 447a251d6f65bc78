/** The push server of the tests: a real ntfy, where the environment variable HUSHGATE_NTFY names its program; else what stands in for it. */
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { startLoggedProcess, type LoggedProcess } from './logged-process.ts'
import { startStandIn } from './ntfy-stand-in.ts'
import type { StartPushServer } from './push-server.ts'

const START_MS = 20_000
const PROGRAM = process.env['HUSHGATE_NTFY']

/** Without `upstream-base-url` it knows no other server. */
function startNtfy(program: string): StartPushServer {
  return async ({ url, port, folder, settings }) => {
    if (!existsSync(program)) throw new Error(`HUSHGATE_NTFY is to be the path of an ntfy, and ${program} is not there`)
    const inner = `127.0.0.1:${port}`
    const settingsFile = join(folder, 'server.yml')
    const own = { 'base-url': url, 'listen-http': inner, 'cache-file': join(folder, 'cache.db'), 'log-level': 'debug' }
    const lines = Object.entries(own).map(([name, value]) => `${name}: "${value}"`)
    await writeFile(settingsFile, `${lines.join('\n')}\nbehind-proxy: true\n${settings}\n`)
    let ntfy: LoggedProcess
    const start = async (): Promise<void> => {
      ntfy = startLoggedProcess(program, ['serve', '--config', settingsFile], folder)
      await ntfy.ready(() => fetch(`http://${inner}/v1/health`), START_MS)
    }
    const kill = (): Promise<void> => ntfy.end('SIGKILL')
    await start()
    return { start, kill, [Symbol.asyncDispose]: kill }
  }
}

export const NTFY =
  PROGRAM === undefined
    ? { name: 'what stands in for ntfy', start: startStandIn }
    : { name: 'a real ntfy', start: startNtfy(PROGRAM) }
