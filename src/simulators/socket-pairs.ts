/** Connections that are passed on to a server behind, as two sockets each, and can be made to fail as networks fail. */
import type { Socket } from 'node:net'

export class SocketPairs {
  readonly #pairs = new Set<readonly Socket[]>()

  /** Ends both with either. Without `inner` the connection is accepted, and nothing is passed on. */
  join(outer: Socket, inner: Socket | undefined): void {
    const pair = inner === undefined ? [outer] : [outer, inner]
    this.#pairs.add(pair)
    for (const socket of pair) {
      socket.setNoDelay(true)
      socket.on('error', () => {})
      socket.on('close', () => {
        this.#pairs.delete(pair)
        for (const each of pair) each.destroy()
      })
    }
    if (inner !== undefined) outer.pipe(inner).pipe(outer)
  }

  /** Every connection of now stays open, and nothing passes any more. */
  freeze(): void {
    for (const socket of this.#sockets()) {
      socket.unpipe()
      socket.pause()
    }
  }

  /** Every connection of now is reset. */
  reset(): void {
    for (const [outer] of this.#pairs) outer?.resetAndDestroy()
  }

  destroy(): void {
    for (const socket of this.#sockets()) socket.destroy()
  }

  #sockets(): readonly Socket[] {
    return [...this.#pairs].flat()
  }
}
