/** What `npm run check:dependencies` says of other people's packages, and what it lets pass. */
import { describe, expect, it } from 'vitest'
import { mistakesInAdvisories, readReport } from '../scripts/dependencies/advisories.ts'
import { mistakesInLock } from '../scripts/dependencies/lock.ts'
import type { Rules } from '../scripts/dependencies/rules.ts'
import type { JsonObject } from '../src/core/json.ts'

const INTEGRITY = `sha512-${'A'.repeat(86)}==`
const GOOD = { version: '1.2.3', integrity: INTEGRITY, license: 'MIT' }
const RULES: Rules = { licences: ['MIT', 'ISC'], otherLicences: [], installScripts: [], advisories: [] }

interface Given {
  readonly rules?: Partial<Rules>
  readonly manifest?: JsonObject
  readonly installed?: JsonObject
}

/** Of a lock file with this one package. */
function mistakes(entry: JsonObject, { rules, manifest = {}, installed }: Given = {}): readonly string[] {
  const locked = { '': { name: 'hushgate' }, 'node_modules/one': entry }
  return mistakesInLock({ manifest, locked, installed: () => installed }, { ...RULES, ...rules })
}

describe('a locked package', () => {
  it.each<[string, JsonObject]>([
    ['with a version, a hash and an allowed licence', GOOD],
    ['from an archive of a registry', { ...GOOD, resolved: 'https://registry.example/one/-/one-1.2.3.tgz' }],
    ['under another name', { ...GOOD, name: '@a/b', resolved: 'https://registry.example/@a/b/-/b-1.2.3.tgz' }],
    ['that lies in the archive of another', { version: '1.2.3', license: 'MIT', inBundle: true }],
    ['with one allowed licence of two', { ...GOOD, license: '(GPL-2.0 OR MIT)' }],
    ['with two licences that are both allowed', { ...GOOD, license: 'MIT AND ISC' }],
  ])('%s is fine', (_what, entry) => {
    expect(mistakes(entry)).toEqual([])
  })

  it.each<[string, JsonObject, RegExp]>([
    ['without a hash', { ...GOOD, integrity: undefined }, /no SHA-512 hash/],
    ['with a weak hash', { ...GOOD, integrity: 'sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk=' }, /no SHA-512 hash/],
    ['from git', { ...GOOD, resolved: 'git+ssh://git@example.org/one.git#abc' }, /comes from git\+ssh/],
    ['over http', { ...GOOD, resolved: 'http://registry.example/one/-/one-1.2.3.tgz' }, /comes from http:/],
    ['from a file', { ...GOOD, resolved: 'file:../one.tgz' }, /comes from file:/],
    ['whose archive is of another one', { ...GOOD, resolved: 'https://registry.example/two/-/two-1.2.3.tgz' }, /comes/],
    ['that is a link', { ...GOOD, link: true, resolved: '../one' }, /is a link/],
    ['without a version', { ...GOOD, version: undefined }, /no version/],
    ['without a licence', { ...GOOD, license: undefined }, /has nothing as its licence/],
    ['with another licence', { ...GOOD, license: 'AGPL-3.0-only' }, /has AGPL-3\.0-only as its licence/],
    ['with a second licence that is not allowed', { ...GOOD, license: 'MIT AND GPL-2.0' }, /has MIT AND GPL-2\.0/],
  ])('%s is reported', (_what, entry, sentence) => {
    const [first, ...others] = mistakes(entry)
    expect(first).toMatch(/^node_modules\/one /)
    expect(first).toMatch(sentence)
    expect(others).toEqual([])
  })

  it('is judged by its own package.json where it is installed, whatever the lock file says', () => {
    expect(mistakes(GOOD, { installed: { license: 'AGPL-3.0-only' } })).toHaveLength(1)
    expect(mistakes(GOOD, { installed: { licenses: [{ type: 'MIT', url: 'https://example.org' }] } })).toEqual([])
  })

  it('may have another licence only by name', () => {
    const otherLicences = [{ package: 'on*', licence: 'MPL-2.0', reason: 'a test' }]
    expect(mistakes({ ...GOOD, license: 'MPL-2.0' }, { rules: { otherLicences } })).toEqual([])
    expect(mistakes({ ...GOOD, license: 'GPL-2.0' }, { rules: { otherLicences } })).toHaveLength(2)
  })
})

