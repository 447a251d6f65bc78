/** The ports of the demonstration's gateway. */
import { randomInt } from 'node:crypto'
import { PortInUseError } from '../../listen.ts'

export interface Ports {
  readonly http: number
  readonly admin: number
}

/** As in the documents, where nobody else has them. */
const USUAL: Ports = { http: 5000, admin: 5001 }
const ATTEMPTS = 20

/**
 * Starts with the usual ports, and where somebody has one of them with any other in its place. Nothing is asked before it is tried: a port that is free when it is
 * asked about may be somebody else's when it is used.
 */
export async function onFreePorts<T>(start: (ports: Ports) => Promise<T>): Promise<T> {
  let ports = USUAL
  for (let attempt = 1; ; attempt++) {
    try {
      return await start(ports)
    } catch (error) {
      if (!(error instanceof PortInUseError) || attempt === ATTEMPTS) throw error
      // Below those that Linux gives to outgoing connections.
      ports = { ...ports, [error.section]: randomInt(10_000, 30_000) }
    }
  }
}
