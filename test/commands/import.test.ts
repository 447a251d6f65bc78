import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { importSygnal } from '../../src/commands/import.ts'
import type { Config } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import { isJsonObject } from '../../src/core/json.ts'
import { providers } from '../../src/providers/index.ts'
import { EVERY_KEY, SAMPLE, sygnalFolder, type SygnalFolder } from '../config/sygnal-fixtures.ts'
import { textSink } from '../helpers/text-sink.ts'

const APNS = 'type: apns, keyfile: keys/apns.p8, key_id: ABCDEFGHIJ, team_id: KLMNOPQRST, topic: com.example.app'

async function imported(
  folder: SygnalFolder,
  yaml: string,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  await folder.write('sygnal.yaml', yaml)
  const stdout = textSink()
  expect(await importSygnal({ path: 'sygnal.yaml', workingDirectory: folder.path, env, stdout })).toBe(0)
  return stdout.text()
}

/** What decides how it behaves. */
function behaviour({ file: _file, files: _files, warnings: _warnings, proxy, ...rest }: Config): unknown {
  return { ...rest, proxy: { ...proxy, credentials: proxy?.credentials?.reveal() } }
}

describe('hushgate import', () => {
  it.each([
    ['the sample that comes with Sygnal', SAMPLE, {}],
    ['every key that Sygnal documents', EVERY_KEY, {}],
    ['globs that overlap', `apps: { 'a.*': { ${APNS} }, '*.b': { ${APNS} } }`, {}],
    ['an app that is left out', `apps: { a: { ${APNS} }, b: { type: gcm, api_key: k } }`, {}],
    ['a proxy from the environment', `apps: { a: { ${APNS} } }`, { HTTPS_PROXY: 'http://user:secret@proxy:1' }],
    ['text that looks like a variable', `apps: { a: { ${APNS} } }\nproxy: 'http://\${u}@p'`, {}],
  ])('of %s prints a file that is accepted, and behaves the same', async (_name, yaml, env) => {
    await using folder = await sygnalFolder()
    await folder.write('hushgate.yaml', await imported(folder, yaml, env))
    const ours = await loadConfig({ path: folder.at('hushgate.yaml'), kinds: providers, env })
    expect(behaviour(ours)).toEqual(behaviour(await folder.load(yaml, {}, env)))
  })

  it('writes a comment above each setting that is worth a look', async () => {
    await using folder = await sygnalFolder()
    const lines = (await imported(folder, EVERY_KEY)).split('\n')
    const above = (setting: string): string => {
      const index = lines.findIndex((line) => line.trim() === setting)
      const start = lines.findLastIndex((line, at) => at < index && !line.trim().startsWith('#'))
      return lines.slice(start + 1, index).join('\n')
    }
    expect(above('admin:')).toMatch(
      /# differs: metrics.prometheus: [^]*# cannot: metrics.opentracing: [^]*# cannot: metrics.sentry: /,
    )
    expect(above('unknown_app: reject')).toMatch(/^# safer: Sygnal rejects/)
    expect(above('com.example.key:')).toMatch(/^ {2}# obsolete: inflight_request_limit: /)
    expect(above('com.example.android:')).toMatch(
      /# obsolete: inflight_request_limit: as said of apps\["com.example.key"\]/,
    )
    expect(above('badge_pushes: send')).toMatch(/^ {4}# safer: /)
    expect(lines.slice(0, 12).join('\n')).toMatch(/# obsolete: db: [^]*# obsolete: database: as said of db/)
    expect(lines.filter((line) => line.startsWith('#') && line.length > 120)).toEqual([])
  })

  it('does not print the secret of the environment', async () => {
    await using folder = await sygnalFolder()
    const text = await imported(folder, `apps: { a: { ${APNS} } }`, { HTTPS_PROXY: 'http://user:secret@proxy:1' })
    expect(text).not.toContain('secret')
    const document: unknown = parse(text)
    expect(isJsonObject(document) && document['proxy']).toBe('${HTTPS_PROXY}')
  })

  it.each([
    ['a file that is not there', undefined, /sygnal.yaml does not exist$/],
    ['no YAML', 'a: [', /sygnal.yaml:1: not valid YAML/],
    [
      'every mistake at once',
      'apps:\n  a: {}\n  b: { type: x.Y }',
      /sygnal.yaml:2: apps.a.type: [^]*sygnal.yaml:3: apps.b.type: x.Y/,
    ],
  ])('refuses %s', async (_name, yaml, expected) => {
    await using folder = await sygnalFolder()
    if (yaml !== undefined) await folder.write('sygnal.yaml', yaml)
    const options = { path: 'sygnal.yaml', workingDirectory: folder.path, env: {}, stdout: textSink() }
    await expect(importSygnal(options)).rejects.toThrow(expected)
    expect(options.stdout.text()).toBe('')
  })
})
