/** A gateway as it stands behind a reverse proxy of this machine, and who asks that proxy: a homeserver that may post, and a stranger who may not. */
import { spawn } from 'node:child_process'
import { request, type RequestOptions } from 'node:http'
import { request as requestTls } from 'node:https'
import { text } from 'node:stream/consumers'
import type { ConnectionOptions } from 'node:tls'
import { proxies } from '../../scripts/image-tools.ts'
import { freePort } from '../helpers/free-port.ts'
import { createHushgateFolder, startHushgate } from '../helpers/hushgate-process.ts'
import { keepLog, type LoggedProcess } from '../helpers/logged-process.ts'
import { startPushServices, type PushServices } from '../helpers/push-services.ts'

export const NOTIFY = '/_matrix/push/v1/notify'
/** The proxy connects from the first, homeservers from the second, strangers from the third. */
export const [PROXY, HOMESERVER, STRANGER] = ['127.0.0.1', '127.0.0.2', '127.0.0.3']

export interface GatewayBehindProxy extends AsyncDisposable {
  readonly port: number
  readonly services: PushServices
}

export async function startGatewayBehindProxy(): Promise<GatewayBehindProxy> {
  const services = await startPushServices()
  const home = await createHushgateFolder()
  const port = await freePort()
  await home.write(
    'hushgate.yaml',
    `http: { host: 127.0.0.1, port: ${port}, trust_proxy: [${PROXY}], allow_from: [${HOMESERVER}] }
admin: { port: 0, token_file: token }
store: { url: "sqlite:./hushgate.db" }
queue: { encryption_key_file: keys }
${services.appsYaml}`,
  )
  const gateway = startHushgate(['serve'], { folder: home.path })
  await gateway.running()
  return {
    port,
    services,
    async [Symbol.asyncDispose]() {
      await gateway[Symbol.asyncDispose]()
      await Promise.all([home[Symbol.asyncDispose](), services[Symbol.asyncDispose]()])
    },
  }
}

/** A program of scripts/image-tools.ts that writes into this folder only. */
export function startInFolder(
  folder: string,
  [program, ...args]: readonly [string, ...(readonly string[])],
  env: NodeJS.ProcessEnv = {},
): LoggedProcess {
  return keepLog(
    spawn(program, args, { cwd: folder, env: { HOME: folder, LD_LIBRARY_PATH: proxies.libraries, ...env } }),
  )
}

export interface Answer {
  readonly status: number | undefined
  readonly body: string
}

export interface Asked {
  readonly from?: string
  readonly body?: string
  readonly tls?: HttpsHost
}

/** Who is asked by HTTPS, and whose certificate is believed. */
export interface HttpsHost extends Pick<ConnectionOptions, 'ca' | 'rejectUnauthorized'> {
  readonly servername: string
}

/** What the proxy at this port of loopback answers. */
export function ask(port: number, path: string, { from = HOMESERVER, body, tls }: Asked = {}): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const method = body === undefined ? 'GET' : 'POST'
  const options: RequestOptions = { host: PROXY, port, path, method, localAddress: from, agent: false }
  const asked =
    tls === undefined ? request(options) : requestTls({ ...options, ...tls, headers: { host: tls.servername } })
  asked.on('response', (response) => {
    text(response).then((answer) => resolve({ status: response.statusCode, body: answer }), reject)
  })
  asked.on('error', reject).end(body)
  return promise
}

export const notification = (pushkey: string): string =>
  JSON.stringify({
    notification: {
      event_id: '$event',
      room_id: '!room:example.org',
      devices: [{ app_id: 'com.example.ios', pushkey }],
    },
  })
