/** The tables of attacks in docs/reliability.md, from what was kept. What people wrote in the page stays. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readKept, type Results } from './results.ts'
import { asMarkdown, STORE_NAMES, tablesOf } from './tables.ts'

export const PAGE = join(import.meta.dirname, '../../docs/reliability.md')
const PART = /(<!-- attacks -->\n)[^]*?(<!-- end -->)/

/** The page with the part that is made from the results as it must be: what stands between `<!-- attacks -->` and `<!-- end -->`. */
export function withAttacks(markdown: string, results: Results): string {
  if (!PART.test(markdown)) throw new Error('docs/reliability.md has no place for "attacks"')
  const paragraphs = [descriptionOf(results), ...tablesOf(results).map(asMarkdown)]
  return markdown.replace(PART, (_, start: string, end: string) => `${start}\n${paragraphs.join('\n\n')}\n\n${end}`)
}

function descriptionOf({ machine, day, commit, seconds, perSecond, loadAverages, measured }: Results): string {
  const { cpu, cores, memoryGb, kernel, node } = machine
  const rounds = Math.max(...measured.map((each) => each.rounds.length))
  const [before, after] = loadAverages.map((load) => load.toFixed(1))
  // The measurement itself makes a load of two or so.
  const isDisturbed = loadAverages[0] > cores / 2
  const warning = isDisturbed
    ? ' Others used the machine as well: what is beyond the bound here may be their doing.'
    : ''
  return `Measured on ${day} at commit ${commit}${ofOthers(commit, measured)}: ${cpu}, ${cores} cores, ${memoryGb} GB, Linux ${kernel}, Node ${node}; load average ${before} before, ${after} after. Rounds: ${rounds}. In each, ${perSecond} pushes a second to known devices of each of two apps for ${seconds} seconds without the attack, and then with it; the median of the rounds.${warning}`
}

/** Which were measured before, at another commit. */
function ofOthers(commit: string, measured: Results['measured']): string {
  const others = Map.groupBy(
    measured.filter((each) => each.commit !== commit),
    (each) => each.commit,
  )
  return [...others]
    .map(([of, attacks]) => {
      const names = attacks.map(({ number, store }) => `${number} (${STORE_NAMES[store]})`)
      return `, at ${of} attacks ${names.join('; ')}`
    })
    .join('')
}

export function writeDocument(): void {
  writeFileSync(PAGE, withAttacks(readFileSync(PAGE, 'utf8'), readKept()))
}
