/** Whether deliveries can be stored in this Redis, and whether Redis keeps them. */
import type { StoreHealth } from '../contract.ts'
import { isReady, type Client } from './connection.ts'
import type { Writer } from './writer.ts'

export interface HealthOptions {
  /** The writer's. */
  readonly commands: Client
  readonly work: Client
  readonly writer: Writer
  /** Any key of the store: tells a Redis Cluster which node is meant. */
  readonly probeKey: string
  /** Persistence that is off, or not known to be on, makes the store unfit. */
  readonly requirePersistence: boolean
  readonly onError: (message: string) => void
}

interface Settings {
  /** Undefined: Redis does not tell. */
  readonly evictionPolicy: string | undefined
  readonly hasAppendOnlyFile: boolean | undefined
}

/**
 * Room that new deliveries must not take. A Redis at its `maxmemory` hands out nothing either, because it refuses the commands with which BullMQ moves a job.
 * So a backlog that has filled it could never be sent.
 */
const RESERVED_BYTES = 16 * 1024 * 1024
const RESERVED_SHARE = 0.1
const NEARLY_FULL = 'Redis is full but for the room that is needed to empty the queue (maxmemory)'

const TICK_MS = 1000
const TICKS_PER_CHECK = 30

export class Health {
  readonly #options: HealthOptions
  readonly #timer: NodeJS.Timeout
  readonly #onReady = (): void => void this.check()
  #settings: Settings | undefined
  #hasRoom = true
  #checking: Promise<void> | undefined
  #wasWritable = true
  #ticks = 0

  constructor(options: HealthOptions) {
    this.#options = options
    this.#timer = setInterval(() => void this.#tick(), TICK_MS).unref()
    options.commands.on('ready', this.#onReady)
  }

  current(): StoreHealth {
    const { commands, writer, requirePersistence } = this.#options
    const settings = this.#settings
    return {
      writable: isReady(commands) && writer.lastFailure === undefined && this.#hasRoom,
      dangers: settings === undefined ? [] : dangersOf(settings),
      fit: settings === undefined || isFit(settings, requirePersistence),
    }
  }

  /** Never rejects: what Redis does not answer stays as it was. */
  check(): Promise<void> {
    this.#checking ??= this.#check().finally(() => (this.#checking = undefined))
    return this.#checking
  }

  async #check(): Promise<void> {
    const { work, writer, probeKey } = this.#options
    await writer.probe()
    if (!isReady(work)) return
    try {
      const replies = await work.pipeline().exists(probeKey).info('memory').info('persistence').exec()
      const [, memory, persistence] = (replies ?? []).map(([error, reply]) => (error === null ? String(reply) : ''))
      const appendOnly = fieldOf(persistence, 'aof_enabled')
      this.#hasRoom = hasRoom(memory)
      this.#settings = {
        evictionPolicy: fieldOf(memory, 'maxmemory_policy'),
        hasAppendOnlyFile: appendOnly === undefined ? undefined : appendOnly === '1',
      }
    } catch {
      // Redis went away meanwhile. `writable` says so.
    }
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#options.commands.off('ready', this.#onReady)
  }

  async #tick(): Promise<void> {
    const { writer, onError } = this.#options
    this.#ticks += 1
    if (this.#ticks % TICKS_PER_CHECK === 0) await this.check()
    // Perhaps nobody adds any more, because the store is not writable. So only a write of ours can show that it is again.
    else {
      if (writer.lastFailure !== undefined) await writer.probe()
      await this.#measure()
    }
    const { writable } = this.current()
    if (this.#wasWritable && !writable)
      onError(
        `nothing can be stored: ${writer.lastFailure?.message ?? (this.#hasRoom ? 'Redis is not connected' : NEARLY_FULL)}`,
      )
    this.#wasWritable = writable
  }

  async #measure(): Promise<void> {
    const { work, probeKey } = this.#options
    if (!isReady(work)) return
    try {
      const [, [error, memory] = []] = (await work.pipeline().exists(probeKey).info('memory').exec()) ?? []
      this.#hasRoom = hasRoom(error === null ? String(memory) : undefined)
    } catch {
      // As in `check`.
    }
  }
}

function dangersOf({ evictionPolicy, hasAppendOnlyFile }: Settings): string[] {
  const dangers: string[] = []
  if (evictionPolicy === undefined)
    dangers.push(
      'Redis does not say whether it may evict what is stored (INFO memory); set maxmemory-policy noeviction.',
    )
  else if (evictionPolicy !== 'noeviction')
    dangers.push(`Redis may evict what is stored (maxmemory-policy ${evictionPolicy}); set it to noeviction.`)
  if (hasAppendOnlyFile === undefined)
    dangers.push('Redis does not say whether it writes to its disk (INFO persistence); set appendonly yes.')
  else if (!hasAppendOnlyFile)
    dangers.push('Redis loses what is stored when it ends (appendonly no); set appendonly yes.')
  return dangers
}

function isFit({ evictionPolicy, hasAppendOnlyFile }: Settings, requirePersistence: boolean): boolean {
  const mayEvict = evictionPolicy !== undefined && evictionPolicy !== 'noeviction'
  return !mayEvict && (hasAppendOnlyFile === true || !requirePersistence)
}

/** True where Redis does not tell, or has no limit. */
function hasRoom(memory: string | undefined): boolean {
  const used = Number(fieldOf(memory, 'used_memory') ?? 0)
  const most = Number(fieldOf(memory, 'maxmemory') ?? 0)
  return most === 0 || used < most - Math.min(RESERVED_BYTES, most * RESERVED_SHARE)
}

function fieldOf(info: string | undefined, name: string): string | undefined {
  const line = info?.split('\r\n').find((candidate) => candidate.startsWith(`${name}:`))
  return line?.slice(name.length + 1)
}
