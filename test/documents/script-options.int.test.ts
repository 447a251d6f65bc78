/** That each option which a document gives to a script of package.json is one that the script has. Nothing is done with it: an unknown one at the end is refused before. */
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const ROOT = join(import.meta.dirname, '../..')
const DOCUMENTS = ['*.md', 'docs/**/*.md', 'scripts/**/*.md', 'test/**/*.md', 'helm/*.md', '.github/workflows/*.yml']
const UNKNOWN = '--no-such-option'
const scripts: Readonly<Record<string, string>> = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).scripts

/** `npm run NAME -- OPTIONS`, and in a line about `npm run NAME` also `-- OPTIONS` alone. */
function documented(text: string): readonly (readonly [name: string, options: string])[] {
  const whole = [...text.matchAll(/npm run (?:--silent )?([a-z:]+) -- ([^`#\n]+)/g)]
  const lines = text.split('\n').map((line) => [/`npm run ([a-z:]+)`/.exec(line)?.[1], line] as const)
  return [
    ...whole.map(([, name = '', options = '']) => [name, options.trim()] as const),
    ...lines.flatMap(([name, line]) =>
      name === undefined ? [] : [...line.matchAll(/`-- ([^`]+)`/g)].map(([, options = '']) => [name, options] as const),
    ),
  ]
}

/** The file that a script runs at last. */
function mainOf(name: string): string {
  return /node (scripts\/[\w/-]+\.ts)[^&]*$/.exec(scripts[name] ?? '')?.[1] ?? ''
}

const found = globSync(DOCUMENTS, { cwd: ROOT, exclude: ['node_modules/**'] }).flatMap((path) =>
  documented(readFileSync(join(ROOT, path), 'utf8')),
)
const commands = [...new Map(found.map(([name, options]) => [`${name} -- ${options}`, { name, options }])).values()]
const isHelp = ({ options }: { options: string }): boolean => options === '--help'
const isParsed = ({ name }: { name: string }): boolean =>
  !['check:dependencies', 'bench:micro', 'test:debian'].includes(name)

/** What the script says to these words. */
function refusal(name: string, options: string): string {
  const args = [mainOf(name), ...options.split(' '), UNKNOWN]
  return spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8', timeout: 30_000 }).stderr
}

describe('npm run', () => {
  it('is given options in several documents', () => {
    expect(new Set(commands.map(({ name }) => name)).size).toBeGreaterThan(5)
    expect(commands.length).toBeGreaterThan(15)
  })

  it.each(commands.filter((each) => isParsed(each) && !isHelp(each)))('$name -- $options', ({ name, options }) => {
    expect(refusal(name, options)).toContain(`Unknown option '${UNKNOWN}'`)
  })

  it.each(commands.filter((each) => !isParsed(each)))(
    '$name -- $options, which looks for it by its name',
    ({ name, options }) => {
      expect(readFileSync(join(ROOT, mainOf(name)), 'utf8')).toContain(`'${options}'`)
    },
  )

  it.each(commands.filter(isHelp))('$name -- $options', ({ name, options }) => {
    const { status, stdout } = spawnSync(process.execPath, [mainOf(name), options], { cwd: ROOT, encoding: 'utf8' })
    expect(status).toBe(0)
    expect(stdout).toContain(`npm run ${name}`)
  })

  it('would fail with an option that is none', () => {
    expect(refusal('test:fuzz', '--colour')).toContain("Unknown option '--colour'")
  })
})
