/** What the registry knows of weaknesses in the packages, as `npm audit --json` tells it, and what of that fails the check. Pure. */
import { isJsonObject } from '../../src/core/json.ts'
import type { AcceptedAdvisory } from './rules.ts'

export interface Advisory {
  /** GHSA-…, or the address of the advisory where it has no such name. */
  readonly id: string
  readonly package: string
  readonly severity: string
  readonly title: string
}

/** `refused` is a word or two: that the registry was not reached, or what it answered. */
export type Report = { readonly found: readonly Advisory[] } | { readonly refused: string }

/** From what npm prints to its standard output. */
export function readReport(printed: string): Report {
  const report = parse(printed)
  if (!isJsonObject(report) || !isJsonObject(report['vulnerabilities'])) return { refused: reasonIn(report) }
  const causes = Object.values(report['vulnerabilities']).flatMap((one) =>
    isJsonObject(one) && Array.isArray(one['via']) ? [...one['via']] : [],
  )
  // A name stands for another entry of the list, which has the advisory.
  const found = causes.filter(isJsonObject).map((cause) => {
    const field = (name: string): string => (typeof cause[name] === 'string' ? cause[name] : 'unknown')
    const id = /GHSA(-\w{4}){3}/.exec(field('url'))?.[0] ?? field('url')
    return { id, package: field('name'), severity: field('severity'), title: field('title') }
  })
  return { found: [...new Map(found.map((one) => [`${one.id} ${one.package}`, one])).values()] }
}

/** Nothing of what npm says but a number and a word: its sentences name the registry that this machine uses. */
function reasonIn(report: unknown): string {
  if (!isJsonObject(report)) return 'npm told nothing'
  if (typeof report['statusCode'] === 'number') return `it answered ${report['statusCode']}`
  const code = /\b(E[A-Z_]{4,})\b/.exec(JSON.stringify(report))?.[1]
  return code === undefined ? 'npm gave no reason' : `it was not reached (${code})`
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** `today` as YYYY-MM-DD. */
export function mistakesInAdvisories(
  found: readonly Advisory[],
  accepted: readonly AcceptedAdvisory[],
  today: string,
): readonly string[] {
  const grave = found.filter(({ severity }) => severity === 'high' || severity === 'critical')
  const isSame = (one: Advisory, other: AcceptedAdvisory): boolean =>
    one.id === other.id && one.package === other.package
  return grave.flatMap((advisory) => {
    const exception = accepted.find((other) => isSame(advisory, other))
    const what = `${advisory.package}: ${advisory.title} (${advisory.severity}, ${advisory.id})`
    if (exception === undefined) return [what]
    return exception.until >= today ? [] : [`${what}; it was accepted until ${exception.until}`]
  })
}
