/** A connection to a push service, whichever version of HTTP it speaks. */
import type { Duplex } from 'node:stream'
import type { Answer, LostRequest } from '../answers.ts'
import type { Attempt } from './attempt.ts'
import type { Protocol } from './connect.ts'

/** How long an answer may go on whose head says it all. */
export const DRAIN_MS = 1000

export interface Request {
  /** Default: POST. */
  readonly method?: 'GET' | 'POST' | undefined
  /** Host and port, as the URL that is meant has them. */
  readonly authority: string
  readonly path: string
  /** Names, in lower case, and values in turn: what node:http2 needs the least time for. With `content-length`, which HTTP/1.1 must have. */
  readonly headers: readonly string[]
  readonly body: string | Uint8Array
}

/** How much of an answer is read, and what counts. */
export interface Reading {
  /** Whether the head of an answer with this status says it all: the rest is dropped. */
  readonly isEnough: (status: number) => boolean
  /** Of the rest, whether it is read or dropped; it may never end. */
  readonly maxBytes: number
  /** Whether an answer without its end counts, with as much of it as came. Otherwise it is lost. */
  readonly takesPart: boolean | ((status: number) => boolean)
}

/** How connections to a push service are used. */
export interface ConnectionRules {
  /** What is offered, best first. */
  readonly protocols: readonly Protocol[]
  readonly reading: Reading
  /** For TCP, a proxy's answer, TLS and, with HTTP/2, the first SETTINGS together. */
  readonly connectMs: number
  /** HTTP/2: how often a peer is asked whether it is there. */
  readonly pingEveryMs: number
  /** A peer that does not answer a PING in this time is gone. */
  readonly pingMs: number
  /** Without a request for so long, it is closed; undefined: never. */
  readonly idleMs?: number | undefined
  /** HTTP/2: whether a new connection gets one stream until the first request is accepted on it. */
  readonly startsCold?: boolean | undefined
  /** Whether a stranger named the peer: then what it says without being asked is bounded. */
  readonly isStranger?: boolean | undefined
}

/** … of one connection. */
export interface UsedRules extends ConnectionRules {
  /** Told of the status of each answer. */
  readonly answered?: ((status: number) => void) | undefined
  /** Bytes that came so far, with those of TLS. */
  readonly receivedBytes: () => number
}

export interface Connection {
  /** Takes requests, now or when one has ended. */
  readonly isUsable: boolean
  readonly isClosed: boolean
  /** False: it may soon take more than it does now, so it is waited for. */
  readonly isWarm: boolean
  /** A request was sent on it. */
  readonly isUsed: boolean
  /** Requests under way on it. */
  readonly taken: number
  readonly hasRoom: boolean
  /** Whether it takes one request at a time. */
  readonly isSingle: boolean
  /** Called when it may take more than before, or no more at all. */
  onChange: () => void
  /** Reserves room for one `exchange`, which gives it back. */
  take(): void
  /** Takes nothing new; what is in flight finishes. */
  leave(): void
  /** Leaves, and resolves when it is closed. */
  close(): Promise<void>
  /** Sends one request in the room that was taken. Always resolves. */
  exchange(request: Request, attempt: Attempt): Promise<Answer | LostRequest>
}

/** Leaves, and resolves when the socket is closed. */
export async function untilClosed(socket: Duplex, leave: () => void): Promise<void> {
  if (socket.destroyed) return
  // Not by `once` of node:events, which fails where the connection does not end well.
  const closed = new Promise((resolve) => socket.once('close', resolve))
  leave()
  await closed
}
