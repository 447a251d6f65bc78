/** axe-core in a page: what people who hear the page, or use it by keyboard, would stumble over. */
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Page } from './chromium.ts'

/** For `PageOptions.script`. */
export const AXE = readFileSync(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8')

/** The serious and critical findings, as `rule: element`; of a page that was opened with `AXE`. */
export async function barriers(page: Page): Promise<unknown> {
  return page.evaluate(`axe.run().then(({ violations }) => violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map(({ html }) => id + ': ' + html)))`)
}
