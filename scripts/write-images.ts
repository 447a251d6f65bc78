/** Writes docs/images: the page for people as Chromium shows it. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { startChromium } from '../test/helpers/chromium.ts'
import { createTestNotifyServer } from '../test/helpers/notify-server.ts'
import { THREE_APPS } from '../test/privacy/stated.ts'

const IMAGES = new URL('../docs/images/', import.meta.url)

mkdirSync(IMAGES, { recursive: true })
await using chromium = await startChromium()
const server = createTestNotifyServer({ stated: () => THREE_APPS })
const url = await server.listen({ host: '127.0.0.1', port: 0 })
for (const [name, width, isDark] of [
  ['page-360', 360, false],
  ['page-1280-dark', 1280, true],
] as const) {
  const page = await chromium.open(`${url}/`, { width, height: 740, scale: 1, isDark })
  writeFileSync(new URL(`${name}.png`, IMAGES), await page.screenshot())
}
await server.close()
