/**
 * Ends connections on which a peer says more than its answers need: settings, empty frames or interim answers without end, each of which takes our time.
 * By the bytes, so that it does not matter of what; with those of TLS, for a record may hold a byte, or none.
 */
import type { TLSSocket } from 'node:tls'

/** The code of what is lost with such a connection. */
export const FLOOD = 'too much data'
const LOOK_MS = 250
/** In that time; and as much for each answer, with what follows its head. */
const MAX_BYTES = 64 * 1024

/** `receivedBytes`, `answers`: how many there were so far. The socket ends with an error whose code is FLOOD. */
export function endWhenFlooded(socket: TLSSocket, receivedBytes: () => number, answers: () => number): void {
  let bytes = receivedBytes()
  let answered = answers()
  const timer = setInterval(() => {
    const [bytesNow, answeredNow] = [receivedBytes(), answers()]
    const isFlood = bytesNow - bytes > MAX_BYTES * (1 + answeredNow - answered)
    bytes = bytesNow
    answered = answeredNow
    if (isFlood) socket.destroy(Object.assign(new Error(FLOOD), { code: FLOOD }))
  }, LOOK_MS).unref()
  socket.once('close', () => clearInterval(timer))
}
