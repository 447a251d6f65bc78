/** The site of the documents, as far as it is decided before it is built. */
import { describe, expect, it } from 'vitest'
import { mistakesIn } from '../../site/built.ts'
import { anchorOf, linkOnSite, pageOf, type Kind } from '../../site/links.ts'
import { subjectsOf } from '../../site/pages.ts'
import { anchorsOf } from './references.ts'

const ROOT = new URL('../..', import.meta.url).pathname
const KINDS: Readonly<Record<string, Kind>> = {
  'README.md': 'page',
  'docs/privacy.md': 'page',
  'docs/facts/README.md': 'page',
  'docs/facts': 'folder',
  'config/examples': 'folder',
  'config/one.yaml': 'file',
}
const onSite = (href: string): string => linkOnSite(href, 'docs/metrics.md', (path) => KINDS[path])

describe('a link', () => {
  it.each([
    ['to a page', 'privacy.md', './privacy.md'],
    ['to a heading of it', 'privacy.md#part', './privacy.md#part'],
    ['to a page that stands for its folder', '../README.md#part', '../index.md#part'],
    ['to a folder with such a page', 'facts', './facts/index.md'],
    [
      'to a file that is no page',
      '../config/one.yaml',
      'https://github.com/hushgate/hushgate/blob/main/config/one.yaml',
    ],
    ['to a folder', '../config/examples/', 'https://github.com/hushgate/hushgate/tree/main/config/examples'],
    ['to a heading of the same page', '#part', '#part'],
    ['to elsewhere', 'https://example.org/a.md', 'https://example.org/a.md'],
  ])('%s leads there on the site', (_, href, expected) => {
    expect(onSite(href)).toBe(expected)
  })

  it('to nothing ends the building', () => {
    expect(() => onSite('three.md')).toThrow('docs/metrics.md links to three.md, which does not exist')
  })

  it.each(['Dead tokens', 'iOS (APNs)', 'keys of default_payload', 'A power cut, a failover'])(
    'to the heading “%s” is the same on GitHub and here',
    (heading) => {
      expect([...anchorsOf(`# ${heading}`)]).toEqual([anchorOf(heading)])
    },
  )
})

describe('the pages as they are built', () => {
  const page = (body: string): readonly string[] =>
    mistakesIn(
      new Map([
        ['index.html', '<h1 id="top">'],
        ['docs/a.html', body],
      ]),
      '/base/',
    )

  it.each([
    '<a href="/base/#top">',
    '<a href="../index.html#top">',
    '<a class="x" href="#here"><h2 id="here">',
    '<a href="https://example.org/">',
    '<img src="/base/assets/a.png">',
    '<link rel="stylesheet" href="/base/assets/a.css">',
  ])('may have %s', (body) => {
    expect(page(body)).toEqual([])
  })

  it.each([
    ['<a href="b.html">', 'docs/a.html links to docs/b.html, which is no page'],
    ['<a href="/base/#nothing">', 'docs/a.html links to index.html#nothing, where there is no such heading'],
    ['<img alt="" src="https://example.org/a.png">', 'docs/a.html asks https://example.org/a.png for something'],
    ['<script async src="//example.org/a.js">', 'docs/a.html asks //example.org/a.js for something'],
    ['<style>@font-face{src:url(https://example.org/f)}', 'docs/a.html asks https://example.org/f for something'],
  ])('may not have %s', (body, mistake) => {
    expect(page(body)).toEqual([mistake])
  })
})

it('every document is in the list of pages once, with a title', () => {
  const pages = subjectsOf(ROOT).flatMap((subject) => subject.pages)
  expect(pages.map(({ path }) => path)).toEqual(
    expect.arrayContaining(['README.md', 'docs/privacy.md', 'CHANGELOG.md']),
  )
  expect(new Set(pages.map(({ path }) => pageOf(path))).size).toBe(pages.length)
  expect(pages.filter(({ title }) => title === '')).toEqual([])
})
