/** `hushgate check`: every mistake in the configuration, and with `--online` what each push service says to our credentials. */
import { ConfigError, formatMistake } from '../config/config-error.ts'
import { appNames, type Config, type RouteConfig } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import type { ProviderKinds } from '../config/schema.ts'
import type { Environment, SourceReader } from '../config/yaml-source.ts'
import type { CheckResult, Dial } from '../core/provider.ts'
import { createDial } from '../network/dial.ts'

const PROBE_TIMEOUT_MS = 15_000

export interface CheckOptions {
  readonly path: string
  readonly env?: Environment | undefined
  /** For a file in another form than ours. */
  readonly readAs?: SourceReader | undefined
  readonly kinds: ProviderKinds
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream
  readonly online: boolean
  /** Asks one route's push service; the default opens the app's sender. */
  readonly probe?: ((route: RouteConfig) => Promise<CheckResult>) | undefined
}

/** Resolves with the exit code: 0 when nothing is wrong. */
export async function check(options: CheckOptions): Promise<number> {
  const { path, env, readAs, kinds, stdout, stderr, online } = options
  let config: Config
  try {
    config = await loadConfig({ path, kinds, env, readAs })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    for (const mistake of error.mistakes) stderr.write(`${formatMistake(mistake)}\n`)
    return 1
  }
  const { routes, warnings } = config
  for (const warning of warnings) stderr.write(`${formatMistake(warning)}\n`)
  const count = appNames(config).length
  stdout.write(`configuration is valid: ${count} ${count === 1 ? 'app' : 'apps'}\n`)
  if (!online) return 0

  const dial = createDial(config.proxy)
  const probe = options.probe ?? ((route) => probeSender(route, kinds, dial, stderr))
  const results = await Promise.all(routes.map(probe))
  for (const [index, { name }] of routes.entries()) {
    const result = results[index]
    stdout.write(`${name}: ${result?.ok === false ? result.reason : 'accepted'}\n`)
  }
  return results.every(({ ok }) => ok) ? 0 : 1
}

async function probeSender(
  route: RouteConfig,
  kinds: ProviderKinds,
  dial: Dial,
  stderr: NodeJS.WritableStream,
): Promise<CheckResult> {
  const kind = kinds[route.provider]
  if (kind === undefined) return { ok: false, reason: `no push service is called ${route.provider}` }
  const warn = (message: string): void => void stderr.write(`${route.name}: ${message}\n`)
  const sender = await kind.open(route.options, { app: route.app, nowMs: Date.now, dial, concurrency: 1, warn })
  try {
    return await sender.check(AbortSignal.timeout(PROBE_TIMEOUT_MS))
  } finally {
    await sender.close()
  }
}
