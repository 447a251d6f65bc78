/** A collector of traces (OTLP over HTTP, JSON): what a gateway exported to it, and what it answers. */
import { EventEmitter } from 'node:events'
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { untilNoneIsLeft } from './received.ts'

/** A span with its attributes as plain values. */
export interface CollectedSpan {
  readonly name: string
  readonly kind: number
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly startMs: number
  readonly endMs: number
  readonly attributes: Readonly<Record<string, string | number>>
  readonly isError: boolean
}

export interface OtlpCollector extends AsyncDisposable {
  /** Without a path. */
  readonly url: string
  /** As they came, each export a body. */
  readonly bodies: readonly string[]
  readonly requests: readonly { readonly path: string; readonly headers: IncomingHttpHeaders }[]
  /** Of what was taken. */
  readonly spans: readonly CollectedSpan[]
  /** From now on; undefined: it never answers. Default: 200. */
  answer(status: number | undefined): void
  /** Resolves with all spans of which this holds, once there are so many. */
  waitFor(count: number, isMeant?: (span: CollectedSpan) => boolean): Promise<readonly CollectedSpan[]>
}

export interface CollectorOptions {
  readonly host?: string
  readonly port?: number
  /** PEM; default: it speaks no TLS. */
  readonly tls?: { readonly key: string; readonly cert: string }
}

export async function startOtlpCollector({
  host = '127.0.0.1',
  port = 0,
  tls,
}: CollectorOptions = {}): Promise<OtlpCollector> {
  const bodies: string[] = []
  const spans: CollectedSpan[] = []
  const requests: { path: string; headers: IncomingHttpHeaders }[] = []
  const arriving = new EventEmitter().setMaxListeners(0)
  let answer: number | undefined = 200
  const onRequest = (request: IncomingMessage, response: ServerResponse): void => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('error', () => {})
    request.once('end', () => {
      const body = Buffer.concat(chunks).toString()
      bodies.push(body)
      requests.push({ path: request.url ?? '', headers: request.headers })
      if (answer === 200) spans.push(...spansOf(body))
      arriving.emit('export')
      if (answer !== undefined) response.writeHead(answer, { 'content-type': 'application/json' }).end('{}')
    })
  }
  const server = tls === undefined ? createServer(onRequest) : createTlsServer(tls, onRequest)
  await listening(server, host, port)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on a port
  const { port: actual } = server.address() as AddressInfo
  return {
    url: `http${tls === undefined ? '' : 's'}://${host}:${actual}`,
    bodies,
    requests,
    spans,
    answer: (status) => void (answer = status),
    async waitFor(count, isMeant = () => true) {
      const meant = (): readonly CollectedSpan[] => spans.filter(isMeant)
      const sentence = (): string => `${meant().length} of ${count} spans came, and of all ${spans.length}`
      await untilNoneIsLeft(arriving, 'export', () => count - meant().length, sentence)
      return meant()
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function listening(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })
}

interface OtlpValue {
  readonly stringValue?: string
  readonly intValue?: string
}

interface OtlpSpan extends Pick<CollectedSpan, 'name' | 'kind' | 'traceId' | 'spanId' | 'parentSpanId'> {
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly { readonly key: string; readonly value: OtlpValue }[]
  readonly status: { readonly code?: number }
}

function spansOf(body: string): CollectedSpan[] {
  const { resourceSpans }: { resourceSpans: { scopeSpans: { spans: OtlpSpan[] }[] }[] } = JSON.parse(body)
  return resourceSpans.flatMap(({ scopeSpans }) =>
    scopeSpans.flatMap((scope) =>
      scope.spans.map(({ attributes, startTimeUnixNano, endTimeUnixNano, status, ...span }) => ({
        ...span,
        startMs: Number(BigInt(startTimeUnixNano) / 1000n) / 1000,
        endMs: Number(BigInt(endTimeUnixNano) / 1000n) / 1000,
        isError: status.code === 2,
        attributes: Object.fromEntries(attributes.map(({ key, value }) => [key, valueOf(value)])),
      })),
    ),
  )
}

function valueOf({ stringValue, intValue }: OtlpValue): string | number {
  return stringValue ?? Number(intValue)
}
