/** `hushgate check`: every mistake in the configuration, and with `--online` what each push service says to our credentials, and what is wrong with the store. */
import { ConfigError, formatMistake } from '../config/config-error.ts'
import { appNames, type Config, type RouteConfig } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import type { ProviderKinds } from '../config/schema.ts'
import type { Environment, SourceReader } from '../config/yaml-source.ts'
import type { CheckResult, Dial } from '../core/provider.ts'
import { createDial } from '../network/dial.ts'
import { checkStore } from '../store/check.ts'
import { adviceOn } from './explain-refusal.ts'
import { writeJson } from './output.ts'

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
  readonly isJson?: boolean | undefined
  /** Asks one route's push service; the default opens the app's sender. */
  readonly probe?: ((route: RouteConfig) => Promise<CheckResult>) | undefined
}

/** Resolves with the exit code: 0 when nothing is wrong. */
export async function check(options: CheckOptions): Promise<number> {
  const { path, env, readAs, kinds, stdout, stderr, online, isJson = false } = options
  let config: Config
  try {
    config = await loadConfig({ path, kinds, env, readAs })
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    if (isJson) writeJson(stdout, { valid: false, mistakes: error.mistakes, warnings: [] })
    else for (const mistake of error.mistakes) stderr.write(`${formatMistake(mistake)}\n`)
    return 1
  }
  const { routes, warnings } = config
  const report = { valid: true, mistakes: [], warnings }
  const count = appNames(config).length
  if (!isJson) {
    for (const warning of warnings) stderr.write(`${formatMistake(warning)}\n`)
    stdout.write(`configuration is valid: ${count} ${count === 1 ? 'app' : 'apps'}\n`)
  } else if (!online) writeJson(stdout, report)
  if (!online) return 0

  const dial = createDial(config.proxy)
  const probe = options.probe ?? ((route) => probeSender(route, kinds, dial, stderr))
  const [faults, results] = await Promise.all([
    checkStore(config.store, Date.now()),
    Promise.all(routes.map(async (route) => ({ route, result: await probe(route) }))),
  ])
  if (isJson) writeJson(stdout, { ...report, store: { ok: faults.length === 0, faults }, apps: results.map(shown) })
  else {
    stdout.write(
      faults.length === 0 ? 'store: nothing is wrong\n' : faults.map((fault) => `store: ${fault}\n`).join(''),
    )
    for (const { route, result } of results) stdout.write(`${route.name}: ${sentenceOn(result)}\n`)
  }
  return faults.length === 0 && results.every(({ result }) => result.ok) ? 0 : 1
}

interface Probed {
  readonly route: RouteConfig
  readonly result: CheckResult
}

function shown({ route, result }: Probed): object {
  return {
    app: route.app,
    provider: route.provider,
    ...result,
    ...(result.ok ? {} : { advice: adviceOn(result.reason) ?? null }),
  }
}

/** A reason is a word of the push service, or a code: beside it stands what can be done. */
function sentenceOn(result: CheckResult): string {
  if (result.ok) return 'accepted'
  const advice = adviceOn(result.reason)
  return advice === undefined ? result.reason : `${result.reason}: ${advice}`
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
