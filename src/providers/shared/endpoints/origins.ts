/**
 * The connections to each push service. Strangers name these, so what is kept of those that are not in use is bounded: what was used longest ago goes
 * first.
 */
import type { Target } from '../connections/connect.ts'
import type { ConnectionRules } from '../connections/connection.ts'
import { Connections } from '../connections/connections.ts'
import { openConnection } from '../connections/open-connection.ts'

const RULES: ConnectionRules = {
  protocols: ['h2', 'http/1.1'],
  // The status says all that counts; the rest is read for the sake of the connection, which serves again.
  reading: { isEnough: () => true, maxBytes: 64 * 1024, takesPart: true },
  connectMs: 4000,
  pingEveryMs: 25_000,
  pingMs: 5000,
  // Push services keep idle connections for about a minute.
  idleMs: 55_000,
  isStranger: true,
}
/** To all push services together. More there are only while all of them are in use. */
const MAX_CONNECTIONS = 200
const MAX_ORIGINS = 1000

export class Origins {
  readonly #maxConnections: number
  /** By origin, the one that was used last at the end. */
  readonly #origins = new Map<string, Connections>()

  /** `maxConnections`: to one push service. */
  constructor(maxConnections: number) {
    this.#maxConnections = maxConnections
  }

  /** `target`: asked when there are no connections to this origin. */
  of(origin: string, target: () => Target): Connections {
    const connections = this.#origins.get(origin) ?? this.#connectionsTo(target())
    this.#origins.delete(origin)
    this.#origins.set(origin, connections)
    return connections
  }

  async close(): Promise<void> {
    await Promise.all([...this.#origins.values()].map((connections) => connections.close()))
  }

  #connectionsTo(target: Target): Connections {
    const open = (): ReturnType<typeof openConnection> => {
      this.#tidy()
      return openConnection(target, RULES)
    }
    return new Connections(open, { maxConnections: this.#maxConnections })
  }

  /** Before another connection is opened. */
  #tidy(): void {
    let connections = 0
    for (const { size } of this.#origins.values()) connections += size
    for (const [origin, one] of this.#origins) {
      if (connections < MAX_CONNECTIONS && this.#origins.size <= MAX_ORIGINS) return
      connections -= one.closeIdle()
      if (!one.isInUse) this.#origins.delete(origin)
    }
  }
}
