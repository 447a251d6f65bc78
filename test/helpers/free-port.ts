/** A port for those who must know theirs before they listen. */
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

const given = new Set<number>()

/** A port on loopback that is free, and that the system gives to nobody who asks for any (Linux: 32768 and up). */
export async function freePort(): Promise<number> {
  const server = createServer()
  for (;;) {
    const port = randomInt(10_000, 30_000)
    // Whoever got it may not listen yet.
    if (given.has(port)) continue
    try {
      await once(server.listen(port, '127.0.0.1'), 'listening')
    } catch {
      continue
    }
    server.close()
    await once(server, 'close')
    given.add(port)
    return port
  }
}
