/** `hushgate serve`: the gateway as a process, until it is told to stop. */
import { setFlagsFromString } from 'node:v8'
import { appNames, type Config } from '../config/config.ts'
import { ConfigError } from '../config/config-error.ts'
import { openKeys } from '../config/keys.ts'
import { loadConfig } from '../config/load.ts'
import { watchFiles } from '../config/watch.ts'
import type { SourceReader } from '../config/yaml-source.ts'
import { openGateway, type Gateway } from '../gateway.ts'
import type { Role } from '../gateway-parts.ts'
import { LeapFreeClock } from '../core/leap-free-clock.ts'
import type { Log } from '../core/log.ts'
import { createLog, type LeveledLog } from '../log.ts'
import { openServedStore } from './open-configured-store.ts'
import { providers } from '../providers/index.ts'
import { prepareDataFolder } from './data-folder.ts'

export interface ServeOptions {
  readonly configPath: string
  /** For a file in another form than ours. */
  readonly readAs?: SourceReader | undefined
  readonly role: Role
  readonly env: Readonly<Record<string, string | undefined>>
  readonly version: string
  readonly stdout: NodeJS.WritableStream
  /** Resolves when the process is told to stop. */
  readonly stopRequested: Promise<string>
  /** Calls back, from now on, when the process is told to reload. */
  readonly onReloadRequested: (reload: () => void) => void
  readonly onStarted?: (gateway: Gateway) => void
}

/**
 * How V8 clears memory away, as measured under load (docs/performance.md):
 * - The old generation may grow over what is alive in it before it is collected: to double with SQLite, by three quarters with Redis, whose clients keep more alive.
 *   Left to itself V8 lets it triple on a large machine. So a gateway stays below 256 MB.
 * - The young generation is cleared by the thread that it belongs to. Helpers end it sooner where cores are idle, but cost a tenth of the CPU of a push.
 * - Each thread says how much young generation it needs (`resourceLimits`), and not what was said of the main one (bin/hushgate).
 */
const V8_FLAGS = ['--no-parallel-scavenge', '--max-semi-space-size=0']
const HEAP_GROWING_PERCENT = { sqlite: 100, redis: 75 } as const

/** Resolves when everything is closed. Rejects with a ConfigError before anything was started. */
export async function serve(options: ServeOptions): Promise<void> {
  for (const flag of V8_FLAGS) setFlagsFromString(flag)
  // Heard from the first to the last moment: a signal that nobody hears ends the process. What changes before the watch begins, the watch notices.
  let requestReload: (() => void) | undefined
  options.onReloadRequested(() => requestReload?.())
  const { configPath, readAs, env } = options
  const load = (): Promise<Config> => loadConfig({ path: configPath, env, kinds: providers, readAs })
  const config = await load()
  setFlagsFromString(`--heap-growing-percent=${HEAP_GROWING_PERCENT[config.store.kind]}`)
  refuseRole(config, options.role)
  await prepareDataFolder(config, env)
  const { keyring, adminToken, created } = await openKeys(config)
  const log = createLog(config.log, options.stdout)
  tellWarnings(config, log)
  for (const file of created) log.info('A key was made; keep this file with the database', { file })
  const { nowMs, follow: onTime } = createClock(log, config.store.kind)
  await using gateway = await openGateway(config, {
    role: options.role,
    version: options.version,
    kinds: providers,
    keyring,
    adminToken,
    log,
    openStore: () => openServedStore(config, keyring, log, { nowMs, onTime }),
    nowMs,
    systemMs: Date.now,
  })
  await using reloading = startReloading(config, load, gateway, log)
  requestReload = reloading.request
  log.info('Hushgate is running', {
    version: options.version,
    role: options.role,
    notify: gateway.notifyUrl,
    admin: gateway.adminUrl,
    apps: appNames(config).length,
    store: config.store.kind,
  })
  options.onStarted?.(gateway)
  log.info('Stopping: what is on its way is finished first', { signal: await options.stopRequested })
}

/**
 * What waits and what expires goes by this, so that a leap of the machine's clock neither expires nor delays anything. On Redis it follows the clock of Redis, as
 * all processes do that share it, and so also a leap back: a time that is ahead of the others would not come for as long.
 */
function createClock(log: Log, store: Config['store']['kind']): LeapFreeClock {
  const isShared = store === 'redis'
  return new LeapFreeClock({
    systemMs: Date.now,
    steadyMs: () => performance.now(),
    isBackFollowed: isShared,
    onLeap: (leapMs) =>
      log.error(
        `The clock of ${isShared ? 'Redis' : 'this machine'} has leapt. Is its time server in order? A leap ahead is believed when it has lasted ten minutes, one back ${isShared ? 'at once' : 'at the next start'}`,
        undefined,
        { seconds: Math.round(leapMs / 1000) },
      ),
    onSkew: (skewMs) =>
      log.error(
        'The clocks of this machine and of Redis differ. Are their time servers in order? What waits and what expires goes by that of Redis, credentials are signed by that of this machine',
        undefined,
        { seconds_ahead_of_redis: Math.round(skewMs / 1000) },
      ),
  })
}

function tellWarnings({ warnings }: Config, log: Log): void {
  for (const { message, path, line } of warnings) log.warn(message, { setting: path, line })
}

/** One process owns the SQLite file, so a role of its own would wait for a partner that cannot come. */
function refuseRole(config: Config, role: Role): void {
  if (config.store.kind === 'sqlite' && role !== 'all')
    throw new ConfigError([
      {
        path: 'store.url',
        file: config.file,
        message: `--role ${role} needs Redis: with SQLite there is one process, which does everything`,
      },
    ])
}

interface Reloading extends AsyncDisposable {
  readonly request: () => void
}

/** Reloads on request and on changed files, one at a time; what comes meanwhile leads to one more. */
function startReloading(initial: Config, load: () => Promise<Config>, gateway: Gateway, log: LeveledLog): Reloading {
  let running: Promise<void> | undefined
  let isAgain = false
  let isStopped = false
  const watcher = watchFiles(initial.files, () => request())

  async function reload(): Promise<void> {
    try {
      const next = await load()
      watcher.setFiles(next.files)
      const waiting = await gateway.reload(next)
      log.setLevel(next.log.level)
      log.info('The configuration was reloaded', { apps: appNames(next).length })
      tellWarnings(next, log)
      for (const setting of waiting) log.warn('This setting takes effect after a restart', { setting })
    } catch (error) {
      gateway.reloadFailed()
      if (!(error instanceof ConfigError))
        return log.error('The configuration could not be reloaded; the old one stays in use', error)
      if (error.files.size > 0) watcher.setFiles(error.files)
      log.error('The new configuration is refused; the old one stays in use', undefined, { mistakes: error.message })
    }
  }
  async function run(): Promise<void> {
    do {
      isAgain = false
      await reload()
    } while (isAgain)
    running = undefined
  }
  function request(): void {
    if (isStopped) return
    isAgain = true
    running ??= run()
  }
  return {
    request,
    async [Symbol.asyncDispose]() {
      isStopped = true
      await watcher.close()
      await running
    },
  }
}
