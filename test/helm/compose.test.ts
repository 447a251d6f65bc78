/** The compose examples by what Docker Compose itself reads its files with. It needs the Go of the chart's tools, and no engine. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { composeReader } from '../../scripts/helm-tools.ts'
import { EXAMPLES } from '../helpers/compose.ts'

function read(example: string, ...options: readonly string[]) {
  const args = [...options, '-format', 'json', 'compose.yaml']
  const cwd = join(EXAMPLES, example)
  const { status, stdout, stderr } = spawnSync(composeReader, args, { cwd, env: {}, encoding: 'utf8' })
  return { status, stderr, model: status === 0 ? JSON.parse(stdout) : undefined }
}

it('with Redis: everything in it is known, and a command that runs alone has a Redis', () => {
  const { status, stderr, model } = read('compose')
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(Object.keys(model.services.hushgate.depends_on)).toEqual(expect.arrayContaining(['init', 'redis']))
})

it('on SQLite: everything in it is known', () => {
  const { status, stderr, model } = read('compose-sqlite', '-no-interpolation')
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(model.services.hushgate.volumes).toHaveLength(2)
})

it('on SQLite: says which name is missing, and for what', () => {
  const { status, stderr } = read('compose-sqlite')
  expect(status).toBe(1)
  expect(stderr).toContain('PUSH_HOST is missing a value: the name of this gateway, such as push.example.com')
})
