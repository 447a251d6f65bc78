/** Results as tables, for the terminal and for docs/performance.md. Pure. */
import type { BareFigures } from './measure-bare.ts'
import type { DelayFigures, Percentiles } from './measure-delay.ts'
import type { LoadFigures } from './measure-load.ts'
import type { Growth, Results, Runs } from './results.ts'
import { SCENARIOS } from './scenarios.ts'
import { median, spread } from './statistics.ts'

export interface Table {
  readonly title: string
  readonly columns: readonly string[]
  readonly rows: readonly (readonly [label: string, ...cells: readonly string[]])[]
}

interface Row<T> {
  readonly label: string
  readonly of: (run: T) => number
  readonly digits: number
}

const LOAD_ROWS: readonly Row<LoadFigures>[] = [
  { label: 'accepted/s', of: (run) => run.acceptedPerSecond, digits: 0 },
  { label: 'delivered/s until drained', of: (run) => run.deliveredPerSecond, digits: 0 },
  { label: 'delivered/s while the load lasts', of: (run) => run.deliveredUnderLoadPerSecond, digits: 0 },
  { label: 'CPU ms a push, gateway', of: (run) => run.gatewayCpuMsPerPush, digits: 3 },
  { label: 'CPU ms a push, Redis', of: (run) => run.redisCpuMsPerPush, digits: 3 },
  { label: 'request p50 ms', of: (run) => run.requestP50Ms, digits: 1 },
  { label: 'request p99 ms', of: (run) => run.requestP99Ms, digits: 1 },
  { label: 'memory peak MB, gateway', of: (run) => run.peakMb, digits: 0 },
  { label: 'memory peak MB, Redis', of: (run) => run.redisPeakMb, digits: 0 },
  { label: 'Redis commands a push', of: (run) => run.redisCommandsPerPush, digits: 1 },
  { label: 'Redis bytes a push', of: (run) => run.redisBytesPerPush, digits: 0 },
  { label: '(CPU ms a push, simulator)', of: (run) => run.simulatorCpuMsPerPush, digits: 3 },
  { label: '(CPU ms a push, wrk)', of: (run) => run.loadCpuMsPerPush, digits: 3 },
]

const DELAY_ROWS: readonly Row<DelayFigures>[] = [
  { label: 'requests/s', of: (run) => run.perSecond, digits: 0 },
  ...percentileRows('accept → push service', (run) => run.fromAcceptMs),
  ...percentileRows('request → push service', (run) => run.fromRequestMs),
  { label: 'CPU ms a push, gateway', of: (run) => run.gatewayCpuMsPerPush, digits: 3 },
]

const BARE_ROWS: readonly (Row<BareFigures> & { readonly column: string })[] = [
  { column: 'Fastify, one route', label: 'a second', of: ({ route }) => route.perSecond, digits: 0 },
  { column: 'Fastify, one route', label: 'CPU ms each', of: ({ route }) => route.cpuMsEach, digits: 3 },
  { column: 'BullMQ', label: 'a second', of: ({ bullmq }) => bullmq.perSecond, digits: 0 },
  { column: 'BullMQ', label: 'CPU ms each', of: ({ bullmq }) => bullmq.cpuMsEach, digits: 3 },
  { column: 'HTTP/2 client', label: 'a second', of: ({ http2 }) => http2.perSecond, digits: 0 },
  { column: 'HTTP/2 client', label: 'CPU ms each', of: ({ http2 }) => http2.cpuMsEach, digits: 3 },
]

export function tablesOf(results: Results): readonly Table[] {
  return [
    ...SCENARIOS.flatMap(({ name, title }) => {
      const runs = results.load[name]
      return runs === undefined
        ? []
        : [{ ...tableOf(title, runs, LOAD_ROWS, isNothing), rows: loadRows(name, runs, results) }]
    }),
    ...Object.entries(results.delay).map(([rate, runs]) => tableOf(`Delay, ${rate}`, runs, DELAY_ROWS)),
    ...idleTable(results),
    ...bareTable(results.bare),
  ]
}

function percentileRows(what: string, of: (run: DelayFigures) => Percentiles): readonly Row<DelayFigures>[] {
  return [
    { label: `${what} p50 ms`, of: (run) => of(run).p50, digits: 1 },
    { label: `${what} p99 ms`, of: (run) => of(run).p99, digits: 1 },
    { label: `${what} p99.9 ms`, of: (run) => of(run).p999, digits: 1 },
  ]
}

function tableOf<T>(
  title: string,
  runs: Runs<T>,
  rows: readonly Row<T>[],
  isLeftOut: (values: readonly number[]) => boolean = () => false,
): Table {
  const columns = Object.entries(runs)
  const shown = rows.filter(({ of }) => !isLeftOut(columns.flatMap(([, each]) => each.map(of))))
  return {
    title,
    columns: columns.map(([name]) => name),
    rows: shown.map(({ label, of, digits }) => [label, ...columns.map(([, each]) => spread(each.map(of), digits))]),
  }
}

function isNothing(values: readonly number[]): boolean {
  return values.every((value) => value === 0)
}

