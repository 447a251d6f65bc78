/** `hushgate move`: all that is stored goes from the SQLite file of one configuration into the Redis of another. No gateway may run on either. */
import type { Config } from '../config/config.ts'
import { openKeys } from '../config/keys.ts'
import { loadConfig } from '../config/load.ts'
import type { Environment, SourceReader } from '../config/yaml-source.ts'
import { StoreRefusedError, StoreUnavailableError } from '../core/errors.ts'
import type { Keyring } from '../core/keyring.ts'
import { giveUpMove, moveStore, type Moved } from '../operator/move-store.ts'
import { OperatorError } from '../operator/operator.ts'
import { providers } from '../providers/index.ts'
import { checkStore } from '../store/check.ts'
import type { Departure } from '../store/move.ts'
import { openForArrival, openForDeparture } from '../store/open.ts'
import { adminUrl } from './admin-url.ts'
import { DONE, NEEDS_YOU, writeJson } from './output.ts'
import { lifeAt } from './with-operator.ts'

export interface MoveOptions {
  /** Of the configuration with the SQLite file. */
  readonly path: string
  readonly readAs?: SourceReader | undefined
  readonly env: Environment
  /** Of the one with the Redis. Where the move is given up: undefined, or that in which nothing of it is left. */
  readonly to: string | undefined
  readonly isGivenUp: boolean
  readonly isJson: boolean
  readonly stdout: NodeJS.WritableStream
}

/** Resolves with the exit code. */
export async function move({ path, readAs, env, to, isGivenUp, isJson, stdout }: MoveOptions): Promise<number> {
  const source = await loadConfig({ path, env, readAs, kinds: providers })
  const target = to === undefined ? undefined : await loadConfig({ path: to, env, kinds: providers })
  if (isGivenUp) return giveUp(source, target, stdout)
  if (target === undefined) throw new OperatorError('Say --to FILE, or --give-up')
  const [fromKeys, toKeys] = [await openKeys(source), await openKeys(target)]
  await refuseWrong(source, target, fromKeys.keyring, toKeys.keyring)
  const moved = await moveBetween(source, target, fromKeys.keyring, toKeys.keyring)
  if (isJson) writeJson(stdout, moved)
  else write(moved, target.file, stdout)
  return moved.unreadable === 0 && moved.unconfigured.length === 0 ? DONE : NEEDS_YOU
}

async function giveUp(source: Config, target: Config | undefined, stdout: NodeJS.WritableStream): Promise<number> {
  await using stack = new AsyncDisposableStack()
  const from = stack.use(await openDeparture(source, (await openKeys(source)).keyring))
  const to = target && stack.use(await openTarget(target, (await openKeys(target)).keyring))
  stdout.write(
    (await ifRedisAnswers(() => giveUpMove(from, to?.arrival)))
      ? 'The move is given up, and the gateway can run on the file again. Redis has a part of it: take another store.prefix for the next move, or delete the keys of this one\n'
      : 'No move was begun\n',
  )
  return DONE
}

/** Rejects with an OperatorError before anything is changed. */
async function refuseWrong(source: Config, target: Config, from: Keyring, to: Keyring): Promise<void> {
  if (source.store.kind !== 'sqlite')
    throw new OperatorError(`${source.file} has no SQLite store: a move goes from SQLite to Redis`)
  if (target.store.kind !== 'redis')
    throw new OperatorError(`${target.file} has no Redis: a move goes from SQLite to Redis`)
  if (from.hash('move') !== to.hash('move'))
    throw new OperatorError(
      `${target.file} names other keys than ${source.file}, so nothing that is remembered would be found: queue.encryption_key_file has to be ${source.queue.encryptionKeyFile.path} or a copy of it`,
    )
  for (const { admin } of [source, target])
    if ((await lifeAt(adminUrl(admin))) !== 'none')
      throw new OperatorError(`A gateway runs and answers at ${adminUrl(admin)}: stop it first`)
  const faults = await checkStore(target.store, Date.now())
  if (faults.length > 0)
    throw new OperatorError(`Nothing is moved until this is mended:\n${faults.map((fault) => `- ${fault}`).join('\n')}`)
}

interface MovedBetween extends Moved {
  /** Names of apps, as in the file, of which pushes waited in it, and which the configuration with the Redis has not. */
  readonly unconfigured: readonly string[]
}

async function moveBetween(source: Config, target: Config, keyring: Keyring, toKeys: Keyring): Promise<MovedBetween> {
  await using stack = new AsyncDisposableStack()
  const from = stack.use(await openDeparture(source, keyring))
  const { arrival: to } = stack.use(await openTarget(target, toKeys))
  const configured = new Set(target.routes.map(({ name }) => name))
  const unconfigured = from.routes().filter((route) => !configured.has(route))
  const shards = target.store.kind === 'redis' ? [...target.store.shards].toSorted(([a], [b]) => (a < b ? -1 : 1)) : []
  const setUp = { keys: keyring.openingHash, shards: keyring.hash('shards', JSON.stringify(shards)) }
  const moved = await ifRedisAnswers(() => moveStore({ from, to, setUp, nowMs: Date.now }))
  return { ...moved, unconfigured }
}

async function openTarget({ store, file }: Config, keyring: Keyring): ReturnType<typeof openForArrival> {
  if (store.kind !== 'redis') throw new OperatorError(`${file} has no Redis: a move goes from SQLite to Redis`)
  return openForArrival(store, { keyring, nowMs: Date.now, onError: () => {} })
}

async function ifRedisAnswers<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (error) {
    if (!(error instanceof StoreUnavailableError)) throw error
    throw new OperatorError(`It is not finished: ${error.message}. Nothing is lost; run the same command again`)
  }
}

async function openDeparture({ store, file }: Config, keyring: Keyring): Promise<Departure> {
  if (store.kind !== 'sqlite') throw new OperatorError(`${file} has no SQLite store`)
  try {
    return await openForDeparture(store, keyring, Date.now)
  } catch (error) {
    if (error instanceof StoreRefusedError) throw new OperatorError(error.message)
    throw error
  }
}

function write(moved: MovedBetween, to: string, stdout: NodeJS.WritableStream): void {
  const { deliveries, deadLetters, facts, unreadable, unconfigured } = moved
  stdout.write(
    `Moved: ${deliveries} deliveries that wait, ${deadLetters} that were given up, ${facts} remembered facts\n`,
  )
  if (unconfigured.length > 0)
    stdout.write(
      `→ ${to} does not have ${unconfigured.join(', ')}: what waits for that is sent when it has, until it expires\n`,
    )
  if (unreadable > 0)
    stdout.write(
      `→ ${unreadable} cannot be opened, because their key is not in the key file; they stay in the SQLite file. Put that key there and run the same command again, or keep the file\n`,
    )
  const rest = unreadable > 0 ? '' : '. The SQLite file holds nothing any more: delete it'
  stdout.write(`→ Run the gateway with ${to} from now on${rest}\n`)
}
