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
    const route = methods.has(path) ? path : [...methods.keys()].find((each) => isOfRoute(path, each))
    const known = route === undefined ? undefined : methods.get(route)
    return known === undefined ? undefined : [...known].join(', ')
  }
}

/** `route`: as Fastify has it, with a colon before each parameter, which may have an end that is given: `:appId.json`. */
function isOfRoute(path: string, route: string): boolean {
  const [found, wanted] = [path.split('/'), route.split('/')]
  return found.length === wanted.length && wanted.every((part, index) => isOfPart(found[index] ?? '', part))
}

function isOfPart(found: string, wanted: string): boolean {
  if (!wanted.startsWith(':')) return found === wanted
  const [, end = ''] = /^:\w+(.*)$/.exec(wanted) ?? []
  return found.length > end.length && found.endsWith(end)
}
