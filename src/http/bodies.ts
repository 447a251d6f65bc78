/**
 * Reads the bodies of requests, and keeps all of them together within a budget: whoever begins many and ends none must not fill the memory. What no homeserver
 * sends gets half of it, and waits for its turn: one such body is handed on at a time, so that others are served between two of them.
 */
import type { Readable } from 'node:stream'

/** `statusCode`: what the request is answered. */
export class BodyError extends Error {
  override readonly name = 'BodyError'
  readonly statusCode: 400 | 413 | 503
  /** The connection stays, and what is still coming of the body is dropped. */
  readonly keepsConnection: boolean

  constructor(statusCode: 400 | 413 | 503, message: string, keepsConnection = false) {
    super(message)
    this.statusCode = statusCode
    this.keepsConnection = keepsConnection
  }
}

export interface BodyLimits {
  /** Of one body. */
  readonly bodyLimitBytes: number
  /** Of all that are being read. */
  readonly bodyMemoryBytes: number
}

const NOTHING = Buffer.alloc(0)
/** An event has 64 KiB at most, and a request is about one, for one device. */
const LARGEST_OF_HOMESERVER_BYTES = 128 * 1024
/** What says that it is so many times too long is not even dropped. */
const DROPPED_LIMITS = 4
/** To read and parse what is longer takes so long that others notice, if much of it comes at once. */
const QUICK_BYTES = 16 * 1024
/** A piece may be a byte, and would cost a hundred by itself. */
const SMALL_BYTES = 4096
const ROOM_BYTES = 8192

export class Bodies {
  readonly #limits: BodyLimits
  readonly #onRefused: () => void
  readonly #reading = new Set<Reading>()
  readonly #turns = new Turns()
  #heldBytes = 0
  /** That those will have that say that they are large. */
  #promisedBytes = 0

  /** `onRefused`: a request is refused because all of them together hold too much. */
  constructor(limits: BodyLimits, onRefused: () => void) {
    this.#limits = limits
    this.#onRefused = onRefused
  }

