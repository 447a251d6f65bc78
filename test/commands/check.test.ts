import { chmod } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { check, type CheckOptions } from '../../src/commands/check.ts'
import { configFolder, kinds, type ConfigFolder } from '../helpers/config-folder.ts'
import { textSink } from '../helpers/text-sink.ts'

async function run(folder: ConfigFolder, yaml: string, options: Partial<CheckOptions> = {}) {
  await folder.write('hushgate.yaml', yaml)
  const [stdout, stderr] = [textSink(), textSink()]
  const path = folder.at('hushgate.yaml')
  const code = await check({ path, env: {}, kinds, stdout, stderr, online: false, ...options })
  return { code, stdout: stdout.text(), stderr: stderr.text() }
}

describe('hushgate check', () => {
  it('says that a good configuration is valid, and how many apps it has', async () => {
    await using folder = await configFolder()
    const app = '{ type: pigeon, key_file: key }'
    expect(await run(folder, `apps:\n  a: ${app}\n`)).toEqual({
      code: 0,
      stdout: 'configuration is valid: 1 app\n',
      stderr: '',
    })
    expect((await run(folder, `apps:\n  a: ${app}\n  b: ${app}\n`)).stdout).toBe('configuration is valid: 2 apps\n')
  })

  it('prints every mistake with its file and line, and fails', async () => {
    await using folder = await configFolder()
    const file = folder.at('hushgate.yaml')
    expect(await run(folder, 'apps:\n  a.b:\n    type: pigeon\n    key_file: none\nhttp: { port: x }\n')).toEqual({
      code: 1,
      stdout: '',
      stderr: [
        `${file}:4: apps["a.b"].key_file: ${folder.at('none')} does not exist`,
        `${file}:5: http.port: expected a whole number from 0 to 65535, found text`,
        '',
      ].join('\n'),
    })
  })

  it('shows no secret that an environment variable holds in the place of the name of a file', async () => {
    await using folder = await configFolder()
    const env = { SECRET: 'xoxb-super-secret', FOLDER: '/nowhere' }
    const { stderr } = await run(
      folder,
      'admin: { token_file: "${SECRET}" }\napps:\n  a: { type: pigeon, key_file: "${SECRET}" }\n  b: { type: pigeon, key_file: "${FOLDER}/key" }\n',
      { env },
    )
    expect(stderr).not.toContain('super-secret')
    expect(stderr).toContain('admin.token_file: ${SECRET} does not exist')
    expect(stderr).toContain('apps.a.key_file: ${SECRET} does not exist')
    expect(stderr).toContain('apps.b.key_file: ${FOLDER}/key does not exist')
  })

  it('warns of keys that every user of the machine can read', async () => {
    await using folder = await configFolder()
    await folder.write('token', 'a token of more than 22 characters'.replaceAll(' ', '-'))
    await chmod(folder.at('token'), 0o644)
    const yaml = 'admin: { token_file: token }\napps:\n  a: { type: pigeon, key_file: key }\n'
    const { code, stderr } = await run(folder, yaml)
    expect(code).toBe(0)
    expect(stderr).toMatch(/:1: admin\.token_file: every user of this machine can read the file/)
    await chmod(folder.at('token'), 0o640)
    expect((await run(folder, yaml)).stderr).toBe('')
  })

  it('asks each push service with --online, and fails when one refuses', async () => {
    await using folder = await configFolder()
    await folder.write('refused', 'coo the loft does not know this key')
    const good = '  a: { type: pigeon, key_file: key }\n'
    const bad = '  b: { type: pigeon, key_file: refused }\n'
    expect(await run(folder, `apps:\n${good}${bad}`, { online: true })).toEqual({
      code: 1,
      stdout:
        'configuration is valid: 2 apps\nstore: nothing is wrong\na: accepted\nb: the loft does not know this key\n',
      stderr: '',
    })
    expect((await run(folder, `apps:\n${good}`, { online: true })).code).toBe(0)
  })

  it('asks through the probe that it is given', async () => {
    await using folder = await configFolder()
    const { stdout } = await run(folder, 'apps:\n  a: { type: pigeon, key_file: key }\n', {
      online: true,
      probe: async ({ name }) => ({ ok: false, reason: `asked for ${name}` }),
    })
    expect(stdout).toContain('a: asked for a\n')
  })
})
