/** HMAC (RFC 2104) of what is short, by two one-shot hashes: in half the time of `createHmac`, and without an object for each that has to be cleared away. */
import { hash } from 'node:crypto'

const INNER_PAD = 0x36
const OUTER_PAD = 0x5c

interface Algorithm {
  readonly name: 'sha256' | 'sha512'
  readonly blockBytes: number
  readonly digestBytes: number
}

export const SHA256: Algorithm = { name: 'sha256', blockBytes: 64, digestBytes: 32 }
export const SHA512: Algorithm = { name: 'sha512', blockBytes: 128, digestBytes: 64 }

export class Hmac {
  readonly #algorithm: Algorithm
  /** The padded key, and after it the text that is hashed. */
  #inner: Buffer
  /** The padded key, and after it the inner hash. */
  readonly #outer: Buffer

  /** `key`: at most one block of the algorithm. */
  constructor(algorithm: Algorithm, key: Uint8Array) {
    const { blockBytes, digestBytes } = algorithm
    this.#algorithm = algorithm
    this.#inner = Buffer.alloc(blockBytes)
    this.#outer = Buffer.alloc(blockBytes + digestBytes)
    pad(key, blockBytes, this.#inner, this.#outer)
  }

  /** Base64url, without padding. */
  text(message: string): string {
    return hash(this.#algorithm.name, this.#outerOf(message), 'base64url')
  }

  bytes(message: string): Buffer {
    return hash(this.#algorithm.name, this.#outerOf(message), 'buffer')
  }

  #outerOf(message: string): Buffer {
    const { name, blockBytes } = this.#algorithm
    this.#makeRoom(blockBytes + Buffer.byteLength(message))
    const written = this.#inner.write(message, blockBytes)
    this.#outer.write(hash(name, this.#inner.subarray(0, blockBytes + written), 'binary'), blockBytes, 'latin1')
    return this.#outer
  }

  #makeRoom(bytes: number): void {
    if (this.#inner.length >= bytes) return
    const larger = Buffer.alloc(2 * bytes)
    this.#inner.copy(larger, 0, 0, this.#algorithm.blockBytes)
    this.#inner = larger
  }
}

/** For bytes, with keys that are used once (HKDF, RFC 5869). By SHA-256. */
export class OneTimeHmac {
  readonly #inner: Buffer
  readonly #outer = Buffer.alloc(SHA256.blockBytes + SHA256.digestBytes)

  /** `maxBytes`: of what is hashed. */
  constructor(maxBytes: number) {
    this.#inner = Buffer.alloc(SHA256.blockBytes + maxBytes)
  }

  /** `key`: at most 64 bytes. */
  bytes(key: Uint8Array, ...parts: readonly Uint8Array[]): Buffer {
    const { name, blockBytes } = SHA256
    pad(key, blockBytes, this.#inner, this.#outer)
    let length: number = blockBytes
    for (const part of parts) {
      this.#inner.set(part, length)
      length += part.length
    }
    this.#outer.write(hash(name, this.#inner.subarray(0, length), 'binary'), blockBytes, 'latin1')
    return hash(name, this.#outer, 'buffer')
  }
}

/** Begins both with the key as it is hashed, inside and outside. */
function pad(key: Uint8Array, blockBytes: number, inner: Buffer, outer: Buffer): void {
  if (key.length > blockBytes) throw new RangeError('the key is longer than a block')
  for (let index = 0; index < blockBytes; index += 1) {
    const byte = key[index] ?? 0
    inner[index] = byte ^ INNER_PAD
    outer[index] = byte ^ OUTER_PAD
  }
}
