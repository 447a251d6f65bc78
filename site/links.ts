/** How the site follows the links of documents that are written for GitHub. Pure. */
import { posix } from 'node:path'

export const REPOSITORY = 'https://github.com/hushgate/hushgate'

export type Kind = 'page' | 'folder' | 'file'

/** What there is at a path from the root of the repository; undefined: nothing. */
export type KindOf = (path: string) => Kind | undefined

/** The page of a document that stands for its folder. */
export function pageOf(path: string): string {
  return path.replace(/(^|\/)README\.md$/, '$1index.md')
}

/**
 * A link of `from` (a document, from the root of the repository) as the site has it. To another page it stays relative. What is no page, such as a sample or a
 * source, is looked at on GitHub. Throws where there is nothing.
 */
export function linkOnSite(href: string, from: string, kindOf: KindOf): string {
  if (href.startsWith('#') || /^\w+:/.test(href)) return href
  const [target = '', anchor] = href.split('#', 2)
  const suffix = anchor === undefined ? '' : `#${anchor}`
  const path = posix.join(posix.dirname(from), target).replace(/\/$/, '')
  const page = [path, posix.join(path, 'README.md')].find((each) => kindOf(each) === 'page')
  if (page !== undefined) return `${relative(posix.dirname(from), pageOf(page))}${suffix}`
  const kind = kindOf(path)
  if (kind === undefined) throw new Error(`${from} links to ${href}, which does not exist`)
  return `${REPOSITORY}/${kind === 'folder' ? 'tree' : 'blob'}/main/${path}${suffix}`
}

function relative(folder: string, path: string): string {
  const shown = posix.relative(folder, path)
  return shown.startsWith('.') ? shown : `./${shown}`
}

/** The anchor of a heading, as GitHub makes it, so that a link works there and here. A second one of a page gets `-1` from the generator. */
export function anchorOf(heading: string): string {
  return heading
    .trim()
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
    .replaceAll(' ', '-')
}
