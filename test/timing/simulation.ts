/** How often the observer of ./observer.ts is right in the worlds of ./world.ts. Pure: the same numbers in every run. */
import { suspicions } from './observer.ts'
import { seededRandom, simulateWorld, type Scenario, type World } from './world.ts'

export const RUNS = 200

/** Shares of all runs, from 0 to 1. */
export interface Linked {
  /** By the number of messages, then of receivers: the first guess among all devices is a receiver. Equally suspect ones are guessed among. */
  readonly firstGuess: ReadonlyMap<number, ReadonlyMap<number, number>>
  /** By the number of messages: of a receiver and any other device, the observer names the receiver. */
  readonly ofTwo: ReadonlyMap<number, number>
  /** A receiver was ruled out at any time: were this not 0, the observer would be weaker than it could be. */
  readonly ruledOut: number
  /** At one message: how many devices besides the receiver are woken on its tick, on average, and how often none is. */
  readonly company: number
  readonly alone: number
}

/** `groups`: numbers of receivers; a device knows nothing of another, so that one world serves for all. */
export function simulate(
  asked: Omit<Scenario, 'receivers'>,
  { groups = [1], runs = RUNS }: { readonly groups?: readonly number[]; readonly runs?: number } = {},
): Linked {
  const random = seededRandom(3359)
  const scenario = { ...asked, receivers: Math.max(...groups) }
  const worlds = Array.from({ length: runs }, () => {
    const world = simulateWorld(scenario, random)
    return { company: companyIn(world, scenario), judged: judge(world, scenario) }
  })
  const byMessages = <Value>(valueOf: (messages: number) => Value) =>
    new Map(scenario.messages.map((messages) => [messages, valueOf(messages)]))
  const share = (valueOf: (judged: Judged) => number) => mean(worlds.map(({ judged }) => valueOf(judged)))
  return {
    firstGuess: byMessages((messages) => {
      return new Map(groups.map((size) => [size, share((judged) => firstGuess(judged, messages, size))]))
    }),
    ofTwo: byMessages((messages) => share((judged) => ofTwo(judged, messages))),
    ruledOut: share(({ ours }) => ([...ours.values()].flat().includes(-Infinity) ? 1 : 0)),
    company: mean(worlds.map(({ company }) => company)),
    alone: mean(worlds.map(({ company }) => (company === 0 ? 1 : 0))),
  }
}

interface Judged {
  /** By the number of messages: how suspect each receiver is after the last. */
  readonly ours: ReadonlyMap<number, readonly number[]>
  /** How suspect each other device is after each message, until it is ruled out. */
  readonly theirs: readonly (readonly number[])[]
  readonly otherDevices: number
}

function judge({ sendsMs, receivers, others, otherDevices }: World, { timing, pushesPerSecond }: Scenario): Judged {
  const pushesPerMs = pushesPerSecond / 1000 / otherDevices
  const suspicion = (wakeUps: readonly number[], messages: number) =>
    suspicions(wakeUps, { timing, sendsMs: sendsMs.slice(0, messages), pushesPerMs })
  return {
    ours: new Map(
      [...receivers].map(([messages, ours]) => [
        messages,
        ours.map((each) => suspicion(each, messages)[messages - 1] ?? -Infinity),
      ]),
    ),
    theirs: others.map((each) => suspicion(each, sendsMs.length)),
    otherDevices,
  }
}

function firstGuess({ ours, theirs }: Judged, messages: number, size: number): number {
  const group = (ours.get(messages) ?? []).slice(0, size)
  const rest = theirs.map((each) => each[messages - 1] ?? -Infinity)
  const best = Math.max(...group, ...rest)
  const right = group.filter((each) => each === best).length
  return right / (right + rest.filter((each) => each === best).length)
}

function ofTwo({ ours, theirs, otherDevices }: Judged, messages: number): number {
  const receiver = ours.get(messages)?.[0] ?? -Infinity
  const lost = theirs
    .map((each) => each[messages - 1] ?? -Infinity)
    .map((other) => (other > receiver ? 1 : other === receiver ? 0.5 : 0))
  return 1 - sum(lost) / otherDevices
}

function companyIn({ sendsMs: [sendMs = 0], receivers, others }: World, { timing }: Scenario): number {
  const tickOf = (atMs: number) => Math.floor(atMs / (timing.releaseEveryMs ?? 1))
  const [receiver = []] = receivers.get(1) ?? []
  const tick = tickOf(receiver.find((atMs) => atMs > sendMs) ?? 0)
  return others.filter((wakeUps) => wakeUps.some((atMs) => tickOf(atMs) === tick)).length
}

function mean(values: readonly number[]): number {
  return sum(values) / values.length
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
