/**
 * Loaded before Hushgate (`node --import`): makes Node itself throw at the place that a word in a request names, as other people's code throws: an
 * error that quotes what it was given in its message, its cause and its properties.
 */
import { EventEmitter } from 'node:events'
import { createRequire, syncBuiltinESMExports } from 'node:module'
import { TLSSocket } from 'node:tls'

const crypto = createRequire(import.meta.url)('node:crypto')

/** The last request in which a place was named. */
let quoted = ''

function isAt(place: string): boolean {
  return quoted.includes(`throw-${place}-`)
}

function thrown(): Error {
  const error = new TypeError(`It fails with ${quoted}\n    at ${quoted}`, { cause: new Error(quoted) })
  return Object.assign(error, { request: { body: quoted }, code: quoted, pushkey: quoted })
}

/** While a request is read, which its handler expects; and the request is kept for the other places. */
const { parse } = JSON
JSON.parse = function parseOrThrow(text: string, ...more) {
  if (/throw-\w+-/.test(text)) quoted = text
  if (quoted === text && isAt('reading')) throw thrown()
  return parse(text, ...more)
}

/** While its parts are hashed, which nobody expects. */
const { hash } = crypto
crypto.hash = function hashOrThrow(...args: unknown[]) {
  if (isAt('hashing')) {
    const error = thrown()
    quoted = ''
    throw error
  }
  return hash(...args)
}
syncBuiltinESMExports()

/** When a push service answers: outside any promise, as a rejection that nobody hears, as what is no Error, or as a warning. */
// oxlint-disable-next-line typescript/unbound-method -- called with its own `this` below
const { emit } = EventEmitter.prototype
EventEmitter.prototype.emit = function emitOrThrow(event: string | symbol, ...args: unknown[]) {
  const isAnswer = event === 'response' || (event === 'data' && this instanceof TLSSocket && this.alpnProtocol === 'h2')
  if (isAnswer) {
    if (isAt('answer')) throw thrown()
    if (isAt('rejection')) void Promise.reject(thrown())
    // oxlint-disable-next-line typescript/only-throw-error -- on purpose
    if (isAt('text')) throw quoted
    if (isAt('warning')) process.emitWarning(thrown())
  }
  return emit.call(this, event, ...args)
}
