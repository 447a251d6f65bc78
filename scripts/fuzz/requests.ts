/** Requests as bytes. */
import type { Random } from './random.ts'

export const NOTIFY_PATH = '/_matrix/push/v1/notify'
/** In what is sent and must not come back in an error. */
export const CANARY = 'CANARY7f3a'

const CONTENT_TYPES = [
  'application/json',
  'application/json',
  'application/json',
  'application/json; charset=utf-16',

  'text/plain',
  'multipart/form-data; boundary=x',
  `application/${CANARY}`,
  ';;"',
  '',
  'application/json, text/html',
]

export function head(line: string, ...headers: readonly string[]): Buffer {
  return Buffer.from([line, 'Host: gateway', ...headers, '', ''].join('\r\n'), 'latin1')
}

export interface RequestOptions {
  readonly target?: string
  readonly headers?: readonly string[]
}

/** A POST that is well framed, whatever its body is: with its length, or in chunks. */
export function requestOf(
  random: Random,
  body: Buffer,
  { target = NOTIFY_PATH, headers = [] }: RequestOptions = {},
): Buffer {
  const type = random.pick(CONTENT_TYPES)
  const all = [`Content-Type: ${type}`, ...headers, ...strangeHeaders(random)]
  if (random.once(8))
    return Buffer.concat([head(`POST ${target} HTTP/1.1`, ...all, 'Transfer-Encoding: chunked'), chunks(random, body)])
  return Buffer.concat([head(`POST ${target} HTTP/1.1`, ...all, `Content-Length: ${body.length}`), body])
}

function strangeHeaders(random: Random): string[] {
  if (!random.once(5)) return []
  return [
    random.pick([
      'Content-Encoding: gzip',
      'Accept-Encoding: *;q=0',
      'X-Forwarded-For: 127.0.0.1, , ::1, x',
      `X-Http-Method-Override: ${CANARY}`,
      `Cookie: ${CANARY}=${CANARY}`,
      'Origin: null',
      'Sec-Fetch-Site: cross-site',
      'Range: bytes=0-,-1',
      'TE: trailers, deflate',
      'Connection: keep-alive, X-Hop',
      'Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA',
      'X-Empty:',
      'Forwarded: for="[::1]:1";proto=https',
    ]),
  ]
}

function chunks(random: Random, body: Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < body.length;) {
    const part = body.subarray(at, at + random.size(65_536))
    const extension = random.once(4) ? `;${CANARY}=${'x'.repeat(random.size(100))}` : ''
    parts.push(Buffer.from(`${part.length.toString(16)}${extension}\r\n`), part, Buffer.from('\r\n'))
    at += part.length
  }
  return Buffer.concat([...parts, Buffer.from(random.once(4) ? `0\r\nX-${CANARY}: x\r\n\r\n` : '0\r\n\r\n')])
}

const TARGETS = {
  notify: [
    NOTIFY_PATH,
    '/',
    '/health',
    '/_hushgate/privacy',
    '/_hushgate/vapid/fuzz.web',
    '/_hushgate/vapid/',
    '/_hushgate/webpush/fuzz.full',
    '/_hushgate/webpush/fuzz.full/AAAA',
  ],
  admin: [
    '/healthz',
    '/readyz',
    '/api/v1/dead',
    '/api/v1/rejections',
    '/api/v1/forget',
    '/api/v1/dead/retry',
    '/metrics/',
  ],
} as const

/** A target of the port with something strange in it, behind it or instead of it. */
export function strangeTarget(random: Random, port: 'notify' | 'admin'): string {
  const target = random.pick(TARGETS[port])
  const strange = random.pick([
    '%',
    '%zz',
    '%00',
    '%2e%2e%2f',
    '/../',
    '//',
    '/./',
    ';x',
    '\\',
    '%ff%fe',
    '%C0%AF',
    '%ED%A0%80',
    '*',
    '#x',
    '?',
    '??',

    '?a=1&a=2',
    '?__proto__[x]=1',
    '?constructor=1',
    '?app[]=1',
    '?app=%zz',
    '?id=%00',
    '?k=%F0%9F%98',
    '?app=a&reason=b',

    '__proto__',
    'constructor',
    'toString',
    'x'.repeat(random.size(20_000)),
    '%41'.repeat(random.size(4000)),
    '/'.repeat(500),
    random.bytes(1 + random.under(8)).toString('hex'),
    CANARY,
  ])
  return random.pick([
    `${target}${strange}`,
    `/${strange}${target}`,
    `${target}?${CANARY}=${strange}`,
    `http://${CANARY}${target}`,
    `https://user:${CANARY}@gateway:443${target}${strange}`,
    `//gateway${target}`,
    target.toUpperCase(),
    `${target}/`,
    strange,
    target,
  ])
}
