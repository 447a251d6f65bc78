/** Opens TCP connections: directly, or through the operator's HTTP proxy (CONNECT, RFC 9110 §9.3.6). Nobody else knows of a proxy. */
import { request } from 'node:http'
import { connect, isIPv6, type Socket } from 'node:net'
import { codeOf } from '../core/error-code.ts'
import { DialError, NOT_FOR_PROXY, ProxyRefusedError } from '../core/errors.ts'
import type { Dial, DialOptions } from '../core/provider.ts'
import type { Secret } from '../core/secret.ts'
import { compileNoProxy } from './no-proxy.ts'
import { isPublicName } from './public-name.ts'

export interface Proxy {
  readonly host: string
  readonly port: number
  /** `user:password`. */
  readonly credentials?: Secret | undefined
  /** Who is reached without it, as in the environment variable NO_PROXY. */
  readonly noProxy?: string | undefined
}

/** Of an error without a code. */
const NO_CODE = 'connection closed'
/** A proxy's 4xx that passes: Request Timeout, Too Many Requests. */
const PASSING = new Set([408, 429])

export function createDial(proxy: Proxy | undefined): Dial {
  if (proxy === undefined) return connectTcp
  const isExempt = compileNoProxy(proxy.noProxy ?? '')
  return async (host, port, signal, how) => {
    if (isExempt(host, port)) return connectTcp(host, port, signal, how)
    if (how?.isStranger === true && !isPublicName(host)) throw new DialError(NOT_FOR_PROXY)
    return connectThrough(proxy, host, port, signal)
  }
}

function connectTcp(host: string, port: number, signal: AbortSignal, { lookup }: DialOptions = {}): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port,
      noDelay: true,
      autoSelectFamily: true,
      ...(lookup === undefined ? {} : { lookup }),
    })
    const onAbort = (): void => void socket.destroy(new DialError('timed out'))
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    // Stays: an error may come before whoever gets the socket listens, and is followed by a close that everybody waits for.
    socket.on('error', (error) => {
      signal.removeEventListener('abort', onAbort)
      reject(new DialError(codeOf(error, NO_CODE)))
    })
    socket.once('connect', () => {
      signal.removeEventListener('abort', onAbort)
      resolve(socket)
    })
  })
}

async function connectThrough(proxy: Proxy, host: string, port: number, signal: AbortSignal): Promise<Socket> {
  let socket: Socket
  try {
    socket = await connectTcp(proxy.host, proxy.port, signal)
  } catch (error) {
    throw new DialError(`proxy ${codeOf(error, NO_CODE)}`, true)
  }
  const authority = isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`
  return openTunnel(socket, authority, proxy.credentials, signal)
}

/** Resolves with the same socket, on which the other side is now the one behind the proxy. */
function openTunnel(
  socket: Socket,
  authority: string,
  credentials: Secret | undefined,
  signal: AbortSignal,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      signal.removeEventListener('abort', onAbort)
      socket.destroy()
      reject(error)
    }
    const onAbort = (): void => fail(new DialError('proxy timed out'))
    signal.addEventListener('abort', onAbort)
    if (signal.aborted) onAbort()
    // Node bounds the head of an answer to 16 KiB, and reads no body of one to CONNECT.
    const asking = request({
      method: 'CONNECT',
      path: authority,
      headers: { host: authority, ...authorization(credentials) },
      createConnection: () => socket,
    })
    asking.on('error', (error) => fail(new DialError(`proxy ${codeOf(error, NO_CODE)}`)))
    asking.once('connect', ({ statusCode = 0 }, _socket, head) => {
      if (statusCode < 200 || statusCode > 299) return fail(refusal(statusCode))
      // Nobody has been asked anything there yet: TLS begins with us.
      if (head.length > 0) return fail(new DialError('proxy answer too long'))
      signal.removeEventListener('abort', onAbort)
      resolve(socket)
    })
    asking.end()
  })
}

/** RFC 7617 §2.1: in UTF-8, in the ordinary alphabet of base64. */
function authorization(credentials: Secret | undefined): Record<string, string> {
  if (credentials === undefined) return {}
  return { 'proxy-authorization': `Basic ${Buffer.from(credentials.reveal()).toString('base64')}` }
}

function refusal(status: number): DialError {
  const isRefused = status >= 400 && status <= 499 && !PASSING.has(status)
  return isRefused ? new ProxyRefusedError(status) : new DialError(`proxy ${status}`)
}
