/** Installs Python packages that tests and scripts run, each group of them into a folder of .cache; does nothing when they are there. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const CACHE = join(import.meta.dirname, '../.cache')

/** What a test compares our encryption with: the interpreter that has it. Throws with a sentence when there is no Python. */
export function installPython(): string {
  return installPackages('python', ['http_ece==1.2.1', 'cryptography==45.0.7'])
}

/** The interpreter that has the packages. `name`: of the folder in .cache. */
export function installPackages(name: string, packages: readonly string[]): string {
  const folder = join(CACHE, name)
  const python = join(folder, 'bin/python')
  // Written last, so that an installation that was cut short is made anew.
  const marker = join(folder, 'installed')
  const wanted = packages.join(' ')
  // The interpreter that the environment was made from may have gone meanwhile: existsSync follows the link to it.
  if (existsSync(python) && existsSync(marker) && readFileSync(marker, 'utf8') === wanted) return python
  rmSync(folder, { recursive: true, force: true })
  try {
    execFileSync('python3', ['-m', 'venv', folder], { stdio: 'pipe' })
  } catch (cause) {
    throw new Error('This needs Python with venv: install it with "apt-get install python3-venv" as root', { cause })
  }
  execFileSync(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...packages], {
    stdio: 'pipe',
  })
  writeFileSync(marker, wanted)
  return python
}

if (import.meta.main) installPython()
