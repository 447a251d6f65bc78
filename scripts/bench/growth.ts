/** `npm run bench -- --growth WHAT`: what a push and an idle gateway cost as something grows. No cost may grow faster than its cause. */
import { join } from 'node:path'
import { startHelper } from './calls.ts'
import type { FurtherApp } from './configuration.ts'
import { measureDelay, type DelayFigures } from './measure-delay.ts'
import { measureLoad, type LoadFigures } from './measure-load.ts'
import type { Options } from './options.ts'
import type { operations } from './paced-load-process.ts'
import { measureNeighbours } from './neighbours.ts'
import { cpuMsOf, forgetPeak, peakMbOf, residentMbOf } from './processes.ts'
import { devicesOf, writeDevices } from './requests.ts'
import { describeSession, type Growth, type GrowthRow } from './results.ts'
import { APP_IDS, type Rig } from './rig.ts'
import { SCENARIOS, type Scenario, type GrowthKind } from './scenarios.ts'
import { hushgate, type HushgateOptions, type RunningSubject, type StoreKind } from './subjects.ts'

type Figures = Readonly<Record<string, number>>

const STEPS = {
  depth: [0, 1000, 10_000, 100_000, 1_000_000],
  apps: [1, 10, 100, 1000],
  devices: [1, 3, 10, 30, 100],
  processes: [1, 2, 3, 4],
  minutes: [1, 2, 5, 10, 20, 30, 45, 60],
  neighbours: [],
} as const
const PER_SECOND = 200
const DELAY_MS = 50
const IDLE_SECONDS = 5
/** Of which homeservers post one request to so many devices when the queue is filled. */
const FILLING_DEVICES = 100
/** Nobody listens there: what is for this app waits. */
const AWAY: FurtherApp = { name: 'com.example.away', port: 9 }

export interface GrowthRun {
  readonly rig: Rig
  readonly options: Options
  /** For what a run needs. */
  readonly folder: string
}

export async function measureGrowth(kind: GrowthKind, run: GrowthRun): Promise<Growth> {
  const { stores, max } = run.options
  const steps = STEPS[kind].filter((step) => step <= max)
  const rows: GrowthRow[] = []
  for (const store of kind === 'processes' ? (['redis'] as const) : stores) {
    const add = (step: number | string, figures: Figures): void => {
      rows.push({ store, step, figures })
      process.stderr.write(`${kind} ${step}, ${store}: ${JSON.stringify(figures)}\n`)
    }
    if (kind === 'depth') await measureDepths(store, steps, run, add)
    else if (kind === 'minutes') await measureMinutes(store, steps, run, add)
    else if (kind === 'neighbours')
      for (const [what, figures] of await measureNeighbours({
        ...run,
        withGateway: (other, measure) => withGateway({ store, furtherApps: [other] }, run, measure),
        delayOf: async (subject) => shown(await delayNowAndThen(subject, run, () => APP_IDS.apns)),
      }))
        add(what, figures)
    else for (const step of steps) add(step, await MEASURES[kind](store, step, run))
  }
  return { ...describeSession(), rows }
}

const MEASURES = { apps: measureApps, devices: measureDevices, processes: measureProcesses } as const

async function measureDepths(
  store: StoreKind,
  steps: readonly number[],
  run: GrowthRun,
  add: (step: number, figures: Figures) => void,
): Promise<void> {
  const waiting = join(run.folder, 'devices-away')
  writeDevices(
    waiting,
    devicesOf('apns', 50_000, run.rig.ports, () => AWAY.name),
  )
  await withGateway({ store, furtherApps: [AWAY] }, run, async (subject) => {
    const load = startHelper<typeof operations>('paced-load-process.ts')
    let depth = 0
    for (const step of steps) {
      const requests = (step - depth) / FILLING_DEVICES
      const common = { url: subject.urls[0], devicesFile: waiting, devicesPerRequest: FILLING_DEVICES }
      const startMs = performance.now()
      const accepted = await load.ask('fill', { ...common, requests, run: idOf('fill', step) })
      const seconds = (performance.now() - startMs) / 1000
      depth += accepted * FILLING_DEVICES
      const filling = requests === 0 ? {} : { 'stored/s while filling': (accepted * FILLING_DEVICES) / seconds }
      add(depth, { ...filling, ...(await costOf(subject, run, () => APP_IDS.apns)) })
    }
    load.stop()
  })
}

