/** The process: the command line, signals and exit codes. */
import { EventEmitter } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { Command, Option } from 'commander'
import type { Config } from './config/config.ts'
import { ConfigError } from './config/config-error.ts'
import { loadConfig } from './config/load.ts'
import { EXAMPLES, type Example } from './commands/example-notifications.ts'
import { readAll, readGiven } from './commands/input.ts'
import { addSimulateCommand } from './simulate-command.ts'
import {
  CONFIG_HERE,
  CONFIG_OF_MACHINE,
  isConfigured,
  namedBy,
  sourceOf,
  type Source,
  type SourceOptions,
} from './commands/source.ts'
import { describeError, describeUncaught } from './log.ts'
import { providers } from './providers/index.ts'
import { addOperatorCommands, oneOf } from './operator-commands.ts'
import { OperatorError } from './operator/operator.ts'
import type { Role } from './gateway-parts.ts'
import { codeOf } from './core/error-code.ts'

const { stdin, stdout, stderr, env } = process

/** These go on after whoever read their output is gone; the others end with it. */
const RUNNING = ['serve', 'start', 'simulate']
const RENDER_WAITS = `This waits for the body of a notify request; end it with Ctrl-D. Without one at hand: hushgate render --example message
`

const program = new Command('hushgate')
  .description('A Matrix push gateway that you run yourself.')
  .version(readVersion())
  .option(
    '-c, --config <file>',
    `the configuration (HUSHGATE_CONFIG), default ${CONFIG_HERE} here, else ${CONFIG_OF_MACHINE}`,
  )
  .option('--sygnal <file>', 'a Sygnal configuration (SYGNAL_CONF), used as it is')
  .option('--store <url>', 'with --sygnal: the store (HUSHGATE_STORE_URL), default SQLite in the folder data')
  .option(
    '--encryption-key-file <file>',
    'with --sygnal and Redis: the keys of the store (HUSHGATE_ENCRYPTION_KEY_FILE)',
  )
  .configureOutput({ writeOut: (text) => void stdout.write(text), writeErr: (text) => void stderr.write(text) })

program
  .command('serve')
  .description('run the gateway')
  .addOption(new Option('--role <role>', 'what this process does').choices(['all', 'http', 'worker']).default('all'))
  .action(({ role }: { role: Role }) => runGateway(role, source()))

program
  .command('start', { isDefault: true })
  .description('run the gateway, or, where there is no configuration, a demonstration')
  // Being the default, it is given what is no command.
  .allowExcessArguments()
  .action(async (_options, { args: [unknown] }: Command) => {
    if (unknown !== undefined) program.error(`error: unknown command '${unknown}'`)
    const options = program.opts<SourceOptions>()
    const { config = CONFIG_HERE, sygnal } = namedBy(options, env)
    if (sygnal !== undefined) return runGateway('all', source())
    if (existsSync(config)) return runGateway('all', sourceOf({ ...options, config }, env))
    const { demonstrate } = await import('./commands/demonstrate.ts')
    const folder = 'data/demonstration'
    return demonstrate({ folder, env, version: readVersion(), stdout, stopRequested: stopRequested() })
  })

program
  .command('check')
  .description('read the configuration and report every mistake')
  .option('--online', 'also ask each push service with a harmless probe, and look at the store')
  .option('--json', 'as JSON')
  .action(async (options: { online?: boolean; json?: boolean }) => {
    const { check } = await import('./commands/check.ts')
    const { configPath: path, readAs, env: environment } = source()
    process.exitCode = await check({
      path,
      readAs,
      env: environment,
      kinds: providers,
      stdout,
      stderr,
      online: options.online === true,
      isJson: options.json === true,
    })
  })

program
  .command('render')
  .description(
    'show what each party would see of one notification (the body of a notify request, on standard input or in a file)',
  )
  .argument('[file]', 'a file with the body', '-')
  .addOption(new Option('--example <what>', 'instead of a file: an example, for each configured app').choices(EXAMPLES))
  .option('--json', 'print it for programs')
  .action(async (file: string, { example, json: isJson }: { example?: Example; json?: boolean }) => {
    const { render } = await import('./commands/render.ts')
    const body = example ?? (file === '-' ? await readAll(stdin, () => stderr.write(RENDER_WAITS)) : readGiven(file))
    const show = (config: Config): Promise<number> =>
      render({ config, kinds: providers, body, isJson, stdout, nowMs: Date.now() })
    const isExample = example !== undefined && !isConfigured(program.opts(), env)
    process.exitCode = isExample ? await showExample(show) : await show(await load())
  })

