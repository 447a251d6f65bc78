/** What is wrong with the packages of the lock file, as sentences. Pure. */
import { matchesGlob } from 'node:path'
import { isJsonObject, type JsonObject } from '../../src/core/json.ts'
import type { Rules } from './rules.ts'

/** The parts of package.json and of what is installed that the rules are about. */
export interface Checkout {
  readonly manifest: JsonObject
  /** `packages` of package-lock.json: by path, the checkout's own under ''. */
  readonly locked: JsonObject
  /** The package.json of an installed package; undefined where it is not installed, such as one for another architecture. */
  readonly installed: (path: string) => JsonObject | undefined
}

interface LockedPackage {
  readonly path: string
  readonly name: string
  readonly entry: JsonObject
  readonly installed: JsonObject | undefined
}

/** The scripts that npm runs when a package is installed. */
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall']

export function mistakesInLock({ manifest, locked, installed }: Checkout, rules: Rules): readonly string[] {
  const packages = Object.entries(locked)
    .filter(([path]) => path !== '')
    .map(([path, entry]) => ({
      path,
      name: path.replace(/^.*node_modules\//, ''),
      entry: isJsonObject(entry) ? entry : {},
      installed: installed(path),
    }))
  return [
    ...packages.flatMap(sourceMistakes),
    ...packages.flatMap((one) => licenceMistakes(one, rules)),
    ...scriptMistakes(packages, manifest, rules),
    ...unusedExceptions(packages, rules),
    ...looseVersions(manifest),
  ]
}

/** From the registry is what the lock file says nothing about (`omit-lockfile-registry-resolved`), or an https address as registries have them. */
function sourceMistakes({ path, name, entry }: LockedPackage): readonly string[] {
  const { integrity, resolved, version } = entry
  const mistakes: string[] = []
  if (entry['link'] === true) return [`${path} is a link to a folder, not a package`]
  // What another package brings along is in that one's archive, and so under its hash.
  if (entry['inBundle'] !== true && !/^sha512-[\w+/]{86}==$/.test(textOf(integrity)))
    mistakes.push(`${path} has no SHA-512 hash (integrity)`)
  const [, published] = /^https:\/\/[^/]+\/(.+)\/-\/[^/]+\.tgz$/.exec(textOf(resolved)) ?? []
  if (resolved !== undefined && published !== (entry['name'] ?? name))
    mistakes.push(`${path} comes from ${textOf(resolved)}, not from the registry`)
  if (!/^\d+\.\d+\.\d+/.test(textOf(version))) mistakes.push(`${path} has no version`)
  return mistakes
}

function licenceMistakes({ path, name, entry, installed }: LockedPackage, rules: Rules): readonly string[] {
  const licence = licenceOf(installed ?? entry) ?? 'nothing'
  const isExcepted = rules.otherLicences.some((other) => matches(name, other.package) && other.licence === licence)
  if (isExcepted || isAllowed(licence, rules.licences)) return []
  return [`${path} has ${licence} as its licence, which is not on the list`]
}

/** Also in the forms that npm took long ago. */
function licenceOf(manifest: JsonObject): string | undefined {
  const { license, licenses } = manifest
  const given: unknown = license ?? (Array.isArray(licenses) && licenses.length === 1 ? licenses[0] : undefined)
  const name = isJsonObject(given) ? given['type'] : given
  return typeof name === 'string' ? name : undefined
}

/** Of an SPDX expression with OR one side is enough, and with AND both are needed; both in one are not understood, and so not allowed. */
function isAllowed(expression: string, allowed: readonly string[]): boolean {
  const bare = /^\(([^()]*)\)$/.exec(expression)?.[1] ?? expression
  if (!bare.includes(' AND ')) return bare.split(' OR ').some((name) => allowed.includes(name))
  return bare.split(' AND ').every((name) => allowed.includes(name))
}

function scriptMistakes(packages: readonly LockedPackage[], manifest: JsonObject, rules: Rules): readonly string[] {
  const permissions = isJsonObject(manifest['allowScripts']) ? manifest['allowScripts'] : {}
  const named = rules.installScripts.map((exception) => exception.package)
  const allowed = Object.entries(permissions).filter(([, may]) => may !== false)
  return [
    ...packages
      .filter(hasInstallScript)
      .flatMap(({ path, name }) => [
        ...(named.includes(name) ? [] : [`${path} runs a script when it is installed, and is not on the list`]),
        ...(name in permissions ? [] : [`allowScripts in package.json says nothing of ${name}`]),
      ]),
    ...allowed.map(([name]) => `allowScripts in package.json lets ${name} run its script`),
  ]
}

/** The lock file says so, or the package itself does. */
function hasInstallScript({ entry, installed }: LockedPackage): boolean {
  const scripts = isJsonObject(installed?.['scripts']) ? installed['scripts'] : {}
  return entry['hasInstallScript'] === true || INSTALL_SCRIPTS.some((name) => name in scripts)
}

function unusedExceptions(packages: readonly LockedPackage[], rules: Rules): readonly string[] {
  const isThere = (pattern: string, also: (one: LockedPackage) => boolean): boolean =>
    packages.some((one) => matches(one.name, pattern) && also(one))
  return [
    ...rules.otherLicences
      .filter(
        ({ package: name, licence }) => !isThere(name, (one) => licenceOf(one.installed ?? one.entry) === licence),
      )
      .map(({ package: name, licence }) => `the list excepts ${name} under ${licence}, which is not there`),
    ...rules.installScripts
      .filter(({ package: name }) => !isThere(name, hasInstallScript))
      .map(({ package: name }) => `the list excepts the install script of ${name}, which is not there`),
  ]
}

/** To be matched and shown; nothing of what is missing. */
function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '')
}

function matches(name: string, pattern: string): boolean {
  return matchesGlob(name, pattern)
}

/** A range could take a version that nobody has looked at, whenever the lock file is made anew. */
function looseVersions(manifest: JsonObject): readonly string[] {
  return ['dependencies', 'devDependencies', 'optionalDependencies', 'overrides'].flatMap((section) => {
    const entries = isJsonObject(manifest[section]) ? Object.entries(manifest[section]) : []
    return entries
      .filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.-]+)?$/.test(textOf(version)))
      .map(([name, version]) => `package.json asks for ${name} ${textOf(version)}, which is not one version`)
  })
}
