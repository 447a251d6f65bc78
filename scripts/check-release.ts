/** `node scripts/check-release.ts v1.2.3`: everything that must say the same in a release says it, or a line each about what does not. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { isJsonObject } from '../src/core/json.ts'

/** Text of a file of the checkout. */
type Read = (path: string) => string

/** Sentences; none when the release may be made. */
export function mistakesIn(tag: string, read: Read): readonly string[] {
  const version = /^v(\d+\.\d+\.\d+(?:-[0-9A-Za-z.-]+)?)$/.exec(tag)?.[1]
  if (version === undefined) return [`${tag} is not a tag of a release, such as v1.2.3`]
  const chart: unknown = parse(read('helm/Chart.yaml'))
  const versions = {
    'package.json': fieldOf(JSON.parse(read('package.json')), 'version'),
    'helm/Chart.yaml, version': fieldOf(chart, 'version'),
    'helm/Chart.yaml, appVersion': fieldOf(chart, 'appVersion'),
    'config/examples/compose/compose.yaml': /hushgate\/hushgate:(\S+)/.exec(
      read('config/examples/compose/compose.yaml'),
    )?.[1],
  }
  const others = Object.entries(versions).filter(([, found]) => found !== version)
  const unpinned = [...read('Dockerfile').matchAll(/^ARG (\w+_IMAGE)=(?!.*@sha256:[0-9a-f]{64}$)/gm)]
  const changelog = read('CHANGELOG.md')
  return [
    ...others.map(([place, found]) => `${place} says ${String(found)}, the tag ${version}`),
    ...unpinned.map(([, name]) => `Dockerfile: ${name} has no digest`),
    ...(sectionOf(changelog, 'Unreleased') === ''
      ? []
      : ['CHANGELOG.md: what is under Unreleased belongs to this version']),
    ...(sectionOf(changelog, version) === '' ? [`CHANGELOG.md has nothing under ${version}`] : []),
  ]
}

/** What stands under a heading, which may end with a date. */
function sectionOf(changelog: string, heading: string): string {
  const section = changelog.split(/^## /m).find((part) => part.split(/[\s[\]]+/, 2).includes(heading))
  return section?.split('\n').slice(1).join('\n').trim() ?? ''
}

function fieldOf(value: unknown, name: string): unknown {
  return isJsonObject(value) ? value[name] : undefined
}

function readFromCheckout(path: string): string {
  return readFileSync(join(import.meta.dirname, '..', path), 'utf8')
}

if (import.meta.main) {
  const [tag = '', wish] = process.argv.slice(2)
  if (wish === '--notes') process.stdout.write(`${sectionOf(readFromCheckout('CHANGELOG.md'), tag.slice(1))}\n`)
  else {
    const mistakes = mistakesIn(tag, readFromCheckout)
    for (const mistake of mistakes) process.stderr.write(`${mistake}\n`)
    process.exitCode = mistakes.length === 0 ? 0 : 1
  }
}
