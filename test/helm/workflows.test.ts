/** The workflows of .github, as actionlint judges them: expressions, inputs of actions, what a job may refer to. What they must not do: packaging.test.ts. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { actionlint } from '../../scripts/helm-tools.ts'

const CHECKOUT = join(import.meta.dirname, '../..')

it('the workflows have nothing that actionlint objects to', () => {
  // It would also ask shellcheck and pyflakes, where a machine happens to have them.
  const args = ['-no-color', '-shellcheck=', '-pyflakes=', '-config-file=/dev/null']
  const { status, stdout, stderr } = spawnSync(actionlint, args, { cwd: CHECKOUT, encoding: 'utf8' })
  expect(stdout + stderr).toBe('')
  expect(status).toBe(0)
})
