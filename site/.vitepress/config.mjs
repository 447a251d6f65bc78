/** The web site of the documents: what is in the repository, as it is, with a search and a list of pages. `node scripts/build-site.ts` builds it. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { defineConfig } from 'vitepress'
import { anchorOf, linkOnSite, pageOf, REPOSITORY } from '../links.ts'
import { NOT_PAGES, subjectsOf } from '../pages.ts'

const ROOT = join(import.meta.dirname, '../..')
const subjects = subjectsOf(ROOT)
const paths = subjects.flatMap(({ pages }) => pages.map(({ path }) => path))
function kindOf(path) {
  if (paths.includes(path)) return 'page'
  const found = statSync(join(ROOT, path), { throwIfNoEntry: false })
  if (found === undefined) return undefined
  return found.isDirectory() ? 'folder' : 'file'
}

/** Before VitePress looks at the links. */
function takeLinksOfGitHub(markdown) {
  markdown.core.ruler.push('links-of-github', ({ tokens, env }) => {
    // The name may be another (`pageOf`), the folder is the same.
    for (const token of tokens.flatMap(({ children }) => children ?? []))
      if (token.type === 'link_open')
        token.attrSet('href', linkOnSite(token.attrGet('href') ?? '', env.relativePath, kindOf))
  })
}

/** The documents lie above the packages of the site, where nobody would look for these. */
const packagesForPages = {
  name: 'packages-for-pages',
  enforce: 'pre',
  resolveId(name, importer) {
    if (/^vue($|\/)/.test(name) && importer?.includes('.md'))
      return this.resolve(name, import.meta.filename, { skipSelf: true })
  },
}

export default defineConfig({
  title: 'Hushgate',
  description: 'A Matrix push gateway that you run yourself, and that tells Apple and Google next to nothing',
  lang: 'en',
  // No icon is asked for.
  head: [['link', { rel: 'icon', href: 'data:,' }]],
  base: process.env.SITE_BASE ?? '/',
  srcDir: ROOT,
  srcExclude: NOT_PAGES,
  outDir: join(ROOT, '.cache/site'),
  cacheDir: join(ROOT, '.cache/vitepress'),
  rewrites: pageOf,
  vite: { plugins: [packagesForPages] },
  markdown: { anchor: { slugify: anchorOf }, config: takeLinksOfGitHub },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [{ text: 'Source', link: REPOSITORY }],
    sidebar: subjects.map(({ name, pages }) => ({
      text: name,
      items: pages.map(({ path, title }) => ({ text: title, link: `/${pageOf(path)}` })),
    })),
  },
})
