/** Waits until replicas have what was written (WAIT), on each master for itself. */
import { StoreUnavailableError } from '../../core/errors.ts'
import type { Client } from './connection.ts'

/** Twice this is less than STORE_TIMEOUT_MS: Redis serves a connection again only when the WAIT before is over. */
const REPLICA_TIMEOUT_MS = 400
/** Twice this is less than PATIENCE_MS. */
export const PATIENT_REPLICA_TIMEOUT_MS = 12_000

/** The WAIT that was sent last to a master. The next one is for all writes since. */
interface Waits {
  last: Promise<void>
  next: Promise<void> | undefined
}

export class ReplicaWaits {
  readonly #client: Client
  readonly #acksFor: (master: string) => number
  readonly #timeoutMs: number
  readonly #byMaster = new Map<string, Waits>()

  /** `client`: the one that writes, as WAIT is about the writes of its own connection. `acksFor`: how many replicas have to confirm what is written to a master. */
  constructor(client: Client, acksFor: (master: string) => number, timeoutMs = REPLICA_TIMEOUT_MS) {
    this.#client = client
    this.#timeoutMs = timeoutMs
    this.#acksFor = acksFor
  }

  /** Rejects with StoreUnavailableError when too few replicas have confirmed in time. `key`: any that lies on that master. */
  confirm(master: string, key: string): Promise<void> {
    if (this.#acksFor(master) === 0) return Promise.resolve()
    const waits = this.#byMaster.get(master) ?? { last: Promise.resolve(), next: undefined }
    this.#byMaster.set(master, waits)
    waits.next ??= waits.last
      .catch(() => {})
      .then(() => {
        waits.next = undefined
        waits.last = this.#send(master, key)
        return waits.last
      })
    return waits.next
  }

  /** In a Redis Cluster the pipeline goes to the node of its key. */
  async #send(master: string, key: string): Promise<void> {
    const acks = this.#acksFor(master)
    const replies = await this.#client.pipeline().exists(key).wait(acks, this.#timeoutMs).exec()
    const [error, replicas] = replies?.[1] ?? []
    if (error instanceof Error) throw error
    if (typeof replicas !== 'number' || replicas < acks)
      throw new StoreUnavailableError('too few replicas of Redis confirmed the write')
  }
}
