/** Which configured app an app_id belongs to: an exact name first, then a glob (`*` any characters, `?` exactly one). Pure. */
import { matchesGlob } from './glob.ts'

/** The spec allows 64 characters; Synapse has been seen to send more (docs/facts/push-gateway-api.md#lengths). Bounds the work a stranger can cause. */
const MAX_APP_ID_UNITS = 255

export function isGlob(name: string): boolean {
  return /[*?]/.test(name)
}

/** No app has a line break in its name. */
export function isPossibleAppId(appId: string): boolean {
  return appId.length <= MAX_APP_ID_UNITS && !/\p{Cc}/u.test(appId)
}

/** The name of the app for an app_id; undefined when none matches, and when more than one glob does, so that the order does not matter. */
export function compileApps(names: Iterable<string>): (appId: string) => string | undefined {
  const exact = new Set(names)
  const globs = [...exact].filter(isGlob).map((name) => ({ name, glob: Array.from(name) }))
  return (appId) => {
    if (exact.has(appId)) return appId
    // A glob is no invitation for whatever a stranger makes up.
    if (!isPossibleAppId(appId)) return undefined
    const characters = Array.from(appId)
    const [only, second] = globs.filter(({ glob }) => matchesGlob(glob, characters))
    return second === undefined ? only?.name : undefined
  }
}

interface Place {
  readonly inA: number
  readonly inB: number
  /** What was read on the way here. */
  readonly text: string
}

/**
 * A shortest text that both globs match, or undefined when there is none. Exact: walks the two globs as one automaton, breadth first, and
 * sees each pair of places once.
 */
export function overlap(globA: string, globB: string): string | undefined {
  const [a, b] = [Array.from(globA), Array.from(globB)]
  const seen = new Set<number>()
  let level: Place[] = [{ inA: 0, inB: 0, text: '' }]
  while (level.length > 0) {
    const next: Place[] = []
    // The list grows while it is walked: a `*` may take nothing, which reads no character and stays on this level.
    for (const { inA, inB, text } of level) {
      const id = inA * (b.length + 1) + inB
      if (seen.has(id)) continue
      seen.add(id)
      if (inA === a.length && inB === b.length) return text
      if (a[inA] === '*') level.push({ inA: inA + 1, inB, text })
      if (b[inB] === '*') level.push({ inA, inB: inB + 1, text })
      const character = common(a[inA], b[inB])
      if (character === undefined) continue
      next.push({ inA: a[inA] === '*' ? inA : inA + 1, inB: b[inB] === '*' ? inB : inB + 1, text: text + character })
    }
    level = next
  }
  return undefined
}

/** A character that both symbols accept. */
function common(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return undefined
  if (a === '*' || a === '?') return b === '*' || b === '?' ? 'x' : b
  return b === '*' || b === '?' || a === b ? a : undefined
}