describe('an install script', () => {
  const installScripts = [{ package: 'one', reason: 'a test' }]
  const forbidden = { allowScripts: { one: false } }

  it.each<[string, JsonObject, Given]>([
    ['of the lock file', { ...GOOD, hasInstallScript: true }, {}],
    ['that only the package knows of', GOOD, { installed: { license: 'MIT', scripts: { postinstall: 'node x.js' } } }],
  ])('%s has to be on the list, and to be forbidden', (_what, entry, given) => {
    expect(mistakes(entry, given)).toHaveLength(2)
    expect(mistakes(entry, { ...given, rules: { installScripts } })).toHaveLength(1)
    expect(mistakes(entry, { ...given, rules: { installScripts }, manifest: forbidden })).toEqual([])
  })

  it('must not be allowed to run', () => {
    const given = { rules: { installScripts }, manifest: { allowScripts: { one: true } } }
    expect(mistakes({ ...GOOD, hasInstallScript: true }, given)).toEqual([
      'allowScripts in package.json lets one run its script',
    ])
  })
})

describe('an exception', () => {
  it('that nothing needs any more is reported', () => {
    const otherLicences = [{ package: 'two', licence: 'MPL-2.0', reason: 'a test' }]
    const installScripts = [{ package: 'one', reason: 'a test' }]
    expect(mistakes(GOOD, { rules: { otherLicences, installScripts } })).toHaveLength(2)
  })
})

describe('a version in package.json', () => {
  it.each(['^1.2.3', '~1.2.3', '1.x', '*', 'latest', 'github:a/b', 'file:../one'])('%s is reported', (version) => {
    expect(mistakes(GOOD, { manifest: { devDependencies: { one: version } } })).toHaveLength(1)
  })

  it.each(['1.2.3', '1.2.3-beta.1'])('%s is fine', (version) => {
    expect(mistakes(GOOD, { manifest: { optionalDependencies: { one: version } } })).toEqual([])
  })
})

describe('an advisory', () => {
  const advisory = { id: 'GHSA-aaaa-bbbb-cccc', package: 'one', severity: 'high', title: 'Bad' }
  const accepted = { id: advisory.id, package: 'one', reason: 'a test', until: '2026-12-31' }

  it.each([
    ['critical', 1],
    ['high', 1],
    ['moderate', 0],
    ['low', 0],
  ])('of severity %s makes %i mistakes', (severity, count) => {
    expect(mistakesInAdvisories([{ ...advisory, severity }], [], '2026-12-01')).toHaveLength(count)
  })

  it('that was accepted passes to the end of its last day, and not longer', () => {
    expect(mistakesInAdvisories([advisory], [accepted], '2026-12-31')).toEqual([])
    expect(mistakesInAdvisories([advisory], [accepted], '2027-01-01')).toEqual([
      'one: Bad (high, GHSA-aaaa-bbbb-cccc); it was accepted until 2026-12-31',
    ])
  })

  it('that was accepted for one package is reported for another', () => {
    expect(mistakesInAdvisories([{ ...advisory, package: 'two' }], [accepted], '2026-12-01')).toHaveLength(1)
  })
})

describe('a report of npm', () => {
  it.each([
    ['', 'npm told nothing'],
    ['{"message":"405 Method Not Allowed - POST https://x","statusCode":405}', 'it answered 405'],
    ['{"message":"request to https://x failed, reason: getaddrinfo EAI_AGAIN x"}', 'it was not reached (EAI_AGAIN)'],
    ['{"message":"something else","error":{"summary":"","detail":""}}', 'npm gave no reason'],
  ])('that is none (%s) is no report without findings', (printed, refused) => {
    expect(readReport(printed)).toEqual({ refused })
  })
})