/** With what each gateway does by comparison: to the first peer, run by run, and to the bare route. */
function loadRows(scenario: string, runs: Runs<LoadFigures>, { peers, bare }: Results): Table['rows'] {
  const { rows } = tableOf('', runs, LOAD_ROWS, isNothing)
  const all = Object.values(runs)
  const [peer = ''] = peers
  const others = runs[peer]
  const ratios = (label: string, of: (run: LoadFigures) => number): Table['rows'] =>
    others === undefined
      ? []
      : [
          [
            `${label} ÷ ${peer}`,
            ...all.map((each) =>
              spread(
                each.map((run, round) => of(run) / valueAt(others, round, of)),
                2,
              ),
            ),
          ],
        ]
  const routes = bare.map(({ route }) => route.perSecond)
  const toRoute: Table['rows'] =
    scenario === 'apns' && routes.length > 0
      ? [
          [
            'accepted/s ÷ bare route',
            ...all.map((each) =>
              spread(
                each.map((run, round) => run.acceptedPerSecond / (routes[round] ?? Number.NaN)),
                2,
              ),
            ),
          ],
        ]
      : []
  return [
    ...rows,
    ...ratios('delivered/s', (run) => run.deliveredPerSecond),
    ...ratios('CPU', (run) => run.gatewayCpuMsPerPush + run.redisCpuMsPerPush),
    ...toRoute,
  ]
}

function valueAt(runs: readonly LoadFigures[], round: number, of: (run: LoadFigures) => number): number {
  const run = runs[round]
  return run === undefined ? Number.NaN : of(run)
}

/** A table for each store; what does not grow stands from left to right, what grows downwards. */
export function growthTables(kind: string, { rows }: Growth): readonly Table[] {
  const stores = [...new Set(rows.map(({ store }) => store))]
  return stores.map((store) => {
    const own = rows.filter((row) => row.store === store)
    const labels = [...new Set(own.flatMap(({ figures }) => Object.keys(figures)))]
    const shown = labels.filter((label) => own.some(({ figures }) => (figures[label] ?? 0) !== 0))
    return {
      title: `${GROWTH_TITLES[kind] ?? kind}, ${store}`,
      columns: own.map(({ step }) => (typeof step === 'string' ? step : step.toLocaleString('en'))),
      rows: shown.map((label) => [label, ...own.map(({ figures }) => figureOf(figures[label]))] as const),
    }
  })
}

const GROWTH_TITLES: Readonly<Record<string, string>> = {
  depth: 'Pushes that wait for another app',
  apps: 'Apps',
  devices: 'Devices in each request',
  processes: 'Processes',
  minutes: 'Minutes at half of what it can do',
  neighbours: 'What another app’s push service does',
}

function figureOf(value = 0): string {
  const digits = value >= 100 || Number.isInteger(value) ? 0 : value >= 10 ? 1 : 2
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

function idleTable({ idle }: Results): readonly Table[] {
  if (Object.keys(idle).length === 0) return []
  return [
    tableOf('Idle, three apps', idle, [
      { label: 'memory MB', of: (run) => run.residentMb, digits: 0 },
      { label: 'CPU ms a second', of: (run) => run.cpuMsPerSecond, digits: 1 },
    ]),
  ]
}

function bareTable(bare: readonly BareFigures[]): readonly Table[] {
  if (bare.length === 0) return []
  const columns = [...new Set(BARE_ROWS.map(({ column }) => column))]
  const labels = [...new Set(BARE_ROWS.map(({ label }) => label))]
  const cell = (column: string, label: string): string => {
    const row = BARE_ROWS.find((each) => each.column === column && each.label === label)
    return row === undefined ? '' : spread(bare.map(row.of), row.digits)
  }
  const rows = labels.map((label) => [label, ...columns.map((column) => cell(column, label))] as const)
  return [{ title: 'Bare parts', columns, rows }]
}

/** A push service whose event loop has no more rest than this may be what holds the gateway back. */
const BUSY = 0.9
/** Cores that others took. */
const DISTURBED = 0.2

/** What makes a run doubtful or a failure, as sentences. */
export function remarksOn(results: Results): readonly string[] {
  const loads = Object.entries(results.load).flatMap(([scenario, runs]) =>
    Object.entries(runs).map(([name, each]) => ({ who: `${scenario}, ${name}`, each })),
  )
  const delays = Object.entries(results.delay).flatMap(([rate, runs]) =>
    Object.entries(runs).map(([name, each]) => ({ who: `delay at ${rate}, ${name}`, each })),
  )
  return [
    ...[...loads, ...delays].flatMap(({ who, each }) => [
      ...sentence(
        each.map(({ failed }) => failed),
        (sum) => `${who}: ${sum} requests were not answered with 200`,
      ),
      ...sentence(
        each.map(({ lost }) => lost),
        (sum) => `${who}: ${sum} pushes were accepted and never came`,
      ),
    ]),
    ...loads.flatMap(({ who, each }) => {
      const busy = median(each.map(({ simulatorUtilization }) => simulatorUtilization))
      const others = median(each.map(({ otherCores }) => otherCores))
      return [
        ...(busy > BUSY
          ? [`${who}: the simulator may have been the bottleneck, busy ${Math.round(busy * 100)} % of the time`]
          : []),
        ...(others > DISTURBED ? [`${who}: something else on this machine used ${others.toFixed(1)} cores`] : []),
      ]
    }),
  ]
}

function sentence(counts: readonly number[], of: (sum: number) => string): readonly string[] {
  const total = counts.reduce((sum, count) => sum + count, 0)
  return total === 0 ? [] : [of(total)]
}

const LABEL_WIDTH = 34
const CELL_WIDTH = 24

export function asText({ title, columns, rows }: Table): string {
  return [title, line('', columns), ...rows.map(([label, ...cells]) => line(label, cells))].join('\n')
}

function line(label: string, cells: readonly string[]): string {
  return `  ${label.padEnd(LABEL_WIDTH)}${cells.map((cell) => cell.padStart(CELL_WIDTH)).join('')}`
}
