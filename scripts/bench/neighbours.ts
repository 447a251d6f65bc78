/** `npm run bench -- --growth neighbours`: what the pushes of one app take while another app's push service hangs, is away, and comes back to all that waits for it. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startHelper } from './calls.ts'
import type { FurtherApp } from './configuration.ts'
import type { Options } from './options.ts'
import type { operations as loadOperations } from './paced-load-process.ts'
import { devicesOf, writeDevices } from './requests.ts'
import type { Rig, Simulator } from './rig.ts'
import type { operations as simulatorOperations } from './simulator-process.ts'
import { median } from './statistics.ts'
import type { RunningSubject } from './subjects.ts'

type Figures = Readonly<Record<string, number>>

interface NeighboursRun {
  readonly rig: Rig
  readonly options: Options
  /** For what a run needs. */
  readonly folder: string
  /** Starts a gateway with this app besides its own, calls, and ends it. */
  readonly withGateway: <T>(other: FurtherApp, measure: (subject: RunningSubject) => Promise<T>) => Promise<T>
  /** Of pushes of its own app, now and then. */
  readonly delayOf: (subject: RunningSubject) => Promise<Figures>
}

const OTHER_APP = 'com.example.neighbour'
const PER_SECOND = 200
const DELAY_MS = 50
const WAITING = 50_000
const DEVICES_OF_A_REQUEST = 100
/** Longer than anybody waits for an answer. */
const NEVER_MS = 3600_000
const HANGING_SECONDS = 12
const DRAINED_EVERY_MS = 100

/** Medians of some rounds, each with a gateway of its own, by what the other app's push service does. */
export async function measureNeighbours(run: NeighboursRun): Promise<ReadonlyMap<string, Figures>> {
  const rounds: ReadonlyMap<string, Figures>[] = []
  for (let round = 0; round < run.options.runs; round += 1) rounds.push(await measureRound(run))
  const [first = new Map<string, Figures>()] = rounds
  return new Map(
    [...first].map(([what, figures]) => {
      const medianOf = (name: string): number => median(rounds.map((each) => each.get(what)?.[name] ?? Number.NaN))
      return [what, Object.fromEntries(Object.keys(figures).map((name) => [name, medianOf(name)]))]
    }),
  )
}

async function measureRound(run: NeighboursRun): Promise<ReadonlyMap<string, Figures>> {
  const { rig, options, folder } = run
  // Its port is known before anybody listens there, and stays.
  const reserved = await startNeighbour(rig, 0)
  reserved.simulator.stop()
  const devicesFile = join(folder, 'devices-neighbour')
  writeDevices(
    devicesFile,
    devicesOf('apns', options.pushkeys, rig.ports, () => OTHER_APP),
  )
  return run.withGateway({ name: OTHER_APP, port: reserved.port }, async (subject) => {
    const load = startHelper<typeof loadOperations>('paced-load-process.ts')
    const [url] = subject.urls
    const ofOwnApp = (): Promise<Figures> => run.delayOf(subject)
    const alone = await ofOwnApp()

    const hanging = await startNeighbour(rig, reserved.port)
    await hanging.simulator.ask('reset', { delayMs: NEVER_MS, isRecording: false })
    const unanswered = { url, devicesFile, perSecond: PER_SECOND, seconds: HANGING_SECONDS, run: idOf('hang') }
    const [whileItHangs] = await Promise.all([ofOwnApp(), load.ask('run', unanswered)])
    hanging.simulator.stop()

    const requests = WAITING / DEVICES_OF_A_REQUEST
    const filling = { url, devicesFile, devicesPerRequest: DEVICES_OF_A_REQUEST, requests, run: idOf('fill') }
    const waiting = (await load.ask('fill', filling)) * DEVICES_OF_A_REQUEST
    const whileAllWait = await ofOwnApp()

    const back = await startNeighbour(rig, reserved.port)
    await back.simulator.ask('reset', { delayMs: DELAY_MS, isRecording: false })
    const startMs = performance.now()
    while ((await back.simulator.ask('report', undefined)).arrived === 0) await sleep(DRAINED_EVERY_MS)
    const sinceMs = performance.now()
    const [whileItDrains, drainedMs] = await Promise.all([ofOwnApp(), drainedAfter(back.simulator, waiting)])
    back.simulator.stop()
    load.stop()
    return new Map([
      ['alone', alone],
      ['hangs', whileItHangs],
      [`${WAITING.toLocaleString('en')} wait`, whileAllWait],
      [
        'they drain',
        {
          ...whileItDrains,
          'other app: noticed after s': (sinceMs - startMs) / 1000,
          'other app: drained after s': (drainedMs - startMs) / 1000,
        },
      ],
    ])
  })
}

/** A push service of the other app. `port`: 0 takes any. */
async function startNeighbour(
  rig: Rig,
  port: number,
): Promise<{ readonly simulator: Simulator; readonly port: number }> {
  const simulator = startHelper<typeof simulatorOperations>('simulator-process.ts')
  const [key = '', cert = ''] = ['server-key.pem', 'server.pem'].map((name) => readFileSync(rig.at(name), 'utf8'))
  const ports = { apns: port, fcm: 0, webpush: 0, apnsWithIds: 0, tokens: 0 }
  return { simulator, port: (await simulator.ask('listen', { ports, key, cert })).apns }
}

async function drainedAfter(simulator: Simulator, waiting: number): Promise<number> {
  while ((await simulator.ask('report', undefined)).arrived < waiting) await sleep(DRAINED_EVERY_MS)
  return performance.now()
}

function idOf(what: string): string {
  return `${what}-${Date.now().toString(36)}`
}
