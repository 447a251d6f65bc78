/** What is wrong with the pages as they were built, as sentences. Pure. */
import { posix } from 'node:path'

/** The HTML of each page by its path from the root of the site, such as `docs/privacy.html`. */
export type Pages = ReadonlyMap<string, string>

/** What a browser asks for by itself when it shows a page: not what people may click. */
const ASKED_FOR =
  /<(?:script|img|iframe|source|video|audio|embed|link)\b[^>]*?\s(?:src|href|srcset)="([^"]*)"|url\(\s*['"]?([^'")]+)/g
const LINK = /<a\b[^>]*?\shref="([^"#]*)(?:#([^"]*))?"/g

export function mistakesIn(pages: Pages, base: string): readonly string[] {
  return [...pages].flatMap(([path, html]) => [...outside(path, html), ...dead(path, html, pages, base)])
}

function outside(path: string, html: string): readonly string[] {
  return [...html.matchAll(ASKED_FOR)]
    .map(([, named, styled]) => named ?? styled ?? '')
    .filter((url) => /^(?:\w+:)?\/\//.test(url))
    .map((url) => `${path} asks ${url} for something`)
}

function dead(path: string, html: string, pages: Pages, base: string): readonly string[] {
  return [...html.matchAll(LINK)].flatMap(([, href = '', anchor]) => {
    if (/^\w+:/.test(href)) return []
    const target = targetOf(href, path, base)
    const page = pages.get(target)
    if (page === undefined) return [`${path} links to ${target}, which is no page`]
    const isThere = anchor === undefined || anchor === '' || page.includes(` id="${decodeURIComponent(anchor)}"`)
    return isThere ? [] : [`${path} links to ${target}#${anchor}, where there is no such heading`]
  })
}

function targetOf(href: string, from: string, base: string): string {
  if (href === '') return from
  const path = href.startsWith(base) ? href.slice(base.length) : posix.join(posix.dirname(from), href)
  if (path === '' || path === '.' || path.endsWith('/')) return posix.join(path, 'index.html')
  return path.endsWith('.html') ? path : `${path}.html`
}
