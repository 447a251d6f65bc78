/**
 * Push services that refuse everything and quote what they were sent, wherever an answer has room for it: reason, message, headers, the line
 * of the status, a body that is no JSON. Each request has another of its words quoted where one word fits.
 */
import { once } from 'node:events'
import { createSecureServer, type ServerHttp2Session } from 'node:http2'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { Authority } from '../../src/simulators/certificate.ts'

export interface EchoServices extends AsyncDisposable {
  readonly apns: string
  /** For FCM, Push Kit and Web Push. */
  readonly https: string
  /** All that was said. */
  readonly quoted: () => Buffer
}

/** Failed, dead, and slower, which are three ways through the gateway. Of Push Kit others than these two stop the app, and what is not under way by then would not be quoted. */
const STATUSES = { http2: [400, 410, 429], https: [400, 404, 429], hms: [400, 500] } as const

export async function startEchoServices(authority: Authority): Promise<EchoServices> {
  const certificate = authority.issue({ commonName: 'echo', hosts: ['127.0.0.1', 'localhost'] })
  // Each push service goes through all of its statuses, however many others there are.
  const counts = new Map<string, number>()
  const quote = (protocol: keyof typeof STATUSES, who: string, request: string): Quotation => {
    const count = counts.get(who) ?? 0
    counts.set(who, count + 1)
    return quotation(request, STATUSES[protocol], count)
  }

  const said: string[] = []
  const say = (text: string): string => {
    said.push(text)
    return text
  }

  const http2 = createSecureServer(certificate)
  const sessions = new Set<ServerHttp2Session>()
  http2.on('session', (session) => {
    sessions.add(session)
    session.on('error', () => {})
  })
  http2.on('stream', (stream, headers) => {
    const chunks: Buffer[] = []
    stream.on('error', () => {})
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => {
      const body = Buffer.concat(chunks).toString()
      const { status, word, number, isJson } = quote('http2', 'apns', `${JSON.stringify(headers)}${body}`)
      stream.respond({ ':status': status, 'retry-after': String(number), 'x-quoted': word, 'apns-id': word })
      stream.end(say(isJson ? JSON.stringify({ reason: word, timestamp: number }) : body))
    })
  })

  const https = createServer(certificate, (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = Buffer.concat(chunks).toString()
      const isHms = request.url?.startsWith('/v2/') === true
      const { status, word, number, isJson } = quote(
        isHms ? 'hms' : 'https',
        `${request.headers.host} ${request.url?.split('/')[1]}`,
        `${request.url}${JSON.stringify(request.headers)}${body}`,
      )
      response.writeHead(status, word, { 'retry-after': String(number), 'x-quoted': word, location: `/${word}` })
      const error = isHms ? { code: word, msg: body, requestId: word } : googleError(status, word, body)
      response.end(say(isJson ? JSON.stringify(error) : body))
    })
  })

  await Promise.all([http2, https].map((server) => once(server.listen(0, '127.0.0.1'), 'listening')))
  return {
    apns: urlOf(http2.address()),
    https: urlOf(https.address()),
    quoted: () => Buffer.from(said.join('\n')),
    async [Symbol.asyncDispose]() {
      for (const session of sessions) session.destroy()
      https.closeAllConnections()
      for (const server of [http2, https]) server.close()
    },
  }
}

interface Quotation {
  readonly status: number
  readonly word: string
  readonly number: number
  readonly isJson: boolean
}

function quotation(request: string, statuses: readonly number[], count: number): Quotation {
  const words = [...new Set(request.match(/[A-Za-z]{16,}/g))]
  const numbers = [...new Set(request.match(/\d{10,}/g))]
  return {
    status: statuses[count % statuses.length] ?? 400,
    word: words[count % words.length] ?? 'Nothing',
    number: Number(numbers[count % numbers.length] ?? 0),
    isJson: count % (2 * statuses.length) > 0,
  }
}

function googleError(status: number, word: string, body: string): object {
  const details = [
    { '@type': 'type.googleapis.com/google.firebase.fcm.v1.FcmError', errorCode: word },
    { '@type': 'type.googleapis.com/google.rpc.BadRequest', fieldViolations: [{ field: word, description: body }] },
    { '@type': 'type.googleapis.com/google.rpc.QuotaFailure', violations: [{ subject: word }] },
  ]
  return { error: { code: status, message: body, status: word, details } }
}

function urlOf(address: AddressInfo | string | null): string {
  if (address === null || typeof address === 'string') throw new Error('it does not listen')
  return `https://127.0.0.1:${address.port}`
}
