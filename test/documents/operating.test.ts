/** That docs/operating.md speaks of what there is: each state of an app, each alert that it names. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { statusSchema } from '../../src/operator/status.ts'

const ROOT = join(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const document = read('docs/operating.md')

it('says what each state of an app means', () => {
  const [, table = ''] = /^## What each state means$(.*?)^## /ms.exec(document) ?? []
  const named = [...table.matchAll(/^\| `(\w+)`/gm)].map(([, state = '']) => state)
  expect(named.toSorted()).toEqual([...statusSchema.properties.apps.items.properties.state.enum].toSorted())
})

it('names alerts that there are', () => {
  const named = [...document.matchAll(/\bHushgate[A-Z]\w+/g)].map(([name]) => name)
  expect(named.length).toBeGreaterThan(10)
  expect(named.filter((name) => !read('helm/files/alerts.yaml').includes(`alert: ${name}\n`))).toEqual([])
})
