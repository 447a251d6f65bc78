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
  /** Of the one with the Redis; undefined where the move is given up. */
  readonly to: string | undefined
  readonly isJson: boolean
  readonly stdout: NodeJS.WritableStream
}

/** Resolves with the exit code. */
export async function move({ path, readAs, env, to, isJson, stdout }: MoveOptions): Promise<number> {
  const source = await loadConfig({ path, env, readAs, kinds: providers })
  if (to === undefined) return giveUp(source, stdout)
  const target = await loadConfig({ path: to, env, kinds: providers })
  const [fromKeys, toKeys] = [await openKeys(source), await openKeys(target)]
  await refuseWrong(source, target, fromKeys.keyring, toKeys.keyring)
  const moved = await moveBetween(source, target, fromKeys.keyring, toKeys.keyring)
  if (isJson) writeJson(stdout, moved)
  else write(moved, to, stdout)
  return moved.unreadable === 0 ? DONE : NEEDS_YOU
}

async function giveUp(source: Config, stdout: NodeJS.WritableStream): Promise<number> {
  using from = await openDeparture(source, (await openKeys(source)).keyring)
  stdout.write(
    giveUpMove(from)
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

async function moveBetween(source: Config, target: Config, from: Keyring, keyring: Keyring): Promise<Moved> {
  if (target.store.kind !== 'redis') throw new OperatorError('a move goes to Redis')
  using departure = await openDeparture(source, from)
  await using to = await openForArrival(target.store, { keyring, nowMs: Date.now, onError: () => {} })
  try {
    return await moveStore({ from: departure, to, nowMs: Date.now })
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

function write({ deliveries, deadLetters, facts, unreadable }: Moved, to: string, stdout: NodeJS.WritableStream): void {
  stdout.write(
    `Moved: ${deliveries} deliveries that wait, ${deadLetters} that were given up, ${facts} remembered facts\n`,
  )
  if (unreadable > 0)
    stdout.write(
      `→ ${unreadable} cannot be opened, because their key is not in the key file; they stay in the SQLite file\n`,
    )
  stdout.write(`→ Run the gateway with ${to} from now on. The SQLite file holds nothing any more: delete it\n`)
}
