/** Requests whose length two readers could see differently, each with a second request hidden in it; and what is no request at all. */
import { CANARY, NOTIFY_PATH } from './requests.ts'
import type { Random } from './random.ts'

interface Written {
  readonly what: string
  readonly bytes: Buffer
}

/** It would be answered with no content and as text, as nothing else is. */
const HIDDEN_REQUEST = 'GET /health HTTP/1.1\r\nHost: gateway\r\n\r\n'

const LENGTH = HIDDEN_REQUEST.length
const CHUNKED = 'Transfer-Encoding: chunked'
const LAST_CHUNK = '0\r\n\r\n'

/** Headers of a POST, and its body, in which the request is hidden. */
const SMUGGLED: readonly (readonly [what: string, headers: readonly string[], body: string])[] = [
  ['a length and chunks', ['Content-Length: 5', CHUNKED], LAST_CHUNK + HIDDEN_REQUEST],
  ['chunks and a length', [CHUNKED, `Content-Length: ${LENGTH + 5}`], LAST_CHUNK + HIDDEN_REQUEST],
  ['two lengths', ['Content-Length: 0', `Content-Length: ${LENGTH}`], HIDDEN_REQUEST],
  ['two lengths the other way', [`Content-Length: ${LENGTH}`, 'Content-Length: 0'], HIDDEN_REQUEST],
  ['two lengths in one header', [`Content-Length: ${LENGTH}, 0`], HIDDEN_REQUEST],
  ['the same length twice', [`Content-Length: ${LENGTH}`, `Content-Length: ${LENGTH}`], HIDDEN_REQUEST],
  ['a trailer that says a length', [CHUNKED], `1\r\nx\r\n0\r\nContent-Length: ${LENGTH}\r\n\r\n`],
  ['a length below zero', ['Content-Length: -1'], HIDDEN_REQUEST],
  ['a length with a sign', [`Content-Length: +${LENGTH}`], HIDDEN_REQUEST],
  ['a length with an exponent', ['Content-Length: 1e1'], HIDDEN_REQUEST],
  ['a length in hexadecimal', ['Content-Length: 0x0'], HIDDEN_REQUEST],
  ['a length beyond all numbers', ['Content-Length: 18446744073709551616'], HIDDEN_REQUEST],
  ['a length with a blank before the colon', ['Content-Length : 0'], HIDDEN_REQUEST],
  ['a length with a zero byte', ['Content-Length: 0\0'], HIDDEN_REQUEST],
  ['a length on the next line', ['Content-Length:', ` ${LENGTH}`], HIDDEN_REQUEST],
  [
    'chunks on the next line',
    ['Transfer-Encoding:', ' chunked', `Content-Length: ${LENGTH}`],
    LAST_CHUNK + HIDDEN_REQUEST,
  ],
  ['chunks after a tab', ['Transfer-Encoding:\tchunked', `Content-Length: ${LENGTH + 5}`], LAST_CHUNK + HIDDEN_REQUEST],
  [
    'chunks with a blank before the colon',
    ['Transfer-Encoding : chunked', `Content-Length: ${LENGTH + 5}`],
    LAST_CHUNK + HIDDEN_REQUEST,
  ],
  ['chunks twice', [CHUNKED, 'Transfer-Encoding: identity', 'Content-Length: 5'], LAST_CHUNK + HIDDEN_REQUEST],
  ['nearly chunks', ['Transfer-Encoding: xchunked', `Content-Length: ${LENGTH + 5}`], LAST_CHUNK + HIDDEN_REQUEST],
  ['chunks and then something', ['Transfer-Encoding: chunked, gzip', 'Content-Length: 5'], LAST_CHUNK + HIDDEN_REQUEST],
  [
    'chunks in a line that ends with LF',
    [`X: x\nTransfer-Encoding: chunked`, 'Content-Length: 5'],
    LAST_CHUNK + HIDDEN_REQUEST,
  ],
  [
    'chunks in a line that ends with CR',
    [`X: x\rTransfer-Encoding: chunked`, `Content-Length: ${LENGTH + 5}`],
    LAST_CHUNK + HIDDEN_REQUEST,
  ],
  ['a head that ends with LF', [`Content-Length: ${LENGTH}\n\n`], HIDDEN_REQUEST],
  ['a chunk whose length has a sign', [CHUNKED], `-1\r\n${HIDDEN_REQUEST}`],
  ['a chunk whose length has 0x', [CHUNKED], `0x0\r\n\r\n${HIDDEN_REQUEST}`],
  ['a chunk whose length is beyond all numbers', [CHUNKED], `10000000000000000\r\n${HIDDEN_REQUEST}`],
  ['a chunk whose length is the largest number', [CHUNKED], `ffffffffffffffff\r\n${HIDDEN_REQUEST}`],
  ['a chunk whose length has a blank', [CHUNKED], `0 0\r\n\r\n${HIDDEN_REQUEST}`],
  ['a chunk that ends with LF', [CHUNKED], `1\nx\n0\n\n${HIDDEN_REQUEST}`],
  ['a chunk that is longer than it says', [CHUNKED], `1\r\nxx\r\n0\r\n\r\n${HIDDEN_REQUEST}`],
  [
    'a chunk that is shorter than it says',
    [CHUNKED],
    `${(LENGTH + 9).toString(16)}\r\nx\r\n${LAST_CHUNK}${HIDDEN_REQUEST}`,
  ],
  ['a chunk with an extension that ends with LF', [CHUNKED], `1;x\nx\r\n0\r\n\r\n${HIDDEN_REQUEST}`],
  ['a chunk with an extension of 64 KiB', [CHUNKED], `1;${'x'.repeat(65_536)}\r\nx\r\n0\r\n\r\n${HIDDEN_REQUEST}`],
  ['headers before which there is a blank', [' X: x', `Content-Length: ${LENGTH}`], HIDDEN_REQUEST],
  ['a header without a colon', ['X', `Content-Length: ${LENGTH}`], HIDDEN_REQUEST],
  ['a header without a name', [': x', `Content-Length: ${LENGTH}`], HIDDEN_REQUEST],
]
export function smuggled(random: Random): Written {
  const [what, headers, body] = random.pick(SMUGGLED)
  const version = random.pick(['1.1', '1.1', '1.1', '1.0'])
  const lines = [`POST ${NOTIFY_PATH} HTTP/${version}`, 'Host: gateway', ...headers, `X: ${CANARY}`, '', '']
  return { what, bytes: Buffer.from(lines.join('\r\n') + body, 'latin1') }
}

