/** The processes of Hushgate of a topology, which are killed, paused and told to read their configuration again. */
import { copyFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '../../test/helpers/free-port.ts'
import { metricValue } from '../../test/helpers/gateway.ts'
import { createHushgateFolder, startHushgate, type HushgateProcess } from '../../test/helpers/hushgate-process.ts'
import { CLOCK_FILE } from './clock-file.ts'
import { APPS } from './notices.ts'
import { PROCESSES, type Topology } from './topologies.ts'

/** As it is installed (`npm run build`): it starts in a third of the time of the sources. */
const PROGRAM = join(import.meta.dirname, '../../dist/main.js')
const CLOCK = join(import.meta.dirname, 'shifted-clock.ts')
/** A line of the log (`src/log.ts`). */
const NODE_WARNING = 'Node.js warns'
/** Pushes of an app on their way at once. */
const CONCURRENCY = 50

export interface Gateways extends AsyncDisposable {
  /** The notify ports. */
  readonly urls: readonly string[]
  kill(name: string): Promise<void>
  /** The same process again; resolves when it runs. */
  start(name: string): Promise<void>
  /** An end as an operator asks for, and the start of this version. */
  upgrade(name: string): Promise<void>
  /** Its clock is wrong by so much from now on; 0: right again. */
  setClock(name: string, shiftMs: number): Promise<void>
  pause(name: string): void
  resume(name: string): void
  /** Of all that run. */
  reload(appsYaml: string): Promise<void>
  /** How many dead letters there are. */
  deadLetters(): Promise<number>
  /** How many pushes are waiting or on their way. */
  queued(): Promise<number>
  /** Processes that ended though nobody killed them. */
  readonly unasked: readonly string[]
  /** What Node.js warned of in any process, also in those that were killed: the lines of their logs. */
  warnings(): readonly string[]
  /** The end of each log. */
  logs(): string
}

interface Member {
  readonly name: string
  readonly start: () => HushgateProcess
  /** What is started. */
  program: string
  readonly setClock: (shiftMs: number) => Promise<void>
  readonly configure: (appsYaml: string) => Promise<void>
  readonly notifyPort: number
  process: HushgateProcess | undefined
  isRunning: boolean
}

export interface GatewaysOptions {
  readonly topology: Topology
  readonly appsYaml: string
  /** The section, as flow YAML; undefined: SQLite in the folder of the process. */
  readonly store: string | undefined
  /** The version that they all begin with; default: this one. */
  readonly formerProgram?: string | undefined
}

export async function startGateways(options: GatewaysOptions): Promise<Gateways> {
  await using stack = new AsyncDisposableStack()
  const members: Member[] = []
  const unasked: string[] = []
  const started: { readonly name: string; readonly process: HushgateProcess }[] = []
  const keys = stack.use(await createHushgateFolder()).at('keys')
  for (const name of PROCESSES[options.topology]) members.push(await createMember(stack, name, keys, options))
  const memberOf = (name: string): Member => {
    const member = members.find((each) => each.name === name)
    if (member === undefined) throw new Error(`there is no process ${name}`)
    return member
  }
  const watch = async (member: Member, process: HushgateProcess): Promise<void> => {
    const { code, signal } = await process.ended
    if (member.process === process) unasked.push(`${member.name} ended with ${code ?? signal}`)
  }
  const start = async (name: string): Promise<void> => {
    const member = memberOf(name)
    const process = member.start()
    started.push({ name, process })
    member.process = process
    void watch(member, process)
    try {
      await process.running()
    } catch (error) {
      // Another fault may have killed it before it ran.
      if (member.process === process) throw error
    }
    member.isRunning = member.process === process
  }
  const end = async (name: string, signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): Promise<void> => {
    const member = memberOf(name)
    const { process } = member
    Object.assign(member, { process: undefined, isRunning: false })
    await process?.end(signal)
  }
  stack.defer(async () => void (await Promise.all(members.map(({ name }) => end(name)))))
  await Promise.all(members.map(({ name }) => start(name)))
  /** Each process counts the whole store. */
  const countOf = async (states: readonly string[]): Promise<number> => {
    const running = await members.at(-1)?.process?.running()
    return queueDepth(await (await fetch(`${running?.admin}/metrics`)).text(), states)
  }
  const owned = stack.move()
  return {
    urls: members
      .filter(({ name }) => !name.startsWith('worker'))
      .map(({ notifyPort }) => `http://127.0.0.1:${notifyPort}`),
    unasked,
    warnings: () =>
      started.flatMap(({ name, process }) =>
        process
          .log()
          .split('\n')
          .filter((line) => line.includes(NODE_WARNING))
          .map((line) => `${name}: ${line}`),
      ),
    kill: end,
    start,
    async upgrade(name) {
      await end(name, 'SIGTERM')
      memberOf(name).program = PROGRAM
      await start(name)
    },
    setClock: (name, shiftMs) => memberOf(name).setClock(shiftMs),
    pause: (name) => memberOf(name).process?.signal('SIGSTOP'),
    resume: (name) => memberOf(name).process?.signal('SIGCONT'),
    async reload(text) {
      await Promise.all(members.map(({ configure }) => configure(text)))
      // Until a program listens, any signal ends it. One that starts at this moment finds the change by itself: it watches the file.
      for (const { process, isRunning } of members) if (isRunning) process?.signal('SIGHUP')
    },
    deadLetters: () => countOf(['dead']),
    queued: () => countOf(['waiting', 'delayed', 'active']),
    logs: () => members.map(({ name, process }) => `--- ${name}\n${process?.log().slice(-4000)}`).join('\n'),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

function queueDepth(metrics: string, states: readonly string[]): number {
  const counts = Object.values(APPS).flatMap((app) =>
    states.map((state) => metricValue(metrics, 'hushgate_queue_deliveries', { app, state })),
  )
  // A count that is missing is not none.
  return counts.reduce<number>((sum, count) => sum + (count ?? Number.NaN), 0)
}

async function createMember(
  stack: AsyncDisposableStack,
  name: string,
  keys: string,
  { appsYaml, store, formerProgram = PROGRAM }: GatewaysOptions,
): Promise<Member> {
  const folder = stack.use(await createHushgateFolder())
  await copyFile(keys, folder.at('keys'))
  const notifyPort = await freePort()
  const configure = (text: string): Promise<void> =>
    folder.configure({
      appsYaml: text,
      store,
      queue: `concurrency: ${CONCURRENCY}`,
      notifyPort,
    })
  await configure(appsYaml)
  const [role = 'all'] = name.split('-')
  const member: Member = {
    name,
    program: formerProgram,
    start: () =>
      startHushgate(['serve', '--role', role], {
        folder: folder.path,
        main: member.program,
        nodeOptions: ['--import', CLOCK],
      }),
    async setClock(shiftMs) {
      if (shiftMs === 0) return rm(folder.at(CLOCK_FILE), { force: true })
      await folder.write('clock.new', String(shiftMs))
      await rename(folder.at('clock.new'), folder.at(CLOCK_FILE))
    },
    configure,
    notifyPort,
    process: undefined,
    isRunning: false,
  }
  return member
}
