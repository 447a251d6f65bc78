/**
 * How many pushes may be on their way to what strangers name: to a host, to all hosts of a site, to all hosts that have not taken a push yet, and to all
 * together. What finds no room is told its turn, by how long the answers take.
 */
import { forgetOldest } from '../../../core/forget-oldest.ts'

/** Of a host, to begin with; each push that it takes adds one. */
const FIRST_HOST_SLOTS = 4
const MOST_HOST_SLOTS = 50
/** Of all hosts of a site, and of those that have not taken a push yet: of a thousand names below one domain, and of those who share it honestly. */
const SITE_SLOTS = 100
const NEW_SITE_SLOTS = 8
/** Of the app's slots: for hosts that strangers name, and of these for hosts that have not taken a push yet. */
const STRANGERS_SHARE = 0.5
const NEW_SHARE = 0.1

/** How long an answer takes, as long as none has come. */
const FIRST_ANSWER_MS = 1000
/** The part of the last answer in the mean. */
const WEIGHT = 0.2
/** A turn comes at the latest after this. */
const LONGEST_TURN_MS = 10 * 60_000
/** More are forgotten, the one that was used longest ago first. */
const MAX_LANES = 10_000

/** Pushes that share a bound. */
export class Lane {
  readonly #first: number
  readonly #most: number
  #slots: number
  #underWay = 0
  #answerMs = FIRST_ANSWER_MS
  #nextTurnAtMs = 0

  constructor(first: number, most = first) {
    this.#first = first
    this.#most = most
    this.#slots = first
  }

  get hasRoom(): boolean {
    return this.#underWay < this.#slots
  }

  enter(): void {
    this.#underWay += 1
  }

  leave(tookMs: number): void {
    this.#underWay -= 1
    this.#answerMs += WEIGHT * (tookMs - this.#answerMs)
  }

  grow(): void {
    this.#slots = Math.min(this.#slots + 1, this.#most)
  }

  shrink(): void {
    this.#slots = this.#first
  }

  /** For who finds no room: in so many milliseconds there should be some, each time for one more. */
  nextTurnMs(nowMs: number): number {
    const latestMs = nowMs + LONGEST_TURN_MS
    this.#nextTurnAtMs = Math.min(Math.max(nowMs, this.#nextTurnAtMs) + this.#answerMs / this.#slots, latestMs)
    return Math.ceil(this.#nextTurnAtMs - nowMs)
  }
}

export class Lanes {
  readonly #hosts = new Map<string, Lane>()
  readonly #sites = new Map<string, Lane>()
  readonly #newSites = new Map<string, Lane>()
  readonly #strangers: Lane
  readonly #new: Lane

  /** `concurrency`: slots of the app. */
  constructor(concurrency: number) {
    const shareOf = (share: number): number => Math.max(1, Math.floor(concurrency * share))
    this.#strangers = new Lane(shareOf(STRANGERS_SHARE))
    this.#new = new Lane(shareOf(NEW_SHARE))
  }

  /** Those that a push to this host has to find room in. `isNew`: it has not taken a push yet. */
  of(host: string, site: string, isNew: boolean): readonly Lane[] {
    const ofHost = laneIn(this.#hosts, host, () => new Lane(FIRST_HOST_SLOTS, MOST_HOST_SLOTS))
    const ofSite = laneIn(this.#sites, site, () => new Lane(SITE_SLOTS))
    if (!isNew) return [ofHost, ofSite, this.#strangers]
    return [ofHost, laneIn(this.#newSites, site, () => new Lane(NEW_SITE_SLOTS)), ofSite, this.#new, this.#strangers]
  }
}

function laneIn(lanes: Map<string, Lane>, name: string, create: () => Lane): Lane {
  const lane = lanes.get(name) ?? create()
  lanes.delete(name)
  lanes.set(name, lane)
  forgetOldest(lanes, MAX_LANES)
  return lane
}
