/** The app_ids that homeservers push to and nobody configured: an operator finds a mistyped one by it. In memory only and never logged, as some carry the ID of a device. */

export interface UnknownApp {
  /** As the homeserver sent it; a longer one is cut. */
  readonly appId: string
  /** Devices in requests, since this process first saw it. */
  readonly count: number
  readonly firstSeenAtMs: number
  readonly lastSeenAtMs: number
}

const MOST = 50
/** The Matrix specification allows 64. */
const LONGEST = 128

export class UnknownApps {
  readonly #seen = new Map<string, UnknownApp>()

  note(appId: string, nowMs: number): void {
    const shown = appId.length > LONGEST ? `${appId.slice(0, LONGEST)}…` : appId
    const before = this.#seen.get(shown)
    if (before === undefined && this.#seen.size >= MOST) this.#forgetRarest()
    this.#seen.set(shown, {
      appId: shown,
      count: (before?.count ?? 0) + 1,
      firstSeenAtMs: before?.firstSeenAtMs ?? nowMs,
      lastSeenAtMs: nowMs,
    })
  }

  /** The most frequent first. */
  list(): readonly UnknownApp[] {
    return [...this.#seen.values()].sort((one, other) => other.count - one.count)
  }

  /** Anybody can make app_ids up: those do not push out one that comes again and again. */
  #forgetRarest(): void {
    let rarest: UnknownApp | undefined
    for (const each of this.#seen.values()) if (rarest === undefined || each.count < rarest.count) rarest = each
    if (rarest !== undefined) this.#seen.delete(rarest.appId)
  }
}
