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

/** Whether a browser asks for a page of another origin, or for one that says its own. Programs send neither header. */
export function isFromPage(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site']
  return headers.origin !== undefined || (site !== undefined && site !== 'none' && site !== 'same-origin')
}

/** Without port, brackets, and the dot at the end of a name; undefined for what is no host. */
function nameIn(host: string | undefined): string | undefined {
  if (host === undefined || !URL.canParse(`http://${host}`)) return undefined
  const { hostname, username, pathname, search, hash } = new URL(`http://${host}`)
  if (username !== '' || pathname !== '/' || search !== '' || hash !== '') return undefined
  return hostname.replaceAll(/[[\]]/g, '').replace(/\.$/, '')
}
