/** The options that name hosts. */
import type { Report } from '../inspect.ts'

const HOST_GLOB = /^(?:[\w*?.-]+|\[[\da-f:.*?]+\])$/i

/** Reports each glob that is none of a host. */
export function checkHosts(globs: readonly string[] | undefined, option: string, report: Report): void {
  for (const glob of globs ?? [])
    if (!HOST_GLOB.test(glob))
      report(option, `${JSON.stringify(glob)} is not the name of a host, such as *.push.apple.com`)
}
