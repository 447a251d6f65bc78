/** The notify port alone: a server that accepts everything and stores nothing, but for what a test says. */
import type { FastifyInstance } from 'fastify'
import { createEntrance } from '../../src/http/doors.ts'
import { createNotifyServer, type NotifyServerParts } from '../../src/http/notify-server.ts'
import { RecordedLog } from './recorded-log.ts'

const OPEN = createEntrance({ trustProxy: [], doors: {} })

export function createTestNotifyServer(parts: Partial<NotifyServerParts>): FastifyInstance {
  return createNotifyServer({
    limits: { bodyLimitBytes: 512 * 1024, bodyMemoryBytes: 64 * 1024 ** 2, maxDevices: 100, maxConnections: 5000 },
    entrance: () => OPEN,
    intake: { accept: async () => [] },
    relayed: {
      trade: () => undefined,
      find: () => undefined,
      accept: async () => 'gone',
      revoke: async () => 'unknown',
    },
    publicKeyFor: () => undefined,
    stated: () => ({ routes: [], maxAgeMs: 1000, callMaxAgeMs: 1000, areReceiptsKept: true }),
    metrics: { requestAnswered: () => {}, stoppedAtDoor: () => {}, relayAnswered: () => {} },
    log: new RecordedLog(),
    nowMs: Date.now,
    ...parts,
  })
}
