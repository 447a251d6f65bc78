/** Which masters of Redis take no new deliveries: what lies on the others of a Cluster goes on. Masters have the names of connection.ts. */
import { StoreUnavailableError } from '../../core/errors.ts'

const NEARLY_FULL = 'Redis is full but for the room that is needed to empty the queue (maxmemory)'

export interface Failure {
  /** Why the last write to a master failed. */
  readonly error: StoreUnavailableError
  /** A key that lies there: to learn whether it can be written to again. */
  readonly key: string
}

export interface Trouble {
  readonly reason: string
  /** No master takes anything. */
  readonly isEverywhere: boolean
}

export class MasterConditions {
  readonly #failures = new Map<string, Failure>()
  /** Those that hold deliveries. */
  readonly #used = new Set<string>()
  readonly #full = new Set<string>()

  /** Why nothing new may be stored on a master; undefined when it may be tried. */
  refusalOf(master: string): StoreUnavailableError | undefined {
    return this.#full.has(master) ? new StoreUnavailableError(NEARLY_FULL) : undefined
  }

  /** Deliveries are stored there: from now on it counts. */
  use(master: string): void {
    this.#used.add(master)
  }

  wrote(master: string): void {
    this.#failures.delete(master)
  }

  failed(master: string, failure: Failure): void {
    this.#failures.set(master, failure)
  }

  measured(master: string, hasRoom: boolean): void {
    if (hasRoom) this.#full.delete(master)
    else this.#full.add(master)
  }

  get failures(): ReadonlyMap<string, Failure> {
    return this.#failures
  }

  /** Of the masters that there are and that hold deliveries: why those take nothing that take nothing, and whether others do. */
  troubleOf(masters: Iterable<string>): Trouble | undefined {
    const all = [...masters]
    const used = all.filter((master) => this.#used.has(master))
    const concerned = used.length === 0 ? all : used
    const reasons = concerned.flatMap(
      (master) => this.#failures.get(master)?.error.message ?? this.refusalOf(master)?.message ?? [],
    )
    const [reason] = reasons
    return reason === undefined ? undefined : { reason, isEverywhere: reasons.length === concerned.length }
  }
}