program
  .command('import')
  .description(
    'turn a sygnal.yaml into a hushgate.yaml with the same meaning, and print it; comments say what to look at',
  )
  .argument('<file>', 'the sygnal.yaml')
  .action(async (path: string) => {
    const { importSygnal } = await import('./commands/import.ts')
    process.exitCode = await importSygnal({ path, workingDirectory: process.cwd(), env, stdout })
  })

program
  .command('schema')
  .description('print the JSON Schema of the configuration')
  .action(async () => {
    const { schema } = await import('./commands/schema.ts')
    process.exitCode = schema({ kinds: providers, stdout })
  })

program
  .command('keygen')
  .description(
    'print a new key: the key file of the store, one more encryption key for that file, a token for the admin port, or the VAPID key of a Web Push app',
  )
  .argument('<what>', 'store, encryption, token or vapid', oneOf('store', 'encryption', 'token', 'vapid'))
  .action(async (what: string) => {
    const { keygen } = await import('./commands/keygen.ts')
    process.exitCode = keygen({ what, stdout, stderr })
  })

addOperatorCommands(program, source)

program
  .command('health')
  .description('ask the running gateway whether it is alive; the exit code is 0 or 1')
  .option('--ready', 'whether it can accept pushes')
  .action(async (options: { ready?: boolean }) => {
    const { health } = await import('./commands/health.ts')
    const { configPath: path, readAs, env: environment } = source()
    process.exitCode = await health({
      path,
      readAs,
      env: environment,
      isReadinessAsked: options.ready === true,
      stdout,
    })
  })

addSimulateCommand(program, stdout, stopRequested)

describeUncaught(process)
program.hook('preAction', (_program, action) => {
  // `| head` has read what it wanted.
  if (!RUNNING.includes(action.name()))
    stdout.on('error', (error) => (codeOf(error) === 'EPIPE' ? process.exit() : undefined))
})

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = 1
  if (error instanceof ConfigError) stderr.write(`The configuration is refused:\n${error.message}\n`)
  else if (error instanceof OperatorError) stderr.write(`${error.message}\n`)
  else stderr.write(`It failed: ${JSON.stringify(describeError(error))}\n`)
}

/** Not with the configuration of the machine, unless it is named: that has a service of its own. */
async function runGateway(role: Role, from: Source): Promise<void> {
  // Heard before anything is loaded: a signal that nobody hears ends the process. The configuration is read after that, so nothing is missed.
  const reloads = new EventEmitter()
  process.on('SIGHUP', () => reloads.emit('reload'))
  const stop = stopRequested()
  const { serve } = await import('./commands/serve.ts')
  const version = readVersion()
  await serve({
    ...from,
    role,
    version,
    stdout,
    stopRequested: stop,
    onReloadRequested: (reload) => reloads.on('reload', reload),
  })
}

function source(): Source {
  return sourceOf(program.opts<SourceOptions>(), env)
}

function load(): Promise<Config> {
  const { configPath: path, readAs, env: environment } = source()
  return loadConfig({ path, env: environment, kinds: providers, readAs })
}

async function showExample(show: (config: Config) => Promise<number>): Promise<number> {
  stderr.write('There is no configuration here: these are three apps as they are when nothing else is set.\n')
  const { withExampleConfig } = await import('./commands/demonstration/example-config.ts')
  return withExampleConfig(providers, show)
}

/** Resolves with the first signal that asks to stop; a second one ends the process at once. */
function stopRequested(): Promise<string> {
  return new Promise((resolve) => {
    let isAsked = false
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        if (isAsked) process.exit(130)
        isAsked = true
        resolve(signal)
      })
    }
  })
}

function readVersion(): string {
  const manifest: unknown = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
  return typeof manifest === 'object' && manifest !== null && 'version' in manifest
    ? String(manifest.version)
    : 'unknown'
}
