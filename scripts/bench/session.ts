/** A session: rounds in which each gateway has its turn, so that what disturbs the machine disturbs all of them. */
import { join } from 'node:path'
import { measureBare, type BareFigures } from './measure-bare.ts'
import { measureDelay, type DelayFigures } from './measure-delay.ts'
import { measureIdle, type IdleFigures } from './measure-idle.ts'
import { measureLoad, type LoadFigures } from './measure-load.ts'
import type { Options } from './options.ts'
import { devicesOf, writeDevices } from './requests.ts'
import { describeSession, type Results } from './results.ts'
import type { Rig } from './rig.ts'
import { DELAY_SCENARIOS, SCENARIOS, type DelayScenario, type Scenario } from './scenarios.ts'
import type { PushService } from './simulator-process.ts'
import { median } from './statistics.ts'
import type { RunningSubject, Subject } from './subjects.ts'

const SHARE_OF_CAPACITY = 0.7
const DELAY_MS = 50

export class Session {
  readonly #rig: Rig
  readonly #options: Options
  readonly #subjects: readonly Subject[]
  readonly #folder: string
  readonly #bare: BareFigures[] = []
  readonly #idle: Record<string, IdleFigures[]> = {}
  readonly #load: Record<string, Record<string, LoadFigures[]>> = {}
  readonly #delay: Record<string, Record<string, DelayFigures[]>> = {}
  readonly #written = new Set<PushService>()
  #ids = 0

  /** `folder`: for what a run needs. */
  constructor(rig: Rig, options: Options, subjects: readonly Subject[], folder: string) {
    this.#rig = rig
    this.#options = options
    this.#subjects = subjects
    this.#folder = folder
  }

  async run(): Promise<Results> {
    const { runs, seconds, only, peers } = this.#options
    for (let round = 0; round < runs; round += 1) {
      if (only.includes('bare')) await this.#measureBare()
      if (only.includes('idle')) await this.#eachSubject((subject, name) => this.#measureIdle(subject, name))
      for (const scenario of SCENARIOS)
        if (only.includes(scenario.name))
          await this.#eachSubject((subject, name) => this.#measureLoad(scenario, subject, name))
      for (const scenario of DELAY_SCENARIOS) if (only.includes(scenario.name)) await this.#measureDelays(scenario)
    }
    return {
      ...describeSession(),
      secondsPerRun: seconds,
      peers: peers.map((text) => text.split('=')[0] ?? ''),
      bare: this.#bare,
      idle: this.#idle,
      load: this.#load,
      delay: this.#delay,
    }
  }

  async #eachSubject(measure: (running: RunningSubject, name: string) => Promise<void>): Promise<void> {
    for (const subject of this.#subjects) {
      const running = await subject.start(this.#rig)
      try {
        await measure(running, subject.name)
      } finally {
        await running.stop()
      }
    }
  }

  async #measureBare(): Promise<void> {
    const figures = await measureBare({ rig: this.#rig, ...this.#files('apns'), ...this.#options, id: this.#nextId() })
    this.#bare.push(figures)
    progress(`bare: route ${figures.route.perSecond.toFixed(0)}/s`)
  }

  async #measureIdle(subject: RunningSubject, name: string): Promise<void> {
    const figures = await measureIdle(subject, this.#options.settleSeconds)
    ;(this.#idle[name] ??= []).push(figures)
    progress(`idle, ${name}: ${figures.residentMb.toFixed(0)} MB`)
  }

  async #measureLoad(planned: Scenario, subject: RunningSubject, name: string): Promise<void> {
    const connections = Math.min(planned.connections, this.#options.maxConnections)
    const scenario = { ...planned, connections }
    const files = this.#files(scenario.service)
    const figures = await measureLoad(subject, {
      rig: this.#rig,
      scenario,
      ...files,
      ...this.#options,
      id: this.#nextId(),
    })
    ;((this.#load[scenario.name] ??= {})[name] ??= []).push(figures)
    const { acceptedPerSecond, deliveredPerSecond } = figures
    progress(
      `${scenario.name}, ${name}: accepted ${acceptedPerSecond.toFixed(0)}/s, delivered ${deliveredPerSecond.toFixed(0)}/s`,
    )
  }

  async #measureDelays({ title, service, capacityOf, perSecond }: DelayScenario): Promise<void> {
    if (perSecond !== undefined)
      await this.#eachSubject((subject, name) =>
        this.#measureDelay(`${title}, ${perSecond}/s`, service, perSecond, subject, name),
      )
    if (!this.#options.only.includes(capacityOf)) return
    const rate = `${title}, ${SHARE_OF_CAPACITY * 100} % of capacity`
    await this.#eachSubject((subject, name) => {
      const runs = this.#load[capacityOf]?.[name] ?? []
      const capacity = median(runs.map(({ deliveredPerSecond }) => deliveredPerSecond))
      return this.#measureDelay(rate, service, Math.ceil(capacity * SHARE_OF_CAPACITY), subject, name)
    })
  }

  async #measureDelay(
    rate: string,
    service: PushService,
    perSecond: number,
    subject: RunningSubject,
    name: string,
  ): Promise<void> {
    const files = this.#files(service)
    const run = {
      rig: this.#rig,
      service,
      delayMs: DELAY_MS,
      perSecond,
      ...files,
      ...this.#options,
      id: this.#nextId(),
    }
    const figures = await measureDelay(subject, run)
    ;((this.#delay[rate] ??= {})[name] ??= []).push(figures)
    progress(`delay, ${rate}, ${name}: p50 ${figures.fromRequestMs.p50.toFixed(1)} ms`)
  }

  #files(service: PushService): { readonly devicesFile: string; readonly scriptFile: string } {
    const devicesFile = join(this.#folder, `devices-${service}`)
    if (!this.#written.has(service))
      writeDevices(devicesFile, devicesOf(service, this.#options.pushkeys, this.#rig.ports))
    this.#written.add(service)
    return { devicesFile, scriptFile: join(this.#folder, 'load.lua') }
  }

  /** Also different from those of a session before: a peer may remember. */
  #nextId(): string {
    this.#ids += 1
    return `${Date.now().toString(36)}-${this.#ids}`
  }
}

function progress(text: string): void {
  process.stderr.write(`${text}\n`)
}
