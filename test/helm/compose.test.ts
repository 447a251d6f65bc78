/** The compose examples as Docker Compose reads them. It needs the Go of the chart's tools, and no engine. */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { composeReader } from '../../scripts/helm-tools.ts'
import { EXAMPLES } from '../helpers/compose.ts'

/** `environment` is all that it has. */
function read(example: string, environment: Readonly<Record<string, string>> = {}): ReturnType<typeof run> {
  return run(join(EXAMPLES, example), environment)
}

function run(folder: string, environment: Readonly<Record<string, string>>) {
  const options = { cwd: folder, env: environment, encoding: 'utf8' } as const
  const { status, stdout, stderr } = spawnSync(composeReader, ['-format', 'json', 'compose.yaml'], options)
  return { status, stderr, model: status === 0 ? JSON.parse(stdout) : undefined }
}

it('with Redis: everything in it is known, and a command that runs alone has a Redis', () => {
  const { status, stderr, model } = read('compose')
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(Object.keys(model.services.hushgate.depends_on)).toEqual(expect.arrayContaining(['init', 'redis']))
})

it('on SQLite: everything in it is known, and Caddy is given the name', () => {
  const { status, stderr, model } = read('compose-sqlite', { PUSH_HOST: 'push.example.org' })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(JSON.stringify(model.services.caddy.command)).toContain('push.example.org')
  expect(model.services.hushgate.volumes).toHaveLength(2)
})

it('on SQLite without a name: says what is missing', () => {
  const { status, stderr } = read('compose-sqlite')
  expect(status).toBe(1)
  expect(stderr).toContain('PUSH_HOST')
  expect(stderr).toContain('the name of this gateway')
})
