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
import { RULES, SITE_RULES, type Rules } from './rules.ts'

const CHECKOUT = join(import.meta.dirname, '../..')
const { stdout, stderr, argv } = process

function readJson(path: string): JsonObject {
  const value: unknown = JSON.parse(readFileSync(join(CHECKOUT, path), 'utf8'))
  return isJsonObject(value) ? value : {}
}

/** Asks once and briefly: whoever is offline shall not wait. */
function askRegistry(folder: string): string {
  const args = ['audit', '--json', '--package-lock-only', '--fetch-retries=0', '--fetch-timeout=20000']
  return spawnSync('npm', args, { cwd: join(CHECKOUT, folder), encoding: 'utf8', maxBuffer: 2 ** 26 }).stdout ?? ''
}

/** `folder` has a package.json, and a lock file beside it. Says what it finds; returns what is wrong. */
function mistakesOf(folder: string, rules: Rules): readonly string[] {
  const packages = readJson(join(folder, 'package-lock.json'))['packages']
  const locked = isJsonObject(packages) ? packages : {}
  const installed = (path: string): JsonObject | undefined => {
    const manifest = join(folder, path, 'package.json')
    return existsSync(join(CHECKOUT, manifest)) ? readJson(manifest) : undefined
  }
  const mistakes = [...mistakesInLock({ manifest: readJson(join(folder, 'package.json')), locked, installed }, rules)]
  const count = `${Object.keys(locked).length - 1} packages${folder === '' ? '' : ` of ${folder}`}`
  stdout.write(`Licences, install scripts, hashes and sources of ${count}: ${mistakes.length} mistakes.\n`)
  const report = readReport(askRegistry(folder))
  if ('refused' in report) {
    stdout.write(`Advisories: NOT ASKED. The registry gave no report: ${report.refused}.\n`)
    return argv.includes('--online') ? [...mistakes, '--online: advisories could not be asked for'] : mistakes
  }
  const today = new Date().toISOString().slice(0, 10)
  stdout.write(`Advisories: the registry knows ${report.found.length} for ${count}.\n`)
  for (const { id, package: name, severity } of report.found) stdout.write(`  ${name} ${id} ${severity}\n`)
  return [...mistakes, ...mistakesInAdvisories(report.found, rules.advisories, today)]
}

const mistakes = new Set([...mistakesOf('', RULES), ...mistakesOf('site', SITE_RULES)])
for (const mistake of mistakes) stderr.write(`${mistake}\n`)
process.exitCode = mistakes.size === 0 ? 0 : 1
