/** A simulated APNs: strict as the real service, and answering as the device token says (script.ts) or as a fault is set. */
import { once } from 'node:events'
import { createSecureServer } from 'node:http2'
import { listen, portOf, startFront } from './apns-front.ts'
import { ApnsSimulation, type ApnsBehaviour, type ApnsFault, type ReceivedApnsPush } from './apns-simulation.ts'
import type { Authority } from './certificate.ts'

export type { ApnsFault, ReceivedApnsPush }

export interface ApnsSimulatorOptions extends ApnsBehaviour {
  readonly authority: Authority
  readonly host?: string | undefined
  readonly port?: number | undefined
}

export interface ApnsSimulator {
  readonly port: number
  /** For an app's `endpoint`. */
  readonly url: string
  readonly received: readonly ReceivedApnsPush[]
  /** Connections accepted so far. */
  readonly connections: number
  setFault(fault: ApnsFault | undefined): void
  /** Until it is called again every push is answered by this script (script.ts), whatever its token says: `s503.a2`. */
  answerAll(options: string | undefined): void
  /** So many GOAWAY frames on every connection of now; what is in flight is still answered. */
  goaway(frames: number): void
  /** The connections of now stay open, and nothing passes any more; new ones work. */
  freeze(): void
  /** The connections of now are reset. */
  reset(): void
  close(): Promise<void>
}

export async function startApnsSimulator(options: ApnsSimulatorOptions): Promise<ApnsSimulator> {
  const { authority, host = '127.0.0.1' } = options
  const hosts = ['localhost', '127.0.0.1', '::1', 'api.push.apple.com', 'api.sandbox.push.apple.com', host]
  const server = createSecureServer({
    ...authority.issue({ commonName: 'api.push.apple.com', hosts: [...new Set(hosts)] }),
    ca: authority.certificate,
    requestCert: true,
    rejectUnauthorized: false,
    settings: { maxConcurrentStreams: 1 },
  })
  const simulation = new ApnsSimulation(options)
  server.on('session', (session) => simulation.accept(session))
  server.on('sessionError', () => {})
  server.on('tlsClientError', () => {})
  await listen(server, '127.0.0.1', 0)
  const front = await startFront(host, options.port ?? 0, portOf(server))

  return {
    port: front.port,
    url: `https://${host.includes(':') ? `[${host}]` : host}:${front.port}`,
    received: simulation.received,
    get connections() {
      return front.accepted
    },
    setFault(fault) {
      front.stall(fault === 'tls-stall')
      simulation.fault = fault
    },
    answerAll: (script) => simulation.answerAll(script),
    goaway: (frames) => simulation.goaway(frames),
    freeze: () => front.freeze(),
    reset: () => front.reset(),
    async close() {
      server.close()
      simulation.destroy()
      await Promise.all([front.close(), once(server, 'close')])
    },
  }
}