/** One gateway, minute after minute at half of what it can do: its memory must not grow. */
function measureMinutes(
  store: StoreKind,
  steps: readonly number[],
  run: GrowthRun,
  add: (step: number, figures: Figures) => void,
): Promise<void> {
  const { rig, options } = run
  const { scenario, files } = underLoad({}, run)
  return withGateway({ store }, run, async (subject) => {
    const full = await measureLoad(subject, { rig, scenario, ...files, ...options, id: idOf('load', Date.now()) })
    const perSecond = Math.round(full.deliveredPerSecond / 2)
    forgetPeak(subject.pids())
    const redisPids = redisPidsOf(subject)
    for (let minute = 1; minute <= (steps.at(-1) ?? 0); minute += 1) {
      const paced = {
        ...options,
        rig,
        service: 'apns',
        delayMs: DELAY_MS,
        perSecond,
        seconds: 60,
        warmUpSeconds: 0,
      } as const
      const { gatewayCpuMsPerPush, fromRequestMs, failed, lost } = await measureDelay(subject, {
        ...paced,
        devicesFile: files.devicesFile,
        id: idOf('minute', Date.now()),
      })
      if (!steps.includes(minute)) continue
      add(minute, {
        'pushes/s': perSecond,
        'memory MB': residentMbOf(subject.pids()),
        'memory peak MB': peakMbOf(subject.pids()),
        'Redis memory MB': residentMbOf(redisPids),
        'CPU ms a push': gatewayCpuMsPerPush,
        'request → push service p50 ms': fromRequestMs.p50,
        'request → push service p99 ms': fromRequestMs.p99,
        'not 200': failed,
        lost,
      })
    }
  })
}

function measureApps(store: StoreKind, step: number, run: GrowthRun): Promise<Figures> {
  const apps = Array.from({ length: step }, (_, number) => ({
    name: `com.example.app-${number}`,
    port: run.rig.ports.apns,
  }))
  return withGateway({ store, furtherApps: apps }, run, async (subject) => {
    const startMs = performance.now()
    const scrape = await (await fetch(`${subject.adminUrl}/metrics`)).text()
    const scrapeMs = performance.now() - startMs
    const figures = await costOf(subject, run, (number) => `com.example.app-${number % step}`)
    return { ...figures, 'scrape ms': scrapeMs, 'scrape kB': scrape.length / 1000 }
  })
}

function measureDevices(store: StoreKind, step: number, run: GrowthRun): Promise<Figures> {
  return measureUnderLoad({ store }, { devicesPerRequest: step, connections: 20 }, run)
}

function measureProcesses(store: StoreKind, step: number, run: GrowthRun): Promise<Figures> {
  return measureUnderLoad({ store, processes: step }, {}, run)
}

async function measureUnderLoad(
  gateway: Partial<HushgateOptions> & Pick<HushgateOptions, 'store'>,
  changes: Partial<Scenario>,
  run: GrowthRun,
): Promise<Figures> {
  const { rig, options } = run
  const { scenario, files } = underLoad(changes, run)
  return withGateway(gateway, run, async (subject) =>
    chosen(await measureLoad(subject, { rig, scenario, ...files, ...options, id: idOf('load', Date.now()) })),
  )
}

