/** The figures of a session as bars: what is delivered, and what it costs. SVG, readable on light and on dark. Pure. */
import type { LoadFigures } from './measure-load.ts'
import type { Results, Runs } from './results.ts'
import { SCENARIOS } from './scenarios.ts'
import { median } from './statistics.ts'

interface Panel {
  readonly title: string
  readonly of: (run: LoadFigures) => number
  readonly digits: number
  readonly x: number
}

const WIDTH = 860
const TOP = 44
const BAR = 14
const ROW = 18
const GROUP_GAP = 34
const NAME_WIDTH = 130
const BAR_WIDTH = 230
const PANELS: readonly Panel[] = [
  { title: 'delivered a second, until drained', of: (run) => run.deliveredPerSecond, digits: 0, x: NAME_WIDTH },
  {
    title: 'CPU ms a push, gateway and Redis',
    of: (run) => run.gatewayCpuMsPerPush + run.redisCpuMsPerPush,
    digits: 2,
    x: NAME_WIDTH + BAR_WIDTH + 130,
  },
]
const STYLE = `
text { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600 }
.spread { stroke: #1f2328; stroke-width: 1.5 }
.s0 { fill: #2f81f7 } .s1 { fill: #d4572a } .s2 { fill: #8b949e } .s3 { fill: #3fa45b } .s4 { fill: #a371f7 }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .spread { stroke: #e6edf3 } }
`

export function plotOf(results: Results): string {
  const groups = SCENARIOS.flatMap(({ name, title }) => {
    const runs = results.load[name]
    return runs === undefined ? [] : [{ title, runs }]
  })
  let y = TOP
  const parts = groups.flatMap(({ title, runs }) => {
    const group = groupOf(title, runs, y)
    y += Object.keys(runs).length * ROW + GROUP_GAP
    return group
  })
  const heads = PANELS.map(({ title, x }) => text(x, 18, title, 'title'))
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${y}" width="${WIDTH}" height="${y}" role="img" aria-label="Pushes a second and CPU a push">`,
    `<style>${STYLE}</style>`,
    ...heads,
    ...parts,
    '</svg>\n',
  ].join('\n')
}

function groupOf(title: string, runs: Runs<LoadFigures>, y: number): readonly string[] {
  const names = Object.keys(runs)
  const rows = names.flatMap((name, index) => {
    const top = y + index * ROW + 6
    return [
      text(0, top + BAR - 3, name),
      ...PANELS.flatMap((panel) => barOf(panel, runs[name] ?? [], Object.values(runs).flat(), top, index)),
    ]
  })
  return [text(0, y - 2, title, 'title'), ...rows]
}

/** Its length is by comparison with the others of the group; the line shows the least and the most. */
function barOf(
  { of, digits, x }: Panel,
  runs: readonly LoadFigures[],
  group: readonly LoadFigures[],
  top: number,
  index: number,
): readonly string[] {
  const longest = Math.max(...group.map(of))
  const length = (value: number): number => Math.round((value / longest) * BAR_WIDTH)
  const values = runs.map(of)
  const [middle, least, most] = [median(values), Math.min(...values), Math.max(...values)]
  const center = top + BAR / 2
  const label = middle.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
  return [
    `<rect x="${x}" y="${top}" width="${length(middle)}" height="${BAR}" class="s${index % 5}"/>`,
    `<line x1="${x + length(least)}" y1="${center}" x2="${x + length(most)}" y2="${center}" class="spread"/>`,
    text(x + length(most) + 6, top + BAR - 3, label),
  ]
}

function text(x: number, y: number, content: string, style?: string): string {
  const escaped = content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  return `<text x="${x}" y="${y}"${style === undefined ? '' : ` class="${style}"`}>${escaped}</text>`
}
