/** Has a server of ours listen; what is in the way of that is the operator's to mend. */
import type { Config } from './config/config.ts'
import { ConfigError } from './config/config-error.ts'
import { codeOf } from './core/error-code.ts'

/** Resolves with its URL; rejects with a ConfigError. */
export async function listen(
  server: { listen(where: { readonly host: string; readonly port: number }): Promise<string> },
  section: 'http' | 'admin',
  config: Config,
): Promise<string> {
  const { host, port } = config[section]
  try {
    return await server.listen({ host, port })
  } catch (error) {
    const code = codeOf(error)
    const reason = code === 'EADDRINUSE' ? 'is in use by another program' : `cannot be listened on (${code})`
    throw new ConfigError([
      { path: `${section}.port`, file: config.file, message: `port ${port} of ${host} ${reason}` },
    ])
  }
}
