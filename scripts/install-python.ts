/** Installs the Python packages that a test compares our encryption with, into .cache/python; does nothing when they are there. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const PACKAGES = ['http_ece==1.2.1', 'cryptography==45.0.7']
const folder = join(import.meta.dirname, '../.cache/python')
/** Written last, so that an installation that was cut short is made anew. */
const marker = join(folder, 'installed')

/** The interpreter that has them; throws with a sentence when there is no Python. */
export function installPython(): string {
  const python = join(folder, 'bin/python')
  // The interpreter that the environment was made from may have gone meanwhile: existsSync follows the link to it.
  if (existsSync(python) && existsSync(marker) && readFileSync(marker, 'utf8') === PACKAGES.join(' ')) return python
  rmSync(folder, { recursive: true, force: true })
  try {
    execFileSync('python3', ['-m', 'venv', folder], { stdio: 'pipe' })
  } catch (cause) {
    throw new Error('This needs Python with venv: install it with "apt-get install python3-venv" as root', { cause })
  }
  execFileSync(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', ...PACKAGES], {
    stdio: 'pipe',
  })
  writeFileSync(marker, PACKAGES.join(' '))
  return python
}

if (import.meta.main) installPython()
