/** The containers of one pod as processes of this machine: Hushgate's image is the sources here, and its Node is ours. */
import { join } from 'node:path'
import type { JsonObject, JsonValue } from '../../../../src/core/json.ts'
import { startLoggedProcess, type LoggedProcess } from '../../../helpers/logged-process.ts'
import { until } from '../../../helpers/received.ts'
import { pick, pickList, pickText } from '../chart.ts'
import { endOf, podStatus, type ContainerState } from './pod-status.ts'

const MAIN = join(import.meta.dirname, '../../../../src/main.ts')
const IMAGE = 'ghcr.io/hushgate/hushgate:'
/** A kubelet would go on, and wait longer each time. */
const MOST_RESTARTS = 3

export interface PodOptions {
  readonly pod: JsonObject
  /** Says what is only true inside the pod as it is here. */
  readonly translate: (text: string) => string
  /** The port here for one of the pod. */
  readonly portOf: (port: number) => number | undefined
  readonly folder: string
  readonly onStatus: (status: JsonObject) => void
}

interface Container {
  readonly spec: JsonValue
  process: LoggedProcess
  state: ContainerState
}

export class RunningPod {
  readonly #options: PodOptions
  readonly #containers: readonly Container[]
  readonly #startTime = now()
  #isEnding = false

  constructor(options: PodOptions) {
    this.#options = options
    this.#containers = pickList(options.pod, 'spec', 'containers').map((spec) => ({ spec, ...this.#start(spec) }))
    this.#tell()
    for (const container of this.#containers) void this.#follow(container)
  }

  log(name: string | undefined): string {
    return this.#named(name).process.log()
  }

  pid(name: string | undefined): number {
    return this.#named(name).process.pid
  }

  portOf(port: number): number | undefined {
    return this.#options.portOf(port)
  }

  /** Another process beside that of the container. */
  run(name: string | undefined, command: readonly string[]): LoggedProcess {
    const { spec } = this.#named(name)
    const [program = '', ...args] = command
    if (program !== 'hushgate') throw new Error(`the image has no ${program}`)
    return startLoggedProcess(process.execPath, [MAIN, ...args], this.#options.folder, this.#environment(spec))
  }

  /** Without the seconds that a preStop would wait. */
  async end(): Promise<void> {
    this.#isEnding = true
    await Promise.all(this.#containers.map(async ({ process: running }) => running.end('SIGTERM')))
  }

  #named(name: string | undefined): Container {
    const found = this.#containers.find(({ spec }) => name === undefined || pick(spec, 'name') === name)
    if (found === undefined) throw new Error(`the pod has no container ${name}`)
    return found
  }

  #start(spec: JsonValue): Pick<Container, 'process' | 'state'> {
    if (!pickText(spec, 'image').startsWith(IMAGE)) throw new Error(`${pickText(spec, 'image')} is no image of ours`)
    const args = [...pickList(spec, 'command').slice(1), ...pickList(spec, 'args')].map(String)
    const program = pick(spec, 'command') === undefined ? [MAIN] : []
    const all = [...program, ...args.map(this.#options.translate)]
    return {
      process: startLoggedProcess(process.execPath, all, this.#options.folder, this.#environment(spec)),
      state: { startedAt: now(), isReady: false, ended: undefined, endedBefore: undefined, restarts: 0 },
    }
  }

  #environment(spec: JsonValue): Record<string, string> {
    const { translate } = this.#options
    return Object.fromEntries(
      pickList(spec, 'env').map((each) => [pickText(each, 'name'), translate(pickText(each, 'value'))]),
    )
  }

  /** Until its pod ends, or itself where it is to run once. */
  async #follow(container: Container): Promise<void> {
    for (;;) {
      // One that never answers is never ready, which its status says.
      this.#probe(container).catch(() => {})
      const ended = await container.process.ended
      const end = endOf(ended, container.state.startedAt, now())
      container.state = { ...container.state, isReady: false, ended: end }
      this.#tell()
      const { restarts } = container.state
      const isOnce = pick(this.#options.pod, 'spec', 'restartPolicy') === 'Never'
      if (this.#isEnding || isOnce || restarts === MOST_RESTARTS) return
      const { process: next, state } = this.#start(container.spec)
      container.process = next
      container.state = { ...state, endedBefore: end, restarts: restarts + 1 }
      this.#tell()
    }
  }

  /** Until it is ready for the first time, which it then stays. */
  async #probe(container: Container): Promise<void> {
    const { process: probed, spec } = container
    const isOver = (): boolean => container.process !== probed || container.state.ended !== undefined
    const probe = pick(spec, 'readinessProbe', 'httpGet')
    if (probe !== undefined) {
      const port = pickList(spec, 'ports').find((each) => pick(each, 'name') === pick(probe, 'port'))
      const here = this.#options.portOf(Number(pick(port, 'containerPort')))
      const url = `http://127.0.0.1:${here}${pickText(probe, 'path')}`
      await until('the probe is answered', async () => isOver() || (await isWell(url)))
    }
    if (isOver()) return
    container.state = { ...container.state, isReady: true }
    this.#tell()
  }

  #tell(): void {
    const states = this.#containers.map(({ spec, state }) => [spec, state] as const)
    this.#options.onStatus(podStatus(states, this.#startTime))
  }
}

async function isWell(url: string): Promise<boolean> {
  return fetch(url).then(
    ({ ok }) => ok,
    () => false,
  )
}

function now(): string {
  return new Date().toISOString()
}
