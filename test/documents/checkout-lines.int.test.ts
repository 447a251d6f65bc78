/**
 * Lines for developers that rewrite files of the checkout, or measure: each pasted in a copy of it. What shortens a line is added at its end, as options that people have, too; what is measured
 * here, beside all the other tests, nobody looks at.
 */
import { execFile } from 'node:child_process'
import { cp, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { codeOf } from '../../scripts/document-code.ts'
import { commandLines } from './pasted-code.ts'

const CHECKOUT = join(import.meta.dirname, '../..')
/** What git would not take. */
const LEFT_OUT = ['.git', '.cache', 'node_modules', 'dist']

interface Copy extends AsyncDisposable {
  /** Resolves with what it prints; rejects if it fails. */
  paste(line: string): Promise<string>
  at(path: string): string
  /** Whether it is there, byte for byte, what the checkout has. */
  isAsInCheckout(path: string): Promise<boolean>
}

async function copyCheckout(): Promise<Copy> {
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-checkout-'))
  const names = (await readdir(CHECKOUT)).filter((name) => !LEFT_OUT.includes(name))
  await Promise.all(names.map((name) => cp(join(CHECKOUT, name), join(folder, name), { recursive: true })))
  await symlink(join(CHECKOUT, 'node_modules'), join(folder, 'node_modules'))
  const { PATH, HOME } = process.env
  const path = codeOf('CONTRIBUTING.md', 'export PATH=')
  return {
    async paste(line) {
      const options = { cwd: folder, env: { PATH, HOME, NO_COLOR: '1' }, maxBuffer: 2 ** 26 }
      return (await promisify(execFile)('dash', ['-euc', `${path}\n${line}`], options)).stdout
    },
    at: (name) => join(folder, name),
    isAsInCheckout: async (name) => (await readFile(join(CHECKOUT, name))).equals(await readFile(join(folder, name))),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
  }
}

describe.concurrent('in a copy of the checkout', () => {
  it('the screenshots are taken anew, all that there were', async () => {
    await using copy = await copyCheckout()
    const written = ['page-360.png', 'page-1280-dark.png', 'demonstration.png', 'pages.json']
    for (const name of written) await rm(copy.at(`docs/images/${name}`))
    await copy.paste(codeOf('CONTRIBUTING.md', 'node scripts/write-images.ts'))
    for (const name of written) expect((await readFile(copy.at(`docs/images/${name}`))).length).toBeGreaterThan(0)
    expect(await copy.isAsInCheckout('docs/images/pages.json')).toBe(true)
  })

  it('what each tool says is written anew; of one case, the same words', async () => {
    await using copy = await copyCheckout()
    const page = copy.at('docs/what-each-tool-says.md')
    await rm(page)
    // All of them take minutes, and are held against the page by `npm test` itself.
    await copy.paste(
      `${codeOf('CONTRIBUTING.md', 'UPDATE_WHAT_EACH_TOOL_SAYS=1')} -t 'redis-without-persistence|is what the document says'`,
    )
    const rows = (await readFile(page, 'utf8'))
      .split('\n')
      .filter((line) => line.startsWith('| ') && !line.startsWith('| Tool') && !line.startsWith('| ---'))
    const before = (await readFile(join(CHECKOUT, 'docs/what-each-tool-says.md'), 'utf8')).split('\n')
    expect(rows).not.toEqual([])
    expect(before).toEqual(expect.arrayContaining(rows))
  })

  it('what an idle gateway costs is measured', async () => {
    await using copy = await copyCheckout()
    // Without the sources, which are measured in the same way: half the time.
    const line = `${codeOf('CONTRIBUTING.md', 'npm run measure')} -- dist/main.js`
    expect(await copy.paste(line)).toMatch(/^dist\/main\.js: ready in \d+ ms, \d+ MiB/m)
  })

  it('how long the admin port takes to answer is measured', async () => {
    await using copy = await copyCheckout()
    const line = codeOf('docs/operating.md', 'node scripts/measure-admin.ts')
    const printed = await copy.paste(`${line} --apps 5 --waiting 500 --dead 50 --rounds 1 --per-second 5`)
    expect(printed).toMatch(/^\| \/metrics \|[^]*^of [1-9]\d* pushes /m)
  })

  it('an attack is measured and written into the page', async () => {
    await using copy = await copyCheckout()
    const lines = commandLines({ language: 'sh', text: codeOf('docs/reliability.md', 'npm run bench:attacks  ') })
    // It is what the first line does, and writes; test/documents/script-options.int.test.ts reads the options of the others.
    const line = lines.find((each) => each.endsWith(' --write')) ?? ''
    expect(line).toContain(lines[0])
    const printed = await copy.paste(`${line} --only 0 --rounds 1 --seconds 1`)
    expect(printed).toMatch(/^\| 0 \| SQLite \|/m)
    expect(await copy.isAsInCheckout('docs/attacks.json')).toBe(false)
    expect(await copy.isAsInCheckout('docs/reliability.md')).toBe(false)
  })

  it('malformed requests are sent: some, some with another seed, and one of them again', async () => {
    await using copy = await copyCheckout()
    const lines = commandLines({ language: 'sh', text: codeOf('docs/reliability.md', 'npm run test:fuzz  ') })
    const [some = '', seeded = '', again = ''] = lines
    for (const [line, count] of [
      [`${some} -- --requests 20`, 20],
      [`${seeded} --requests 20`, 20],
      [again, 1],
    ] as const) {
      // Its bounds of time are for a quiet machine, which this is not.
      const printed = await copy.paste(`${line} || true`)
      expect(printed).toMatch(new RegExp(`^${count} malformed requests in [^]*; faults: 0$`, 'm'))
    }
  })
})
