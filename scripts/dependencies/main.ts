/**
 * `npm run check:dependencies`: other people's packages keep to scripts/dependencies/rules.ts. Licences, install scripts, hashes and sources need no
 * network. Advisories are asked of the registry; where it cannot be asked this is said, and fails with `--online` only.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isJsonObject, type JsonObject } from '../../src/core/json.ts'
import { mistakesInAdvisories, readReport } from './advisories.ts'
import { mistakesInLock } from './lock.ts'
import { RULES } from './rules.ts'

const CHECKOUT = join(import.meta.dirname, '../..')
const { stdout, stderr, argv } = process

function readJson(path: string): JsonObject {
  const value: unknown = JSON.parse(readFileSync(join(CHECKOUT, path), 'utf8'))
  return isJsonObject(value) ? value : {}
}

/** Asks once and briefly: whoever is offline shall not wait. */
function askRegistry(): string {
  const args = ['audit', '--json', '--package-lock-only', '--fetch-retries=0', '--fetch-timeout=20000']
  return spawnSync('npm', args, { cwd: CHECKOUT, encoding: 'utf8', maxBuffer: 2 ** 26 }).stdout ?? ''
}

const packages = readJson('package-lock.json')['packages']
const locked = isJsonObject(packages) ? packages : {}
const mistakes = [
  ...mistakesInLock(
    {
      manifest: readJson('package.json'),
      locked,
      installed: (path) =>
        existsSync(join(CHECKOUT, path, 'package.json')) ? readJson(join(path, 'package.json')) : undefined,
    },
    RULES,
  ),
]
const count = `${Object.keys(locked).length - 1} packages`
stdout.write(`Licences, install scripts, hashes and sources of ${count}: ${mistakes.length} mistakes.\n`)

const report = readReport(askRegistry())
if ('refused' in report) {
  stdout.write(`Advisories: NOT ASKED. The registry gave no report: ${report.refused}.\n`)
  if (argv.includes('--online')) mistakes.push('--online: advisories could not be asked for')
} else {
  const today = new Date().toISOString().slice(0, 10)
  mistakes.push(...mistakesInAdvisories(report.found, RULES.advisories, today))
  stdout.write(`Advisories: the registry knows ${report.found.length} for ${count}.\n`)
  for (const { id, package: name, severity } of report.found) stdout.write(`  ${name} ${id} ${severity}\n`)
}
for (const mistake of mistakes) stderr.write(`${mistake}\n`)
process.exitCode = mistakes.length === 0 ? 0 : 1
