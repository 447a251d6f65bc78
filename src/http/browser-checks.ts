/** What tells a program that an operator runs from a web page that his browser shows. */
import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import { matchesGlob } from '../core/glob.ts'

/**
 * Whether the header Host may stand there: an address, a name without a dot, or one of these globs. A page from outside can have its own name lead to any
 * address (DNS rebinding), but it cannot call itself by an address, nor without a dot.
 */
export function createHostCheck(globs: readonly string[]): (host: string | undefined) => boolean {
  const patterns = globs.map((glob) => Array.from(glob.toLowerCase()))
  return (host) => {
    const name = nameIn(host)
    if (name === undefined) return false
    if (isIP(name) !== 0 || !name.includes('.')) return true
    const characters = Array.from(name)
    return patterns.some((pattern) => matchesGlob(pattern, characters))
  }
}

/**
 * Whether a browser asks for a page that did not come from here. Programs send neither header. The scheme of an origin is left out of account, because a proxy
 * before us may speak TLS; whether the host is ours is up to `createHostCheck`.
 */
export function isFromForeignPage({ origin, host, 'sec-fetch-site': site }: IncomingHttpHeaders): boolean {
  if (site !== undefined && site !== 'none' && site !== 'same-origin') return true
  if (origin === undefined) return false
  return !URL.canParse(origin) || !/^https?:/.test(origin) || new URL(origin).host !== host?.toLowerCase()
}

/** Without port, brackets, and the dot at the end of a name; undefined for what is no host. */
function nameIn(host: string | undefined): string | undefined {
  if (host === undefined || !URL.canParse(`http://${host}`)) return undefined
  const { hostname, username, pathname, search, hash } = new URL(`http://${host}`)
  if (username !== '' || pathname !== '/' || search !== '' || hash !== '') return undefined
  return hostname.replaceAll(/[[\]]/g, '').replace(/\.$/, '')
}
