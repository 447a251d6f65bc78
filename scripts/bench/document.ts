/** docs/performance.md and its plot, from what was kept. What people wrote in the page stays. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { plotOf } from './plot.ts'
import { readKept, type Kept, type Measured, type Results } from './results.ts'
import { growthTables, remarksOn, tablesOf, type Table } from './tables.ts'

const DOCS = join(import.meta.dirname, '../../docs')
export const PAGE = join(DOCS, 'performance.md')
export const PLOT = join(DOCS, 'performance.svg')

/** The page with its parts that are made from the results as they must be. Each stands between `<!-- its name -->` and `<!-- end -->`. */
export function withResults(markdown: string, { load, growth = {} }: Kept): string {
  const grown = Object.entries(growth).flatMap(([kind, each]) => [
    machineOf(each),
    ...growthTables(kind, each).map(asMarkdown),
  ])
  const page = grown.length === 0 ? markdown : replacePart(markdown, 'growth', grown)
  return load === undefined ? page : withLoad(page, load)
}

function withLoad(markdown: string, load: Results): string {
  const runs = Math.max(...Object.values(load.load).flatMap((each) => Object.values(each).map(({ length }) => length)))
  const remarks = remarksOn(load).map((remark) => `- ${remark}`)
  return replacePart(markdown, 'results', [
    `${machineOf(load)} ${runs} runs of ${load.secondsPerRun} seconds each, in turns: the median, and in brackets the least and the most.`,
    ...tablesOf(load).map(asMarkdown),
    ...(remarks.length > 0 ? [`What to know of this session:\n\n${remarks.join('\n')}`] : []),
  ])
}

function replacePart(markdown: string, name: string, paragraphs: readonly string[]): string {
  const between = new RegExp(`(<!-- ${name} -->\n)[^]*?(<!-- end -->)`)
  if (!between.test(markdown)) throw new Error(`docs/performance.md has no place for "${name}"`)
  return markdown.replace(between, (_, start: string, end: string) => `${start}\n${paragraphs.join('\n\n')}\n\n${end}`)
}

function machineOf({ machine: { cpu, cores, memoryGb, kernel, node }, day, commit }: Measured): string {
  return `Measured on ${day} at commit ${commit}: ${cpu}, ${cores} cores, ${memoryGb} GB, Linux ${kernel}, Node ${node}.`
}

function asMarkdown({ title, columns, rows }: Table): string {
  const lines = [['', ...columns], ['---', ...columns.map(() => '---:')], ...rows]
  return `### ${title}\n\n${lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n')}`
}

export function writeDocument(): void {
  const kept = readKept()
  writeFileSync(PAGE, withResults(readFileSync(PAGE, 'utf8'), kept))
  if (kept.load !== undefined) writeFileSync(PLOT, plotOf(kept.load))
}
