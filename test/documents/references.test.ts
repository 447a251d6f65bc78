/** That whoever follows a reference arrives: every file, heading and recorded case that a comment or a document names is there. */
import { globSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readCases } from '../golden/cases.ts'
import { anchorsOf, danglingIn, type Repository } from './references.ts'

const ROOT = join(import.meta.dirname, '../..')
const NOT_OURS = ['node_modules', '.git', '.cache', 'data', 'dist', 'coverage']
/** This test and what was recorded name what does not exist. */
const NOT_CHECKED = ['test/documents/references.test.ts', 'test/fixtures/**', 'package-lock.json', 'LICENSE']

function readRepository(): Repository {
  const found = globSync(['**/*', '.*/**/*', '.*'], { cwd: ROOT, exclude: (name) => NOT_OURS.includes(name) })
  const files = found.filter((path) => statSync(join(ROOT, path)).isFile())
  return {
    paths: new Set(files),
    read: (path) => readFileSync(join(ROOT, path), 'utf8'),
    cases: new Set(readCases().map(({ name }) => name)),
  }
}

/** A repository of some files, all of them in memory. */
function repositoryOf(texts: Readonly<Record<string, string>>): Repository {
  return {
    paths: new Set(Object.keys(texts)),
    read: (path) => texts[path] ?? '',
    cases: new Set(['fcm-dp-list', 'fcm-dp-string', 'web-ttl']),
  }
}

it('everything that a comment or a document names exists', () => {
  const repository = readRepository()
  const excluded = new Set(globSync(NOT_CHECKED, { cwd: ROOT }))
  const checked = [...repository.paths].filter((path) => !excluded.has(path))
  expect(checked.length).toBeGreaterThan(300)
  expect(checked.flatMap((path) => danglingIn(path, repository))).toEqual([])
})

describe('a reference', () => {
  const FILES = {
    'docs/facts/apns.md': '# APNs\n\n## Dead tokens\n\n## Topics\n\n## Topics\n',
    'src/core/json.ts': '',
    'src/providers/apns/index.ts': '',
    'src/providers/fcm/index.ts': '',
  }
  const findings = (path: string, text: string): readonly string[] =>
    danglingIn(path, repositoryOf({ ...FILES, [path]: text }))

  it.each([
    ['a page', 'docs/facts/apns.md'],
    ['a heading', 'docs/facts/apns.md#dead-tokens'],
    ['the second of two headings that are alike', 'docs/facts/apns.md#topics-1'],
    ['a file', 'src/core/json.ts'],
    ['the end of a path', 'apns/index.ts'],
    ['a folder', 'src/providers/'],
    ['a pattern', 'src/providers/*/index.ts'],
    ['a place that is left open', 'src/providers/NAME/index.test.ts'],
    ['a recorded case', 'golden: fcm-dp-list, web-ttl'],
    ['recorded cases by a pattern', 'golden: fcm-dp-*'],
  ])('to %s is fine', (_, reference) => {
    expect(findings('src/a.ts', `// See ${reference}.`)).toEqual([])
    expect(findings('docs/a.md', `See \`${reference}\`.`)).toEqual([])
  })

  it.each([
    ['docs/facts/nothing.md', 'does not exist'],
    ['docs/facts/apns.md#dead-token', 'no such heading'],
    ['src/core/yaml.ts', 'does not exist'],
    ['fcm/sender.ts', 'does not exist'],
    ['yaml.ts', 'does not exist'],
    ['src/nothing/', 'does not exist'],
    ['src/providers/*/render.ts', 'does not exist'],
    ['golden: fcm-dp-nothing', 'no recorded case'],
    ['golden: web-ttl, fcm-dp-nothing', 'no recorded case'],
    ['facts/apns.md', 'not in the repository'],
    ['design.md §4', 'not in the repository'],
    ['style.md', 'not in the repository'],
    ['shared/golden', 'not in the repository'],
  ])('to %s is reported', (reference, why) => {
    for (const [path, text] of [
      ['src/a.ts', `/**\n * What it is.\n * See ${reference}.\n */\n`],
      ['src/a.ts', `const a = 1 // ${reference}\n`],
      ['config/a.yaml', `# ${reference}\n`],
      ['docs/a.md', `See ${reference}.\n`],
    ] as const) {
      const [finding, ...others] = findings(path, text)
      expect(finding).toMatch(new RegExp(`^${path} .*${why}`))
      expect(others).toEqual([])
    }
  })

  it('to a page is also looked for in a text that the program prints', () => {
    expect(findings('src/a.ts', `const help = 'see docs/nothing.md'`)).toEqual([
      'src/a.ts names docs/nothing.md, which does not exist',
    ])
  })

  it('is not looked for in code: what is imported is for the compiler', () => {
    expect(findings('src/a.ts', `import { x } from './nothing.ts'\nawait plant('src/nothing.ts')\n`)).toEqual([])
  })
})

describe('a link of a document', () => {
  const linking = (link: string): readonly string[] =>
    danglingIn('docs/a.md', repositoryOf({ 'docs/a.md': `# One\n\n[x](${link})\n`, 'docs/facts/b.md': '# B\n' }))

  it.each(['facts/b.md', 'facts/b.md#b', '#one', '../docs/facts/b.md', 'facts', 'https://example.org/a.md#nothing'])(
    'to %s is fine',
    (link) => {
      expect(linking(link)).toEqual([])
    },
  )

  it.each(['b.md', 'facts/b.md#one', '#two', '../facts/b.md'])('to %s is reported', (link) => {
    expect(linking(link)).toHaveLength(1)
  })

  it('in an example of code is none', () => {
    expect(danglingIn('docs/a.md', repositoryOf({ 'docs/a.md': '```md\n[x](nothing.md)\n```\n' }))).toEqual([])
  })
})

describe('the anchor of a heading', () => {
  it.each([
    ['## Dead tokens', 'dead-tokens'],
    ['### type: webpush', 'type-webpush'],
    ['## iOS (APNs)', 'ios-apns'],
    ['## `keys` of default_payload', 'keys-of-default_payload'],
    ['## [Sygnal](https://example.org), and more', 'sygnal-and-more'],
  ])('%s is %s', (heading, anchor) => {
    expect([...anchorsOf(heading)]).toEqual([anchor])
  })

  it('is not made of a comment in an example', () => {
    expect([...anchorsOf('# One\n\n```sh\n# no heading\n```\n')]).toEqual(['one'])
  })
})

it('lead from the README to the line that decides what minimal mode removes, in three files', () => {
  const { read } = readRepository()
  expect(read('README.md')).toContain('](docs/architecture.md)')
  expect(read('docs/architecture.md')).toContain('`applyPrivacy` in `src/core/privacy-policy.ts`')
  expect(read('src/core/privacy-policy.ts')).toMatch(/export function applyPrivacy\([\s\S]*?if \(mode === 'minimal'\)/)
})
