/** The screenshots in docs/images. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { PICTURED_PAGES, picturedPages } from '../../scripts/pictured-pages.ts'

it('were taken of the pages as they are; take them anew with: node scripts/write-images.ts', () => {
  const taken: unknown = JSON.parse(
    readFileSync(new URL(`../../docs/images/${PICTURED_PAGES}`, import.meta.url), 'utf8'),
  )
  expect(taken).toEqual(picturedPages())
})
