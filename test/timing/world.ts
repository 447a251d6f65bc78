/**
 * What a push service sees of one conversation and of everybody else who uses the app, under one setting of `coalesce` and `release_every`.
 * The gateway's own rules decide when each push leaves (src/core/timing.ts). Pure; a seed gives the same world again.
 */
import { nextRelease, planWakeUp, type Timing } from '../../src/core/timing.ts'

/** A device is pushed 100 times a day: so a gateway of f pushes per second has 864 f devices. */
const DAILY_PUSHES = 100
const SECONDS_A_DAY = 86_400
/** From the sender's phone through homeserver and gateway: between these, anew for each push. */
export const UNDERWAY_MS = { least: 25, most: 75 } as const
/** Between the messages of the conversation, on average; now a burst, now a silence (exponential). */
const MEAN_PAUSE_MS = 60_000

/** In [0, 1). */
export type Random = () => number

/** When a device was seen to be woken, in order. */
export type WakeUps = readonly number[]

export interface World {
  readonly sendsMs: readonly number[]
  /** Of each receiver, had the sender stopped after that many messages: the world is otherwise the same. */
  readonly receivers: ReadonlyMap<number, readonly WakeUps[]>
  /** Only those that were pushed at some time around the first message: the rest cannot be receivers. */
  readonly others: readonly WakeUps[]
  readonly otherDevices: number
}

export interface Scenario {
  readonly timing: Timing
  /** f: all pushes of everybody else through the app's project. */
  readonly pushesPerSecond: number
  readonly receivers: number
  /** The sender stops after so many: each is a case of its own. */
  readonly messages: readonly number[]
}

export function otherDevicesAt(pushesPerSecond: number): number {
  return Math.round((pushesPerSecond * SECONDS_A_DAY) / DAILY_PUSHES)
}

/** mulberry32: small, and the same everywhere. */
export function seededRandom(seed: number): Random {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

export function simulateWorld(scenario: Scenario, random: Random): World {
  const { timing, pushesPerSecond, receivers, messages } = scenario
  const meanGapMs = 1000 / pushesPerSecond
  const otherDevices = otherDevicesAt(pushesPerSecond)
  // Twice the longest delay before: what the gateway remembers of a device at the first message does not depend on when the world began.
  const longestMs = (timing.releaseEveryMs ?? 0) + (timing.coalesceMs ?? 0) + UNDERWAY_MS.most
  const firstMs = 2 * longestMs + random() * 3_600_000
  const sendsMs = sendsFrom(firstMs, Math.max(...messages), random)
  const around = { fromMs: firstMs - 2 * longestMs, untilMs: firstMs + longestMs }
  const after = { fromMs: around.untilMs, untilMs: (sendsMs.at(-1) ?? 0) + longestMs }
  const ofOneDevice = (span: Span) => arrivals(span, meanGapMs * otherDevices, random)

  const pushesAround = new Map<number, number[]>()
  for (const atMs of arrivals(around, meanGapMs, random)) {
    const device = Math.floor(random() * otherDevices)
    pushesAround.set(device, [...(pushesAround.get(device) ?? []), atMs])
  }
  const others = [...pushesAround.values()].filter((pushes) => (pushes.at(-1) ?? 0) > firstMs - longestMs)
  const ofReceivers = Array.from({ length: receivers }, () => ({
    fromSender: sendsMs.map((atMs) => atMs + between(UNDERWAY_MS.least, UNDERWAY_MS.most, random)),
    fromOthers: [...ofOneDevice(around), ...ofOneDevice(after)],
  }))
  return {
    sendsMs,
    receivers: new Map(
      messages.map((count) => [
        count,
        ofReceivers.map(({ fromSender, fromOthers }) =>
          wakeUpsSeen([...fromSender.slice(0, count), ...fromOthers].sort(ascending), timing, random),
        ),
      ]),
    ),
    others: others.map((pushes) => wakeUpsSeen([...pushes, ...ofOneDevice(after)], timing, random)),
    otherDevices,
  }
}

function sendsFrom(firstMs: number, count: number, random: Random): number[] {
  const sendsMs = [firstMs]
  while (sendsMs.length < count) sendsMs.push((sendsMs.at(-1) ?? 0) + exponential(MEAN_PAUSE_MS, random))
  return sendsMs
}

/** What the gateway makes of the pushes of one device, which come in order. */
function wakeUpsSeen(pushesMs: readonly number[], { coalesceMs, releaseEveryMs }: Timing, random: Random): number[] {
  const planned = coalesceMs === undefined ? pushesMs : coalesced(pushesMs, coalesceMs)
  if (releaseEveryMs === undefined) return [...planned]
  return planned.map((atMs) => nextRelease(atMs, releaseEveryMs, random()).atMs).sort(ascending)
}

function coalesced(pushesMs: readonly number[], windowMs: number): number[] {
  const planned = new Set<number>()
  let lastAtMs: number | undefined
  for (const pushMs of pushesMs) {
    lastAtMs = planWakeUp(pushMs, lastAtMs, windowMs)
    planned.add(lastAtMs)
  }
  return [...planned]
}

interface Span {
  readonly fromMs: number
  readonly untilMs: number
}

/** A Poisson process. */
function* arrivals({ fromMs, untilMs }: Span, meanGapMs: number, random: Random): Generator<number> {
  for (let atMs = fromMs; ;) {
    atMs += exponential(meanGapMs, random)
    if (atMs >= untilMs) return
    yield atMs
  }
}

function ascending(a: number, b: number): number {
  return a - b
}

function exponential(mean: number, random: Random): number {
  return -mean * Math.log(1 - random())
}

function between(least: number, most: number, random: Random): number {
  return least + (most - least) * random()
}
