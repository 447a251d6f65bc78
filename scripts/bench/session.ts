/** A session: rounds in which each gateway has its turn, so that what disturbs the machine disturbs all of them. */
import { join } from 'node:path'
import { measureBare, type BareFigures } from './measure-bare.ts'
import { measureDelay, type DelayFigures } from './measure-delay.ts'
import { measureIdle, type IdleFigures } from './measure-idle.ts'
import { measureLoad, type LoadFigures } from './measure-load.ts'
import type { Options } from './options.ts'
import { devicesOf, writeDevices } from './requests.ts'
import { currentCommit, describeMachine, type Results } from './results.ts'
import type { Rig } from './rig.ts'
import { SCENARIOS, type Scenario } from './scenarios.ts'
import type { PushService } from './simulator-process.ts'
import { median } from './statistics.ts'
import type { RunningSubject, Subject } from './subjects.ts'

/** At which every gateway that is worth its name has time to spare. */
const CALM_PER_SECOND = 500
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
      if (only.includes('delay')) await this.#measureDelays()
    }
    return {
      machine: describeMachine(),
      measured: new Date().toISOString().slice(0, 10),
      commit: currentCommit(),
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

  async #measureLoad(scenario: Scenario, subject: RunningSubject, name: string): Promise<void> {
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

  async #measureDelays(): Promise<void> {
    const calm = `${CALM_PER_SECOND}/s`
    await this.#eachSubject((subject, name) => this.#measureDelay(calm, CALM_PER_SECOND, subject, name))
    const share = `${SHARE_OF_CAPACITY * 100} % of capacity`
    await this.#eachSubject(async (subject, name) => {
      const capacity = median((this.#load['apns']?.[name] ?? []).map(({ deliveredPerSecond }) => deliveredPerSecond))
      if (Number.isNaN(capacity)) return progress(`delay at ${share}, ${name}: left out, as the scenario apns was`)
      return this.#measureDelay(share, Math.round(capacity * SHARE_OF_CAPACITY), subject, name)
    })
  }

  async #measureDelay(rate: string, perSecond: number, subject: RunningSubject, name: string): Promise<void> {
    const figures = await measureDelay(subject, {
      rig: this.#rig,
      service: 'apns',
      delayMs: DELAY_MS,
      perSecond,
      ...this.#files('apns'),
      ...this.#options,
      id: this.#nextId(),
    })
    ;((this.#delay[rate] ??= {})[name] ??= []).push(figures)
    progress(`delay at ${rate}, ${name}: p50 ${figures.fromAcceptMs.p50.toFixed(1)} ms`)
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
