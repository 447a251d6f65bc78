/** Opens a connection in the version of HTTP that the peer chooses. */
import { connect, type Target } from './connect.ts'
import type { Connection, ConnectionRules } from './connection.ts'
import { Http1Connection } from './http1-connection.ts'
import { openHttp2 } from './http2-connection.ts'

/** Resolves when it takes requests; rejects with a ConnectError. */
export async function openConnection(target: Target, rules: ConnectionRules): Promise<Connection> {
  const signal = AbortSignal.timeout(rules.connectMs)
  const { socket, protocol, receivedBytes } = await connect(target, rules.protocols, signal)
  const used = { ...rules, answered: target.answered, receivedBytes }
  return protocol === 'h2' ? openHttp2(socket, used, signal) : new Http1Connection(socket, used)
}
