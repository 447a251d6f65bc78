/** Which methods a path knows, for the header Allow of an answer 405 (RFC 9110 §15.5.6). */
import type { FastifyInstance } from 'fastify'

/** To be called before there are routes. The result gives the methods for a URL, or undefined where there is nothing at its path. */
export function createAllowedMethods(server: FastifyInstance): (url: string) => string | undefined {
  const methods = new Map<string, Set<string>>()
  server.addHook('onRoute', ({ url, method }) => {
    const known = methods.get(url) ?? new Set()
    methods.set(url, known)
    for (const each of [method].flat()) known.add(each)
  })
  return (url) => {
    const [path = ''] = url.split('?', 1)
    const known = methods.get(path) ?? methods.get(`${path.slice(0, path.lastIndexOf('/') + 1)}:appId`)
    return known === undefined ? undefined : [...known].join(', ')
  }
}
