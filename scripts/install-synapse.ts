/** Installs the pinned Synapse that `npm run test:homeserver` starts, into .cache/synapse; does nothing when it is there. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const SYNAPSE = 'matrix-synapse==1.163.2'
const folder = join(import.meta.dirname, '../.cache/synapse')
const python = join(folder, 'bin/python')
/** Written last, so that an installation that was cut short is made anew. */
const marker = join(folder, 'installed')

// The interpreter that the environment was made from may have gone meanwhile: existsSync follows the link to it.
if (existsSync(python) && existsSync(marker) && readFileSync(marker, 'utf8') === SYNAPSE) {
  process.stdout.write(`${SYNAPSE} is installed in .cache/synapse\n`)
} else {
  process.stdout.write(`Installing ${SYNAPSE} into .cache/synapse (about half a minute, 250 MB)\n`)
  rmSync(folder, { recursive: true, force: true })
  execFileSync('python3', ['-m', 'venv', folder], { stdio: 'inherit' })
  // Wheels only: building Synapse would need Rust and minutes.
  execFileSync(
    python,
    ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '--only-binary=:all:', SYNAPSE],
    {
      stdio: 'inherit',
    },
  )
  writeFileSync(marker, SYNAPSE)
}
