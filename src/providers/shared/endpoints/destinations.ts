/**
 * Who may be sent to now. Strangers name hosts, so a host is trusted as far as it has shown to be worth it: one that has not taken a push gets few slots and
 * little time; what hangs or answers 5xx is left alone, with all that it is to blame for and nothing else.
 */
import { hash } from 'node:crypto'
import { forgetOldest } from '../../../core/forget-oldest.ts'
import type { Waits } from '../../../core/outcome.ts'
import type { Answer, LostRequest } from '../answers.ts'
import { HostPauses } from './host-pauses.ts'
import { Lanes, type Lane } from './lanes.ts'
import { siteOf } from './site.ts'
import type { Target } from './target.ts'

/** Ports that have taken a push, and devices, the one that did so longest ago first to be forgotten. */
const MAX_PORTS = 10_000
const MAX_DEVICES = 20_000
/** Groups of pushes that wait for room at a new host, and all leave when it takes one. */
const MAX_CROWDS = 10_000
const TOO_MANY_REQUESTS = 429
/** ntfy says so of a subscription that nobody listens to, not of itself (docs/facts/web-push.md#answers). */
const NOBODY_SUBSCRIBED = 507

/** A push on its way. Ends with one of `answered`, `lost`, `leaveAlone`, and `end`. */
export interface Visit {
  /** Nothing is known of this port, so it gets little time. */
  readonly isFirst: boolean
  /** The group that may be handed out again because of it, if there is one. */
  answered(answer: Answer): string | undefined
  /** It cost us time, by the fault of the host. */
  lost(loss: LostRequest): void
  /** The host has been refused by the proxy. */
  leaveAlone(): Waits
  end(): void
}

interface Place {
  readonly port: string
  readonly device: string
  /** Who is left alone together. */
  readonly group: string
  readonly isNew: boolean
  readonly lanes: readonly Lane[]
}

export class Destinations {
  readonly #nowMs: () => number
  readonly #pauses: HostPauses
  readonly #lanes: Lanes
  /** Hosts with a port. */
  readonly #proven = new Set<string>()
  readonly #devices = new Set<string>()
  readonly #crowds = new Set<string>()

  constructor(concurrency: number, nowMs: () => number) {
    this.#nowMs = nowMs
    this.#pauses = new HostPauses(nowMs)
    this.#lanes = new Lanes(concurrency)
  }

  admit(target: Target): Visit | Waits {
    const place = this.#placeOf(target)
    const pause = this.#pauses.pauseOf(place.group)
    if (pause !== undefined) return { kind: 'waits', group: place.group, ...pause }
    const full = place.lanes.find(({ hasRoom }) => !hasRoom)
    return full === undefined ? this.#begin(place) : this.#turnOf(full, place)
  }

  #placeOf({ endpoint, isNamed }: Target): Place {
    const { hostname, port: explicitPort, href } = endpoint
    const port = `${hostname}:${explicitPort === '' ? 443 : explicitPort}`
    const device = hash('sha256', href, 'base64').slice(0, 16)
    const isProven = this.#proven.has(port) || (isNamed && explicitPort === '')
    const isTrusted = isNamed && isProven
    return {
      port,
      device,
      group: this.#groupOf(hostname, port, device, isProven),
      isNew: !isProven,
      lanes: isTrusted ? [] : this.#lanes.of(hostname, siteOf(hostname), !isProven),
    }
  }

  /**
   * All ports of a host that have taken nothing yet are left alone together: there are 65,535. A port that has is not to blame for the others, and devices
   * that it took pushes for are not for those that somebody made up.
   */
  #groupOf(host: string, port: string, device: string, isProven: boolean): string {
    if (!isProven) return host
    return this.#devices.has(device) ? port : `${port} unknown`
  }

  #turnOf(lane: Lane, { group, isNew }: Place): Waits {
    if (isNew) remember(this.#crowds, group, MAX_CROWDS)
    return { kind: 'waits', reason: 'host_busy', group, afterMs: lane.nextTurnMs(this.#nowMs()) }
  }

  #begin(place: Place): Visit {
    const { group, isNew, lanes } = place
    const startedMs = this.#nowMs()
    const isFirst = isNew && !this.#pauses.isToBeProbed(group)
    const endWait = this.#pauses.begin(group)
    for (const lane of lanes) lane.enter()
    return {
      isFirst,
      answered: (answer) => this.#answered(answer, place),
      lost: (loss) => this.#failed(loss, place),
      leaveAlone: () => {
        this.#pauses.leaveAlone(group)
        return { kind: 'waits', reason: 'proxy_refused', group, afterMs: this.#pauses.pauseOf(group)?.afterMs }
      },
      end: () => {
        endWait()
        for (const lane of lanes) lane.leave(this.#nowMs() - startedMs)
      },
    }
  }

  #answered(answer: Answer, place: Place): string | undefined {
    const { group, isNew, lanes, port, device } = place
    const isTaken = answer.status >= 200 && answer.status <= 299
    if (!isTaken && isFaultOfHost(answer.status, isNew)) {
      this.#failed(answer, place)
      return undefined
    }
    let isAwaited = this.#pauses.answered(group)
    if (isTaken) {
      for (const lane of lanes) lane.grow()
      remember(this.#devices, device, MAX_DEVICES)
      remember(this.#proven, port, MAX_PORTS)
      if (isNew && this.#crowds.delete(group)) isAwaited = true
    }
    return isAwaited ? group : undefined
  }

  #failed(what: Answer | LostRequest, { group, lanes }: Place): void {
    this.#pauses.lost(group, what)
    for (const lane of lanes) lane.shrink()
  }
}

/** Of a host that has never taken a push, it is also its fault if it wants none, for now. */
function isFaultOfHost(status: number, isNew: boolean): boolean {
  if (isNew && status === TOO_MANY_REQUESTS) return true
  return status >= 500 && (isNew || status !== NOBODY_SUBSCRIBED)
}

function remember(names: Set<string>, name: string, most: number): void {
  names.delete(name)
  names.add(name)
  forgetOldest(names, most)
}
