/** Stands between Synapse and the gateway, and keeps what was said; whoever is behind it may come and go. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { text } from 'node:stream/consumers'
import { isJsonObject, type JsonObject } from '../../src/core/json.ts'

/** One request of the homeserver, which is always about one device, and the gateway's answer. */
export interface Exchange {
  readonly pushkey: string
  readonly notification: JsonObject
  readonly status: number
  readonly answer: string
}

export interface Recorder {
  /** What a pusher's `data.url` says. */
  readonly notifyUrl: string
  /** Those that the gateway answered, in the order of the answers. */
  readonly exchanges: readonly Exchange[]
  close(): Promise<void>
}

const NOTIFY_PATH = '/_matrix/push/v1/notify'

export async function startRecorder(gatewayUrl: string): Promise<Recorder> {
  const exchanges: Exchange[] = []

  const pass = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = await text(request)
    const headers = { 'content-type': request.headers['content-type'] ?? '' }
    const answered = await fetch(gatewayUrl + request.url, { method: 'POST', headers, body })
    const answer = await answered.text()
    exchanges.push({ ...read(body), status: answered.status, answer })
    response.writeHead(answered.status, { 'content-type': 'application/json' }).end(answer)
  }

  const server = createServer((request, response) => {
    // With nobody behind it the connection breaks, as it would without the recorder.
    pass(request, response).catch(() => response.destroy())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' ? address?.port : undefined

  return {
    notifyUrl: `http://127.0.0.1:${port}${NOTIFY_PATH}`,
    exchanges,
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}

function read(body: string): { readonly pushkey: string; readonly notification: JsonObject } {
  const { notification } = JSON.parse(body)
  const devices: unknown = isJsonObject(notification) ? notification['devices'] : undefined
  const device: unknown = Array.isArray(devices) && devices.length === 1 ? devices[0] : undefined
  if (!isJsonObject(notification) || !isJsonObject(device) || typeof device['pushkey'] !== 'string')
    throw new Error('this is not how Synapse speaks')
  return { pushkey: device['pushkey'], notification }
}
