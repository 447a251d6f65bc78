/** Whether deliveries can be stored in this Redis, and whether Redis keeps them. */
import type { StoreHealth } from '../contract.ts'
import { NOT_CONNECTED } from './call-redis.ts'
import { isReady, masterOf, mastersOf, type Client } from './connection.ts'
import { fieldOf, infoOf, type Section } from './info.ts'
import type { MasterConditions, Trouble } from './master-conditions.ts'
import type { ReplicasInStep } from './replicas-in-step.ts'
import { slotOf } from './slot.ts'
import { timeAt } from './store-time.ts'
import type { Writer } from './writer.ts'

export interface HealthOptions {
  /** The writer's. */
  readonly commands: Client
  readonly work: Client
  readonly writer: Writer
  readonly conditions: MasterConditions
  /** Undefined where the operator says how many replicas have to confirm. */
  readonly replicas: ReplicasInStep | undefined
  /** Of the gateway: what time it is says the master on which it lies. */
  readonly probeKey: string
  readonly onTime: (timeMs: number) => void
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

const TICK_MS = 1000
const TICKS_PER_CHECK = 30

export class Health {
  readonly #options: HealthOptions
  readonly #timer: NodeJS.Timeout
  readonly #onReady = (): void => void this.check()
  /** How much of its room is in use, from 0 to 1, of each master that has answered. */
  readonly #fills = new Map<string, number>()
  /** Of each master that has answered. */
  readonly #settings = new Map<string, Settings>()
  /** How many replicas have to confirm, of each master, as it was when it was last looked at. */
  readonly #acks = new Map<string, number>()
  #checking: Promise<void> | undefined
  #told: Trouble | undefined
  #toldDangers: readonly string[] = []
  #ticks = 0
  #isTimeKnown = false

  constructor(options: HealthOptions) {
    this.#options = options
    this.#timer = setInterval(() => void this.#tick(), TICK_MS).unref()
    options.commands.on('ready', this.#onReady)
  }

  current(): StoreHealth {
    const settings = [...this.#settings.values()]
    const trouble = this.#trouble()
    return {
      writable: trouble?.isEverywhere !== true,
      trouble: trouble?.reason,
      dangers: this.#dangers(),
      fit: settings.every((each) => isFit(each, this.#options.requirePersistence)),
      fill: Math.max(0, ...this.#fills.values()),
    }
  }

  #dangers(): string[] {
    return [...new Set([...this.#settings.values()].flatMap(dangersOf))]
  }

  /** Never rejects: what Redis does not answer stays as it was. */
  check(): Promise<void> {
    this.#checking ??= this.#check().finally(() => (this.#checking = undefined))
    return this.#checking
  }

  async #check(): Promise<void> {
    // The replicas first: how many have to confirm decides whether anything can be written.
    await this.#askForReplicas()
    await this.#options.writer.probe()
    await Promise.all([this.#ask('memory', 'persistence'), this.#askForTime()])
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#options.commands.off('ready', this.#onReady)
  }

  async #tick(): Promise<void> {
    const { writer, conditions } = this.#options
    this.#ticks += 1
    if (this.#ticks % TICKS_PER_CHECK === 0) await this.check()
    // Perhaps nobody adds any more, because the store is not writable. So only a write of ours can show that it is again.
    else {
      await this.#askForReplicas()
      if (conditions.failures.size > 0) await writer.probe()
      await this.#ask('memory')
      if (!this.#isTimeKnown) await this.#askForTime()
    }
    this.#tell()
  }

  /** Once, until all is well again or it becomes another. */
  #tell(): void {
    const dangers = this.#dangers()
    for (const danger of dangers) if (!this.#toldDangers.includes(danger)) this.#options.onError(danger)
    this.#toldDangers = dangers
    const trouble = this.#trouble()
    const isToldAnew = trouble !== undefined && trouble.isEverywhere !== this.#told?.isEverywhere
    this.#told = trouble
    if (isToldAnew)
      this.#options.onError(
        `${trouble.isEverywhere ? 'nothing' : 'of some apps nothing'} can be stored: ${trouble.reason}`,
      )
  }

  #trouble(): Trouble | undefined {
    const { commands, conditions } = this.#options
    if (!isReady(commands)) return { reason: NOT_CONNECTED, isEverywhere: true }
    return conditions.troubleOf(mastersOf(commands).keys())
  }

  /** On the connection that writes: another may have found the new master before or after it. Never rejects. */
  async #askForReplicas(): Promise<void> {
    const { commands, replicas, onError } = this.#options
    if (replicas === undefined || !isReady(commands)) return
    const masters = mastersOf(commands)
    replicas.keep(masters)
    await Promise.all(
      [...masters].map(async ([master, node]) => {
        const info = await infoOf(node, 'replication').catch(() => undefined)
        replicas.told(master, info, performance.now())
        const acks = replicas.acksFor(master, performance.now())
        if (acks < (this.#acks.get(master) ?? 0))
          onError(`Redis has fewer replicas than before: from now on a push is accepted when ${acks} of them has it`)
        this.#acks.set(master, acks)
      }),
    )
  }

  /** Of one master, so that it is the same clock for all processes. Never rejects. */
  async #askForTime(): Promise<void> {
    const { work, probeKey, onTime } = this.#options
    if (!isReady(work)) return
    const node = mastersOf(work).get(masterOf(work, slotOf(probeKey)))
    const timeMs = node === undefined ? undefined : await timeAt(node).catch(() => undefined)
    if (timeMs === undefined) return
    this.#isTimeKnown = true
    onTime(timeMs)
  }

  /** Asks each master for the sections of INFO, and keeps what was known of one that does not answer. Never rejects. */
  async #ask(...sections: readonly Section[]): Promise<void> {
    const { work, conditions } = this.#options
    if (!isReady(work)) return
    const masters = mastersOf(work)
    for (const known of [this.#settings, this.#fills])
      for (const master of known.keys()) if (!masters.has(master)) known.delete(master)
    await Promise.all(
      [...masters].map(async ([master, node]) => {
        const infos = await Promise.all(sections.map((section) => infoOf(node, section))).catch(() => undefined)
        if (infos === undefined) return
        const [memory, persistence] = infos
        const fill = fillIn(memory)
        this.#fills.set(master, fill)
        conditions.measured(master, fill < 1)
        if (sections.includes('persistence')) this.#settings.set(master, settingsIn(memory, persistence))
      }),
    )
  }
}

export function settingsIn(memory: string | undefined, persistence: string | undefined): Settings {
  const appendOnly = fieldOf(persistence, 'aof_enabled')
  return {
    evictionPolicy: fieldOf(memory, 'maxmemory_policy'),
    hasAppendOnlyFile: appendOnly === undefined ? undefined : appendOnly === '1',
  }
}

export function dangersOf({ evictionPolicy, hasAppendOnlyFile }: Settings): string[] {
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

/** How much of what new deliveries may take is in use, from 0 to 1; 0 where Redis does not tell, or has no limit. */
export function fillIn(memory: string | undefined): number {
  const used = Number(fieldOf(memory, 'used_memory') ?? 0)
  const most = Number(fieldOf(memory, 'maxmemory') ?? 0)
  if (most === 0) return 0
  return Math.min(1, used / (most - Math.min(RESERVED_BYTES, most * RESERVED_SHARE)))
}
