/** That what a document gives people to paste is pasted by a test, out of the document itself. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Value } from 'typebox/value'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { codeIn, type Code } from '../../scripts/document-code.ts'
import { configSchema } from '../../src/config/json-schema.ts'
import { isJsonObject } from '../../src/core/json.ts'
import { providers } from '../../src/providers/index.ts'
import { claimsIn, commandLines, isHushgate, isPasted, scriptOf } from './pasted-code.ts'

const ROOT = join(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8')
const DOCUMENTS = globSync(['*.md', 'docs/*.md', 'helm/*.md', 'config/**/*.md', 'scripts/**/*.md', 'test/**/*.md'], {
  cwd: ROOT,
}).filter((path) => !['CHANGELOG.md', 'docs/decisions.md', 'docs/architecture.md'].includes(path))
const PASTED = DOCUMENTS.flatMap((document) =>
  codeIn(read(document))
    .filter(isPasted)
    .map((code) => ({ document, code })),
)
const CLAIMS = globSync(['test/**/*.ts', 'scripts/**/*.ts'], { cwd: ROOT })
  .filter((path) => !path.startsWith('test/documents/pasted-code'))
  .flatMap((path) => claimsIn(read(path)))

/** What an excerpt leaves out. */
const CREDENTIAL = 'key_file: AuthKey.p8\n    key_id: ABC123DEFG\n    team_id: TEAM123456\n    topic: com.example.app'
const APPS = parse(`com.example.app.ios:\n    type: apns\n    ${CREDENTIAL}`)

type Piece = (typeof PASTED)[number]

/** The scripts of package.json that the gate runs, and those that they run. */
function gateScripts(): ReadonlySet<string> {
  const { scripts }: { scripts: Readonly<Record<string, string>> } = JSON.parse(read('package.json'))
  const named = (text: string): string[] =>
    [...text.matchAll(/npm (?:run --silent )?([a-z:]+)/g)].map(([, name = '']) => name)
  const found = new Set(named(read('.ci/run')))
  for (const name of found)
    for (const each of named(`${scripts[`pre${name}`] ?? ''}\n${scripts[name] ?? ''}`)) found.add(each)
  return found
}
const GATE_SCRIPTS = gateScripts()

function isHushgateConfiguration({ language, text }: Code): boolean {
  if (language !== 'yaml') return false
  const content: unknown = parse(text.replace('# … as before', CREDENTIAL))
  const config = isJsonObject(content) ? { apps: APPS, ...content } : {}
  return Value.Errors(configSchema(providers), config).length === 0
}

const isClaimed = ({ document, code }: Piece): boolean =>
  CLAIMS.some((claim) => claim.document === document && code.text.includes(claim.words))
const isRunByTheWay = ({ code }: Piece): boolean =>
  isHushgateConfiguration(code) ||
  commandLines(code).every((line) => isHushgate(line) || GATE_SCRIPTS.has(scriptOf(line) ?? ''))
/** In a sentence, and in another place that is seen to, alone or with more. */
const isRepeated = (piece: Piece): boolean =>
  piece.code.language === undefined &&
  PASTED.some((other) => other !== piece && other.code.text.includes(piece.code.text) && isSeenTo(other))
const isSeenTo = (piece: Piece): boolean => isClaimed(piece) || isRunByTheWay(piece)

describe('what the documents give to paste', () => {
  it('is found in blocks and in sentences of most documents', () => {
    expect(PASTED.length).toBeGreaterThan(100)
    expect(PASTED.filter(isClaimed).length).toBeGreaterThan(20)
  })

  it('is pasted by a test', () => {
    const left = PASTED.filter((piece) => !isSeenTo(piece) && !isRepeated(piece))
    expect(left.map(({ document, code }) => `${document}: ${code.text}`)).toEqual([])
  })
})

describe('a piece of code', () => {
  it.each([
    ["codeOf('README.md', 'npm start')", 'README.md', 'npm start'],
    ["codeOf(\n  'a.md',\n  'it\\'s')", 'a.md', "it's"],
    ["codeOf('a.md', \"-d ''\")", 'a.md', "-d ''"],
  ])('is claimed by %s', (source, document, words) => {
    expect(claimsIn(source)).toEqual([{ document, words }])
  })

  it('is a line of a shell without its comment, and one with what continues it', () => {
    const text = 'a b   # why\n\nc \\\n  --d\n# only this\n'
    expect(commandLines({ language: 'sh', text })).toEqual(['a b', 'c --d'])
  })

  it.each([
    ['hushgate dead list', true],
    ['printf %s "$PUSHKEY" | hushgate find --app com.example.ios', true],
    ['sudo hushgate status', true],
    ['podman exec hushgate hushgate dead list', false],
    ['hushgate check && rm -r /', false],
  ])('%s: Hushgate alone is %s', (line, expected) => {
    expect(isHushgate(line)).toBe(expected)
  })

  it.each([
    ['npm run bench -- --quick', 'bench'],
    ['npm test', 'test'],
    ['npm install --global x', undefined],
    ['npm run bench && rm -r /', undefined],
  ])('%s is the script %s', (line, name) => {
    expect(scriptOf(line)).toBe(name)
  })

  it.each([
    [undefined, 'npm test', true],
    [undefined, 'sudo systemctl enable --now hushgate@2', true],
    [undefined, 'podman exec hushgate hushgate …', false],
    [undefined, 'helm/README.md', false],
    [undefined, 'docker', false],
    ['json', '{}', false],
    ['sh', 'anything', true],
  ])('in %s, %s: to be pasted is %s', (language, text, expected) => {
    expect(isPasted({ language, text })).toBe(expected)
  })
})
