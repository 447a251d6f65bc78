/** Of which pages scripts/write-images.ts took its screenshots: a page that has changed since then shows in a test. */
import { createHash } from 'node:crypto'
import { demonstrationPage } from '../src/commands/demonstration/page.ts'
import { privacyPage } from '../src/privacy/page.ts'
import { THREE_APPS } from '../test/privacy/stated.ts'

/** Beside the pictures. */
export const PICTURED_PAGES = 'pages.json'

/** What the pages are made of, each as a hash. */
export function picturedPages(): Readonly<Record<'page' | 'demonstration', string>> {
  return { page: hash(privacyPage(THREE_APPS)), demonstration: hash(demonstrationPage('')) }
}

function hash(html: string): string {
  return createHash('sha256').update(html).digest('hex')
}
