/** Errors as the Matrix specification has them, also where a request does not get as far as a route. An answer never repeats what was sent. */
import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import type { FastifyReply } from 'fastify'

export function answerError(reply: FastifyReply, statusCode: number, errcode: string, error: string): FastifyReply {
  return reply.code(statusCode).type('application/json').send(JSON.stringify({ errcode, error }))
}

/** By the code of Node's error. */
const REFUSALS: Readonly<Record<string, readonly [status: string, error: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ['408 Request Timeout', 'The request took too long to arrive'],
  HPE_HEADER_OVERFLOW: ['431 Request Header Fields Too Large', 'The headers are too large'],
}
const NO_HTTP = ['400 Bad Request', 'This is no HTTP'] as const

/** For what is no request, or does not become one in time. */
export function refuseOnSocket(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const [status, sentence] = REFUSALS[error.code ?? ''] ?? NO_HTTP
  const body = JSON.stringify({ errcode: 'M_UNRECOGNIZED', error: sentence })
  const head = `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nConnection: close`
  if (socket.writable) socket.write(`${head}\r\n\r\n${body}`)
  socket.destroy()
}

/** By itself Node answers without a body. */
export function refuseExpectations(server: Server): void {
  const body = JSON.stringify({ errcode: 'M_UNRECOGNIZED', error: 'What the header Expect asks for is not done here' })
  const headers = { 'content-type': 'application/json', 'content-length': body.length, connection: 'close' }
  server.on('checkExpectation', (_request, response) => void response.writeHead(417, headers).end(body))
}
