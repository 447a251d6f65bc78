/** Has a server of ours listen; what is in the way of that is the operator's to mend. */
import type { Config } from './config/config.ts'
import { ConfigError, type Mistake } from './config/config-error.ts'
import { codeOf } from './core/error-code.ts'

export type ListeningSection = 'http' | 'admin'

/** Another program has the port that this section of the configuration names. */
export class PortInUseError extends ConfigError {
  readonly section: ListeningSection

  constructor(section: ListeningSection, mistake: Mistake) {
    super([mistake])
    this.section = section
  }
}

/** Resolves with its URL; rejects with a ConfigError. */
export async function listen(
  server: { listen(where: { readonly host: string; readonly port: number }): Promise<string> },
  section: ListeningSection,
  config: Config,
): Promise<string> {
  const { host, port } = config[section]
  try {
    return await server.listen({ host, port })
  } catch (error) {
    const code = codeOf(error)
    const where = { path: `${section}.port`, file: config.file }
    if (code === 'EADDRINUSE')
      throw new PortInUseError(section, { ...where, message: `port ${port} of ${host} is in use by another program` })
    throw new ConfigError([{ ...where, message: `port ${port} of ${host} cannot be listened on (${code})` }])
  }
}
