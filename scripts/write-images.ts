/** Writes the page for people, and the demonstration, as Chromium shows them, into docs/images. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startChromium, type Chromium } from '../test/helpers/chromium.ts'
import { startHushgate } from '../test/helpers/hushgate-process.ts'
import { createTestNotifyServer } from '../test/helpers/notify-server.ts'
import { PICTURED_PAGES, picturedPages } from './pictured-pages.ts'
import { THREE_APPS } from '../test/privacy/stated.ts'

const IMAGES = new URL('../docs/images/', import.meta.url)

function write(name: string, png: Buffer): void {
  writeFileSync(new URL(`${name}.png`, IMAGES), png)
}

async function pageForPeople(chromium: Chromium): Promise<void> {
  const server = createTestNotifyServer({ stated: () => THREE_APPS })
  const url = await server.listen({ host: '127.0.0.1', port: 0 })
  for (const [name, width, isDark] of [
    ['page-360', 360, false],
    ['page-1280-dark', 1280, true],
  ] as const) {
    const page = await chromium.open(`${url}/`, { width, height: 740, scale: 1, isDark })
    write(name, await page.screenshot())
  }
  await server.close()
}

async function demonstration(chromium: Chromium): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'hushgate-images-'))
  await using running = startHushgate(['start'], { folder })
  await running.printed('Stop: Ctrl-C')
  const [, url = ''] = /^(http:\S+\/)$/m.exec(running.stdout()) ?? []
  const page = await chromium.open(url, { width: 1000, height: 600, scale: 1 })
  await page.evaluate(`new Promise((resolve) => {
    const arrived = () => [...document.querySelectorAll('#fields td')].filter((each) => each.textContent === '').length === 0
    const observer = new MutationObserver(() => document.querySelector('#fields td') && arrived() && resolve(null))
    observer.observe(document.body, { subtree: true, childList: true, characterData: true })
    document.querySelector('[data-action=message]').click()
  })`)
  write('demonstration', await page.screenshot())
  await running.end('SIGTERM')
  rmSync(folder, { recursive: true })
}

mkdirSync(IMAGES, { recursive: true })
await using chromium = await startChromium()
await pageForPeople(chromium)
await demonstration(chromium)
writeFileSync(new URL(PICTURED_PAGES, IMAGES), `${JSON.stringify(picturedPages(), undefined, 2)}\n`)
