/** The command line of what an operator asks and changes (src/operator). */
import { InvalidArgumentError, Option, type Command } from 'commander'
import { readAll } from './commands/input.ts'
import type { OperatorAccess } from './commands/operator-access.ts'
import type { Source } from './commands/source.ts'
import { OperatorError, type DeadLetterFilter } from './operator/operator.ts'
import { providers } from './providers/index.ts'

const { stdin, stdout, stderr } = process

interface JsonOption {
  readonly json?: boolean
}

interface DeviceOptions extends JsonOption {
  readonly app?: string
  readonly data?: string
}

interface DeadOptions extends JsonOption, DeadLetterFilter {
  readonly all?: boolean
  readonly dryRun?: boolean
}

interface OperatorWork {
  readonly access: OperatorAccess
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream
}

/** `source`: which configuration is meant. */
export function addOperatorCommands(program: Command, source: () => Source): void {
  const work = (): Promise<OperatorWork> => operatorWork(source())
  addQuestions(program, work)
  addDeviceCommands(program, work)
  addChanges(program, work)
  addMove(program, source)
}

type Work = () => Promise<OperatorWork>

function addQuestions(program: Command, work: Work): void {
  program
    .command('status')
    .description('show how each app of the running gateway does, and what needs you')
    .option('--json', 'as JSON')
    .action(async ({ json }: JsonOption) => {
      const { status } = await import('./commands/status.ts')
      process.exitCode = await status({ isJson: json === true, ...(await work()) })
    })

  program
    .command('apps')
    .description('list app_ids that homeservers push to and that are not configured')
    .argument('<what>', 'unknown', oneOf('unknown'))
    .option('--json', 'as JSON')
    .action(async (_what: 'unknown', { json }: JsonOption) => {
      const { unknownApps } = await import('./commands/status.ts')
      process.exitCode = await unknownApps({ isJson: json === true, ...(await work()) })
    })
}

function addDeviceCommands(program: Command, work: Work): void {
  program
    .command('find')
    .description(
      'show what is known of a device, and what to do; its pushkey is read from standard input, unless the device of a log line is given',
    )
    .argument(
      '[device]',
      'the device of a log line: 8 hex digits (never a pushkey: it would stay in the history of the shell)',
    )
    .option('--app <app_id>', 'the app_id of its pusher')
    .option('--data <json>', "the pusher's data, as the homeserver has it")
    .option('--json', 'as JSON')
    .action(async (device: string | undefined, { app: appId, data, json }: DeviceOptions) => {
      const { find, LOGGED_DEVICE } = await import('./commands/find.ts')
      if (device !== undefined && !LOGGED_DEVICE.test(device))
        throw new OperatorError('A device has 8 hex digits in the log; write a pushkey to standard input')
      const given = device ?? (await readLine())
      process.exitCode = await find({ given, appId, data, isJson: json === true, ...(await work()) })
    })

  program
    .command('send')
    .description(
      'send a test push to a device and show what its push service answers; the pushkey is read from standard input',
    )
    .requiredOption('--app <app_id>', 'the app_id of its pusher')
    .option('--data <json>', "the pusher's data, as the homeserver has it (Web Push needs it)")
    .option('--json', 'as JSON')
    .action(async ({ app: appId, data, json }: DeviceOptions & { app: string }) => {
      const { send } = await import('./commands/send.ts')
      const pushkey = await readLine()
      process.exitCode = await send({ appId, pushkey, data, isJson: json === true, ...(await work()) })
    })

  program
    .command('forget')
    .description('forget what is held about a device; its pushkey is read from standard input unless it is given')
    .requiredOption('--app <app_id>', 'the app_id of its pusher')
    .option('--pushkey <pushkey>', 'the pushkey (it then stays in the history of the shell)')
    .option('--data <json>', "the pusher's data, as the homeserver has it")
    .option('--json', 'as JSON')
    .action(async ({ app: appId, pushkey: given, data, json }: DeviceOptions & { app: string; pushkey?: string }) => {
      const { forget } = await import('./commands/forget.ts')
      const pushkey = given ?? (await readLine())
      await forget({ appId, pushkey, data, isJson: json === true, ...(await work()) })
    })
}

function addChanges(program: Command, work: Work): void {
  program
    .command('dead')
    .description('list, retry or drop deliveries that were given up')
    .argument('<action>', 'list, retry or drop', oneOf('list', 'retry', 'drop'))
    .option('--app <name>', 'only of this app')
    .option('--id <id>', 'only this one')
    .option('--reason <reason>', 'only those given up for this reason')
    .option('--all', 'all of them: retry and drop need it, or one of the above')
    .option('--dry-run', 'only say how many it would be')
    .option('--json', 'as JSON')
    .action(async (action: 'list' | 'retry' | 'drop', { all, dryRun, json, ...filter }: DeadOptions) => {
      const { dead } = await import('./commands/dead.ts')
      const how = { isAllMeant: all === true, isDryRun: dryRun === true, isJson: json === true }
      await dead({ action, filter, ...how, ...(await work()) })
    })

  program
    .command('rejections')
    .description(
      'list the apps whose rejections are held back because most of their pushkeys were called dead at once, or decide on one app',
    )
    .argument('<app>', 'the configured name of the app, or list')
    .addOption(new Option('--confirm', 'they are dead: tell the homeservers').conflicts('discard'))
    .option('--discard', 'they were called dead by mistake: forget it')
    .option('--json', 'as JSON')
    .action(async (app: string, { confirm, discard, json }: JsonOption & { confirm?: boolean; discard?: boolean }) => {
      const { listRejections, rejections } = await import('./commands/rejections.ts')
      const isReleased = confirm === true || discard === true
      const isJson = json === true
      if (app === 'list' && !isReleased) return listRejections({ isJson, ...(await work()) })
      if (!isReleased) throw new OperatorError('Say --confirm or --discard')
      return rejections({ app, verdict: confirm === true ? 'confirm' : 'discard', isJson, ...(await work()) })
    })
}

function addMove(program: Command, source: () => Source): void {
  program
    .command('move')
    .description('move all that is stored from the SQLite file of this configuration into the Redis of another')
    .option('--to <file>', 'the configuration with the Redis')
    .option('--give-up', 'let the gateway run on the SQLite file again, after a move that was not finished')
    .option('--json', 'as JSON')
    .action(async ({ to, giveUp, json }: JsonOption & { to?: string; giveUp?: boolean }) => {
      const { move } = await import('./commands/move.ts')
      const { configPath: path, readAs, env } = source()
      process.exitCode = await move({
        path,
        readAs,
        env,
        to,
        isGivenUp: giveUp === true,
        isJson: json === true,
        stdout,
      })
    })
}

/** What the commands share that ask or change a running gateway, or its store. */
async function operatorWork({ configPath: path, readAs, env }: Source): Promise<OperatorWork> {
  const { openAccess } = await import('./commands/operator-access.ts')
  return { access: await openAccess({ path, env, kinds: providers, readAs }), stdout, stderr }
}

/** What is given on standard input, as a whole. A person who types it is told how to end it. */
async function readLine(): Promise<string> {
  if (stdin.isTTY) stderr.write('The pushkey, and then Enter and Ctrl-D:\n')
  return Buffer.from(await readAll(stdin))
    .toString()
    .trim()
}

export function oneOf<const Choice extends string>(...choices: readonly Choice[]): (value: string) => Choice {
  return (value) => {
    const choice = choices.find((each) => each === value)
    if (choice === undefined) throw new InvalidArgumentError(`It is one of: ${choices.join(', ')}`)
    return choice
  }
}
