/**
 * Builds the web site of the documents into .cache/site, with packages of its own (site/package-lock.json), which it installs. Fails where a link leads to
 * nothing, or a page asks another host for something. SITE_BASE is the path under which it will be, such as /hushgate/.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, globSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { mistakesIn } from '../site/built.ts'

const { env, execPath, stdout, stderr } = process
const ROOT = join(import.meta.dirname, '..')
const SITE = join(ROOT, 'site')
const BUILT = join(ROOT, '.cache/site')
const MARKER = join(SITE, 'node_modules/.hushgate-lock')
const LOCK_HASH = createHash('sha256')
  .update(readFileSync(join(SITE, 'package-lock.json')))
  .digest('hex')

function run(program: string, args: readonly string[]): void {
  // The Node that runs this, whatever the machine has.
  const path = `${dirname(execPath)}:${env['PATH'] ?? ''}`
  const {
    status,
    stdout: printed,
    stderr: errors,
  } = spawnSync(program, args, { cwd: SITE, encoding: 'utf8', env: { ...env, PATH: path } })
  if (status === 0) return
  stderr.write(`${printed ?? ''}${errors ?? ''}\n${program} ${args.join(' ')} failed in ${SITE}\n`)
  process.exit(1)
}

if (!existsSync(MARKER) || readFileSync(MARKER, 'utf8') !== LOCK_HASH) {
  stdout.write('Installing the packages of site/package-lock.json (once) …\n')
  // No script of any package runs.
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'])
  writeFileSync(MARKER, LOCK_HASH)
}
rmSync(BUILT, { recursive: true, force: true })
run(execPath, [join(SITE, 'node_modules/vitepress/bin/vitepress.js'), 'build'])

const names = globSync('**/*.html', { cwd: BUILT }).sort()
const pages = new Map(names.map((name) => [name, readFileSync(join(BUILT, name), 'utf8')]))
const mistakes = mistakesIn(pages, env['SITE_BASE'] ?? '/')
for (const mistake of mistakes) stderr.write(`${mistake}\n`)
stdout.write(`${pages.size} pages in .cache/site: ${mistakes.length} mistakes.\n`)
process.exitCode = mistakes.length === 0 && pages.size > 1 ? 0 : 1
