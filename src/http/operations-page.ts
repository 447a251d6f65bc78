/** The operations page on the admin port: files of ours, no asset from elsewhere. It holds nothing; what it shows it asks of the API, with the operator's token. */
import { readdirSync, readFileSync } from 'node:fs'
import { extname } from 'node:path'
import type { FastifyInstance } from 'fastify'

/** `npm run build` copies it beside the program. */
const FOLDER = new URL('./operations/', import.meta.url)
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
}
const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'cache-control': 'no-cache',
} as const

export function addOperationsPage(server: FastifyInstance): void {
  for (const name of readdirSync(FOLDER)) {
    const text = readFileSync(new URL(name, FOLDER), 'utf8')
    const path = name === 'page.html' ? '/' : `/operations/${name}`
    server.get(path, (_request, reply) =>
      reply
        .headers(HEADERS)
        .type(TYPES[extname(name)] ?? 'text/plain')
        .send(text),
    )
  }
}