const GARBAGE: readonly (readonly [what: string, bytes: (random: Random) => Buffer | string])[] = [
  ['TLS', (random) => Buffer.concat([Buffer.from('16030100a5010000a10303', 'hex'), random.bytes(160)])],
  [
    'HTTP/2',
    (random) => Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), random.bytes(random.size(200))]),
  ],
  ['HTTP/0.9', () => 'GET /\r\n'],
  ['HTTP/9.9', () => `GET /${CANARY} HTTP/9.9\r\nHost: x\r\n\r\n`],
  ['SSH', () => 'SSH-2.0-OpenSSH_9.2\r\n'],
  ['SOCKS', () => Buffer.from('050100050100037f0000010050', 'hex')],
  ['PROXY', () => 'PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n'],
  ['Redis', () => '*1\r\n$4\r\nINFO\r\n'],
  ['a tunnel', () => 'CONNECT localhost:6379 HTTP/1.1\r\nHost: localhost:6379\r\n\r\n'],
  [
    'a web socket',
    () =>
      upgrade(
        `GET ${NOTIFY_PATH}`,
        'websocket',
        'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
        'Sec-WebSocket-Version: 13',
      ),
  ],
  ['HTTP/2 by upgrade', () => upgrade(`POST ${NOTIFY_PATH}`, 'h2c', 'HTTP2-Settings: AAMAAABk', 'Content-Length: 0')],
  ['an answer', () => 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
  ['no host', () => 'GET / HTTP/1.1\r\n\r\n'],
  ['two hosts', () => 'GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n'],
  ['a host that is none', () => `GET /healthz HTTP/1.1\r\nHost: ${CANARY}@[::1%zz]:99999/\r\n\r\n`],
  ['a host as in rebinding', () => 'GET /healthz HTTP/1.1\r\nHost: evil.example.org\r\n\r\n'],
  ['2,500 headers', () => `GET / HTTP/1.1\r\nHost: x\r\n${'A: b\r\n'.repeat(2500)}\r\n`],
  ['64 KiB of a header', () => `GET / HTTP/1.1\r\nHost: x\r\nX: ${'x'.repeat(65_536)}\r\n\r\n`],
  ['64 KiB of an address', () => `GET /${'x'.repeat(65_536)} HTTP/1.1\r\nHost: x\r\n\r\n`],
  ['64 KiB of a method', () => `${'X'.repeat(65_536)} / HTTP/1.1\r\nHost: x\r\n\r\n`],
  ['64 KiB of empty lines', () => `${'\r\n'.repeat(32_768)}GET /health HTTP/1.1\r\nHost: x\r\n\r\n`],
  ['lines that end with LF', () => 'GET / HTTP/1.1\nHost: x\n\n'],
  ['lines that end with CR', () => 'GET / HTTP/1.1\rHost: x\r\r'],
  [
    'an expectation that nobody has',
    () => `POST ${NOTIFY_PATH} HTTP/1.1\r\nHost: x\r\nExpect: ${CANARY}\r\nContent-Length: 2\r\n\r\n{}`,
  ],
  [
    'an expectation, and the body at once',
    () => `POST ${NOTIFY_PATH} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}`,
  ],
  ['a method in small letters', () => `post ${NOTIFY_PATH} HTTP/1.1\r\nHost: x\r\n\r\n`],
  ['a method that is none', () => `${CANARY} / HTTP/1.1\r\nHost: x\r\n\r\n`],
  ['chance', (random) => random.bytes(random.size(4000))],
  ['zero bytes', (random) => Buffer.alloc(random.size(4000))],
  ['nothing', () => ''],
]

/** The port waits for no head or body that nobody will send: what is written ends with the connection. */
export function garbage(random: Random): Written {
  const [what, bytes] = random.pick(GARBAGE)
  return { what, bytes: Buffer.from(bytes(random)) }
}

function upgrade(start: string, protocol: string, ...headers: readonly string[]): string {
  return [`${start} HTTP/1.1`, 'Host: x', 'Connection: Upgrade', `Upgrade: ${protocol}`, ...headers, '', ''].join(
    '\r\n',
  )
}