/** What a load of APNs, but for these changes, is measured with. */
function underLoad(
  changes: Partial<Scenario>,
  { rig, options, folder }: GrowthRun,
): { readonly scenario: Scenario; readonly files: { readonly devicesFile: string; readonly scriptFile: string } } {
  const [apns] = SCENARIOS
  if (apns === undefined) throw new Error('there is no scenario')
  const devicesFile = join(folder, 'devices-apns')
  writeDevices(devicesFile, devicesOf('apns', options.pushkeys, rig.ports))
  return { scenario: { ...apns, ...changes }, files: { devicesFile, scriptFile: join(folder, 'load.lua') } }
}

function chosen(figures: LoadFigures): Figures {
  return {
    'accepted/s': figures.acceptedPerSecond,
    'delivered/s': figures.deliveredPerSecond,
    'CPU ms a push, gateway': figures.gatewayCpuMsPerPush,
    'CPU ms a push, Redis': figures.redisCpuMsPerPush,
    'request p50 ms': figures.requestP50Ms,
    'memory peak MB': figures.peakMb,
    'Redis commands a push': figures.redisCommandsPerPush,
    'not 200': figures.failed,
    lost: figures.lost,
  }
}

/** Of an idle gateway, and of pushes now and then. */
async function costOf(subject: RunningSubject, run: GrowthRun, appIdOf: (number: number) => string): Promise<Figures> {
  const pids = subject.pids()
  const redisPids = redisPidsOf(subject)
  await sleep(IDLE_SECONDS)
  const before = { cpuMs: cpuMsOf(pids), redisCpuMs: cpuMsOf(redisPids), redis: await subject.redis?.work() }
  await sleep(IDLE_SECONDS)
  const redis = await subject.redis?.work()
  const idle = {
    'idle: memory MB': residentMbOf(pids),
    'idle: CPU ms/s': (cpuMsOf(pids) - before.cpuMs) / IDLE_SECONDS,
    'idle: Redis memory MB': residentMbOf(redisPids),
    'idle: Redis CPU ms/s': (cpuMsOf(redisPids) - before.redisCpuMs) / IDLE_SECONDS,
    'idle: Redis commands/s': ((redis?.commands ?? 0) - (before.redis?.commands ?? 0)) / IDLE_SECONDS,
  }
  const delay = await delayNowAndThen(subject, run, appIdOf)
  return { ...idle, 'CPU ms a push': delay.gatewayCpuMsPerPush, ...shown(delay) }
}

function delayNowAndThen(
  subject: RunningSubject,
  { rig, options, folder }: GrowthRun,
  appIdOf: (number: number) => string,
): Promise<DelayFigures> {
  const devicesFile = join(folder, 'devices-paced')
  writeDevices(devicesFile, devicesOf('apns', options.pushkeys, rig.ports, appIdOf))
  return measureDelay(subject, {
    ...options,
    rig,
    service: 'apns',
    delayMs: DELAY_MS,
    perSecond: PER_SECOND,
    devicesFile,
    id: idOf('paced', Date.now()),
  })
}

function shown({ fromRequestMs, failed, lost }: DelayFigures): Figures {
  return {
    'request → push service p50 ms': fromRequestMs.p50,
    'request → push service p99 ms': fromRequestMs.p99,
    'not 200': failed,
    lost,
  }
}

async function withGateway<T>(
  gateway: Partial<HushgateOptions> & Pick<HushgateOptions, 'store'>,
  { rig, options }: GrowthRun,
  measure: (subject: RunningSubject) => Promise<T>,
): Promise<T> {
  const [[name, program] = ['', '']] = options.programs
  const subject = await hushgate({ name, program, ...gateway }).start(rig)
  try {
    return await measure(subject)
  } finally {
    await subject.stop()
  }
}

function redisPidsOf({ redis }: RunningSubject): readonly number[] {
  return redis === undefined ? [] : [redis.pid]
}

function idOf(what: string, number: number): string {
  return `${what}-${number.toString(36)}`
}

function sleep(seconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, seconds * 1000))
}
