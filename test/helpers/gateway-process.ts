/** A whole gateway as its own process, which nothing in the test can hold up, in one call: with its admin port and its commands (hushgate-process.ts). */
import { readFile } from 'node:fs/promises'
import { freePort } from './free-port.ts'
import { createHushgateFolder, runHushgate, startHushgate, type FolderConfig } from './hushgate-process.ts'

export interface GatewayProcess {
  /** Its working directory. */
  readonly folder: string
  readonly url: string
  /** Text of an answer of the admin port, asked with the token. */
  admin(path: string): Promise<string>
  /** What a command prints on both streams, run beside the gateway with the same configuration; rejects when it fails. */
  command(...args: readonly string[]): Promise<string>
  /** Has it read its configuration again, with these settings of the `queue` section beside what it had. */
  reload(queue: string): Promise<void>
  /** Ends it as an operator does; resolves with all that it printed, at level trace, on both streams. */
  stop(): Promise<string>
  /** Also deletes the folder. */
  close(): Promise<void>
}

export interface GatewayProcessOptions {
  /** The section, default SQLite in the folder. */
  readonly store?: object | undefined
  /** Further sections. */
  readonly settings?: string | undefined
  /** For Node itself. */
  readonly nodeOptions?: readonly string[] | undefined
}

export async function startGatewayProcess(
  apps: object,
  { store, settings = '', nodeOptions = [] }: GatewayProcessOptions = {},
): Promise<GatewayProcess> {
  const folder = await createHushgateFolder()
  const config: FolderConfig = {
    appsYaml: `apps: ${JSON.stringify(apps)}`,
    store: store === undefined ? undefined : JSON.stringify(store),
    // Commands find the gateway by the port in the configuration.
    adminPort: await freePort(),
    settings: `log: { level: trace }\n${settings}`,
  }
  await folder.configure(config)
  const process = startHushgate(['serve'], { folder: folder.path, nodeOptions })
  const { notify: url, admin: adminUrl } = await process.running()
  const token = (await readFile(folder.at('token'), 'utf8')).trim()
  return {
    folder: folder.path,
    url,
    async admin(path) {
      const response = await fetch(adminUrl + path, { headers: { authorization: `Bearer ${token}` } })
      return response.text()
    },
    async command(...args) {
      const { code, stdout, stderr } = await runHushgate(args, { folder: folder.path })
      if (code !== 0) throw new Error(`hushgate ${args.join(' ')} failed:\n${stdout}${stderr}`)
      return stdout + stderr
    },
    async reload(queue) {
      await folder.configure({ ...config, queue })
      process.signal('SIGHUP')
      await process.logged('The configuration was reloaded')
    },
    async stop() {
      process.signal('SIGTERM')
      const { code, signal, stdout, stderr } = await process.ended
      if (code !== 0) throw new Error(`the gateway ended with ${code ?? signal}:\n${stderr}`)
      return stdout + stderr
    },
    async close() {
      await process[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
    },
  }
}
