/** That the table of the chart's values is the chart's. */
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { helmReadme, withValues } from '../../scripts/write-helm-readme.ts'

it('helm/README.md lists the values as values.yaml has them; renew it with: npm run schema', () => {
  const readme = readFileSync(helmReadme, 'utf8')
  expect(readme).toBe(withValues(readme))
})

it('has a row for each value, with its default and what it means', () => {
  const readme = withValues(readFileSync(helmReadme, 'utf8'))
  expect(readme).toContain('| `proxy.port` | `3128` | With file: the port that is in the URL. |')
  expect(readme).toContain('| `roles.worker.replicas` | `2` |')
  expect(readme).toContain('| `roles.worker.*` | as above |')
  expect(readme).not.toContain('Symbol')
})
