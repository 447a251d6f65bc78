/** The site of the documents, built and looked at: it asks no other host for anything, finds what is searched for, and can be read on a phone. */
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { readFile } from 'node:fs/promises'
import { extname, join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { codeOf } from '../../scripts/document-code.ts'
import { startChromium, type Chromium, type Page } from '../helpers/chromium.ts'

const ROOT = join(import.meta.dirname, '../..')
const BASE = '/hushgate/'
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
}

let built: { readonly status: number | null; readonly stdout: string; readonly stderr: string }
let server: Server
let origin: string
let chromium: Chromium
beforeAll(async () => {
  const env = { ...process.env, SITE_BASE: BASE }
  const [, ...args] = codeOf('CONTRIBUTING.md', 'node scripts/build-site.ts').split(' ')
  built = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8', env })
  server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '', 'http://site')
    const name = decodeURIComponent(pathname.slice(BASE.length)) || 'index.html'
    readFile(join(ROOT, '.cache/site', name)).then(
      (content) => response.writeHead(200, { 'content-type': TYPES[extname(name)] ?? 'application/json' }).end(content),
      () => response.writeHead(404).end(),
    )
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  origin = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
  chromium = await startChromium()
})
afterAll(async () => {
  await chromium[Symbol.asyncDispose]()
  server.closeAllConnections()
  server.close()
})

/** Icons in the style sheet ask nobody. */
function askedElsewhere({ requests }: Page): readonly string[] {
  return requests.filter((each) => !each.startsWith(`${origin}${BASE}`) && !each.startsWith('data:'))
}

/** Resolves once it is true on the page; the limit only catches what hangs. */
async function shows(page: Page, condition: string): Promise<void> {
  const answer = await page.evaluate(`new Promise((resolve) => {
    const look = setInterval(() => { try { if (${condition}) { clearInterval(look); resolve('shown') } } catch {} }, 20)
    setTimeout(() => resolve(document.body.innerText), 40_000)
  })`)
  expect(answer).toBe('shown')
}

it('has every document as a page, and no dead link', () => {
  expect({ status: built.status, stderr: built.stderr }).toEqual({ status: 0, stderr: '' })
  expect(built.stdout).toMatch(/^\d{2,} pages in \.cache\/site: 0 mistakes\.$/m)
})

it('shows the README first, with its picture, and asks no other host for anything', async () => {
  const page = await chromium.open(`${origin}${BASE}`, { width: 1280, height: 900 })
  await shows(page, `document.querySelector('h1').innerText.startsWith('Hushgate')`)
  await shows(page, `[...document.images].length > 0 && [...document.images].every((each) => each.naturalWidth > 0)`)
  expect(page.problems).toEqual([])
  expect(page.requests.length).toBeGreaterThan(3)
  expect(askedElsewhere(page)).toEqual([])
})

it('finds by its own search what a document says, and leads there', async () => {
  const page = await chromium.open(`${origin}${BASE}docs/privacy.html`, { width: 1280, height: 900 })
  await shows(page, `document.querySelector('.VPNavBarSearch button')`)
  await page.evaluate(`document.querySelector('.VPNavBarSearch button').click()`)
  await shows(page, `document.querySelector('.VPLocalSearchBox input')`)
  await page.evaluate(`(() => {
    const input = document.querySelector('.VPLocalSearchBox input')
    input.value = 'coalesce'
    input.dispatchEvent(new Event('input', { bubbles: true }))
  })()`)
  await shows(page, `document.querySelector('.VPLocalSearchBox .results a[href*="/docs/"]')`)
  await page.evaluate(`document.querySelector('.VPLocalSearchBox .results a[href*="/docs/"]').click()`)
  await shows(
    page,
    `document.querySelector('main').innerText.includes('coalesce') && !document.querySelector('.VPLocalSearchBox')`,
  )
  expect(page.problems).toEqual([])
  expect(askedElsewhere(page)).toEqual([])
})

it('fits a phone', async () => {
  const page = await chromium.open(`${origin}${BASE}docs/for-app-makers.html`, { width: 360, height: 740 })
  await shows(page, `document.querySelector('h1')`)
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360)
})
