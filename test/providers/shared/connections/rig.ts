/** Connections to peers on loopback, and what becomes of requests on them. */
import type { Dial } from '../../../../src/core/provider.ts'
import { createDial } from '../../../../src/network/dial.ts'
import type { Answer, LostRequest } from '../../../../src/providers/shared/answers.ts'
import { Attempt } from '../../../../src/providers/shared/connections/attempt.ts'
import type { ConnectionRules } from '../../../../src/providers/shared/connections/connection.ts'
import { Connections } from '../../../../src/providers/shared/connections/connections.ts'
import { openConnection } from '../../../../src/providers/shared/connections/open-connection.ts'
import { createAuthority } from '../../../../src/simulators/certificate.ts'

export const authority = createAuthority()
// Keys take a while to make.
export const certificate = authority.issue({ commonName: 'push.fake.test', hosts: ['127.0.0.1', 'localhost'] })

/** Whole answers are read; nothing is asked or closed in the meantime. */
export const RULES: ConnectionRules = {
  protocols: ['h2', 'http/1.1'],
  reading: { isEnough: () => false, maxBytes: 1024, takesPart: false },
  connectMs: 5000,
  pingEveryMs: 60_000,
  pingMs: 5000,
}

export interface Where {
  readonly port: number
  readonly host?: string | undefined
  readonly dial?: Dial | undefined
  readonly authorities?: string | undefined
  readonly rules?: Partial<ConnectionRules> | undefined
  readonly maxConnections?: number | undefined
  readonly waitMs?: number | undefined
}

export function connectionsTo({
  port,
  host = '127.0.0.1',
  rules,
  maxConnections = 1,
  waitMs,
  ...more
}: Where): Connections {
  const { dial = createDial(undefined), authorities = authority.certificate } = more
  const open = () => openConnection({ host, port, dial, authorities }, { ...RULES, ...rules })
  return new Connections(open, { maxConnections, waitMs })
}

export function post(connections: Connections, attempt = new Attempt(), body = 'body'): Promise<Answer | LostRequest> {
  const headers = ['content-length', String(body.length)]
  return connections.post({ authority: 'push.fake.test', path: '/path', headers, body }, attempt)
}

export interface CountingDial {
  readonly dial: Dial
  /** Connections that are open or being opened; the most there were at once; all so far. */
  readonly counts: { now: number; most: number; all: number }
}

export function countingDial(): CountingDial {
  const direct = createDial(undefined)
  const counts = { now: 0, most: 0, all: 0 }
  const dial: Dial = async (...where) => {
    counts.all += 1
    counts.now += 1
    counts.most = Math.max(counts.most, counts.now)
    const stream = await direct(...where)
    stream.once('close', () => (counts.now -= 1))
    return stream
  }
  return { dial, counts }
}
