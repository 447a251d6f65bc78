/** Random bytes, asked for many at a time: each request costs as much as some thousand bytes. */
import { randomBytes } from 'node:crypto'

const POOL_BYTES = 6144

export class RandomPool {
  #left = Buffer.alloc(0)

  /** Nobody else gets these. `bytes`: far fewer than a pool has. */
  take(bytes: number): Buffer {
    if (this.#left.length < bytes) this.#left = randomBytes(POOL_BYTES)
    const taken = this.#left.subarray(0, bytes)
    this.#left = this.#left.subarray(bytes)
    return taken
  }
}