  /** `declaredBytes`: Content-Length, or NaN. Calls back once, with the body or a BodyError. No promise: it would cost more than all else here. */
  read(stream: Readable, declaredBytes: number, done: (error: BodyError | null, body?: Buffer) => void): void {
    // A proxy whose connection is closed while it sends does not read our answer, and says 502 (RFC 9112 §9.6).
    if (declaredBytes > this.#limits.bodyLimitBytes)
      return done(this.#tooLarge(declaredBytes <= DROPPED_LIMITS * this.#limits.bodyLimitBytes))
    const promisedBytes = declaredBytes > LARGEST_OF_HOMESERVER_BYTES ? declaredBytes : 0
    if (promisedBytes > 0 && this.#isHalfTaken(this.#heldBytes, promisedBytes)) {
      this.#onRefused()
      return done(noRoom())
    }
    const reading = new Reading(promisedBytes, (error) => {
      if (!this.#forget(reading)) return
      // What may still come is not read: Fastify closes the connection.
      stream.off('data', onData).pause()
      done(error)
    })
    const onData = (piece: Buffer): void => {
      if (reading.length + piece.length > this.#limits.bodyLimitBytes) return reading.refuse(this.#tooLarge())
      this.#heldBytes += reading.add(piece)
      if (this.#heldBytes > this.#limits.bodyMemoryBytes) this.#refuseLargest()
      else if (this.#isUnforeseen(reading) && this.#isHalfTaken(this.#heldBytes - reading.heldBytes, 0))
        this.#refuse(reading)
    }
    this.#reading.add(reading)
    this.#promisedBytes += promisedBytes
    stream
      .on('data', onData)
      .on('end', () => {
        if (!this.#reading.has(reading)) return
        const handOn = (): void => {
          if (this.#forget(reading)) done(null, reading.bytes)
        }
        if (reading.length <= QUICK_BYTES) handOn()
        else this.#turns.take(handOn)
      })
      .on('close', () => {
        // It comes after each end, too, and an error costs more than to read the body.
        if (!stream.readableEnded && this.#reading.has(reading))
          reading.refuse(new BodyError(400, 'The body breaks off'))
      })
  }

  /** Not the one that came last: a request of a homeserver is small, and must not pay for those that fill the memory. */
  #refuseLargest(): void {
    let largest: Reading | undefined
    for (const reading of this.#reading)
      if (largest === undefined || reading.heldBytes > largest.heldBytes) largest = reading
    if (largest !== undefined) this.#refuse(largest)
  }

  #refuse(reading: Reading): void {
    this.#onRefused()
    reading.refuse(noRoom())
  }

  /** It is large, and did not say so. */
  #isUnforeseen({ promisedBytes, length }: Reading): boolean {
    return promisedBytes === 0 && length > LARGEST_OF_HOMESERVER_BYTES
  }

  /** By what others hold, or by what large ones have promised, with another that promises so much. One alone may have more than half. */
  #isHalfTaken(othersBytes: number, promisedBytes: number): boolean {
    const half = this.#limits.bodyMemoryBytes / 2
    return othersBytes > half || (this.#promisedBytes > 0 && this.#promisedBytes + promisedBytes > half)
  }

  /** Whether it was being read. */
  #forget(reading: Reading): boolean {
    const isRead = this.#reading.delete(reading)
    if (isRead) {
      this.#heldBytes -= reading.heldBytes
      this.#promisedBytes -= reading.promisedBytes
    }
    return isRead
  }

  #tooLarge(keepsConnection = false): BodyError {
    return new BodyError(413, `The body is larger than ${this.#limits.bodyLimitBytes} bytes`, keepsConnection)
  }
}

function noRoom(): BodyError {
  return new BodyError(503, 'More is being sent at the moment than there is memory for')
}

/** One in each turn of the event loop. */
class Turns {
  readonly #waiting: (() => void)[] = []

  take(act: () => void): void {
    this.#waiting.push(act)
    if (this.#waiting.length === 1) this.#later()
  }

  #later(): void {
    setImmediate(() => {
      const [act] = this.#waiting
      try {
        act?.()
      } finally {
        this.#waiting.shift()
        if (this.#waiting.length > 0) this.#later()
      }
    })
  }
}

/** A body on its way. */
class Reading {
  readonly promisedBytes: number
  readonly refuse: (error: BodyError) => void
  readonly #pieces: Buffer[] = []
  /** Where small pieces come together; the last of the pieces is its beginning. */
  #room = NOTHING
  #roomUsed = 0
  length = 0
  heldBytes = 0

  constructor(promisedBytes: number, refuse: (error: BodyError) => void) {
    this.promisedBytes = promisedBytes
    this.refuse = refuse
  }

  get bytes(): Buffer {
    const [only = NOTHING] = this.#pieces
    return this.#pieces.length <= 1 ? only : Buffer.concat(this.#pieces, this.length)
  }

  /** Returns by how much more it holds. */
  add(piece: Buffer): number {
    const heldBefore = this.heldBytes
    // Most bodies come in one piece.
    if (this.length === 0 || piece.length > SMALL_BYTES) {
      this.#pieces.push(piece)
      this.#room = NOTHING
      this.heldBytes += piece.length
    } else this.#addSmall(piece)
    this.length += piece.length
    return this.heldBytes - heldBefore
  }

  #addSmall(piece: Buffer): void {
    if (this.#room === NOTHING || this.#roomUsed + piece.length > ROOM_BYTES) {
      this.#room = Buffer.allocUnsafeSlow(ROOM_BYTES)
      this.#roomUsed = 0
      this.#pieces.push(NOTHING)
      this.heldBytes += ROOM_BYTES
    }
    piece.copy(this.#room, this.#roomUsed)
    this.#roomUsed += piece.length
    this.#pieces[this.#pieces.length - 1] = this.#room.subarray(0, this.#roomUsed)
  }
}
