/** Devices that are turned away before the store is asked of them: what is counted and logged of each, and what their homeserver is told. */
import type { UnknownApps } from '../activity/unknown-apps.ts'
import type { OpenRoute } from '../config/routes.ts'
import type { Log } from '../core/log.ts'
import type { Secret } from '../core/secret.ts'
import { Throttle } from '../core/throttle.ts'
import type { IntakeMetrics } from '../metrics/intake-metrics.ts'

/** `rejected`: the homeserver is told that the pushkey is dead. `skipped`: nothing is sent, and the pushkey lives. */
export type NothingStored = 'rejected' | 'skipped'

interface TurnedAwayParts {
  readonly metrics: Pick<IntakeMetrics, 'unknownApp' | 'deviceSkipped'>
  readonly unknownApps: UnknownApps
  readonly log: Log
  readonly nowMs: () => number
}

const UNKNOWN_APP_WARNING_MS = 60_000
const NOT_ALLOWED_WARNING_MS = 3600_000

export class TurnedAway {
  readonly #parts: TurnedAwayParts
  readonly #unknownAppWarnings: Throttle
  readonly #notAllowedWarnings: Throttle

  constructor(parts: TurnedAwayParts) {
    this.#parts = parts
    this.#unknownAppWarnings = new Throttle(UNKNOWN_APP_WARNING_MS, parts.nowMs)
    this.#notAllowedWarnings = new Throttle(NOT_ALLOWED_WARNING_MS, parts.nowMs)
  }

  /** `answer`: the setting unknown_app. */
  unknownApp(appId: string, answer: 'drop' | 'reject'): NothingStored {
    const { metrics, unknownApps, log, nowMs } = this.#parts
    metrics.unknownApp()
    unknownApps.note(appId, nowMs())
    if (this.#unknownAppWarnings.allows())
      log.warn(
        'A homeserver pushes to an app_id that is not configured, or with a pushkey that no push service of its app is for; "hushgate apps unknown" lists what is not configured',
        {
          answer,
        },
      )
    return answer === 'reject' ? 'rejected' : 'skipped'
  }

  /** Undefined where the target may be stored. */
  target(route: OpenRoute, target: Secret): NothingStored | undefined {
    const { metrics } = this.#parts
    switch (route.checkTarget(target)) {
      case 'possible':
        return undefined
      case 'impossible':
        metrics.deviceSkipped(route, 'rejected')
        return 'rejected'
      case 'not_allowed':
        metrics.deviceSkipped(route, 'not_allowed')
        this.#warnOfNotAllowed(route)
        return 'skipped'
    }
  }

  #warnOfNotAllowed({ app, notAllowed }: OpenRoute): void {
    if (notAllowed !== undefined && this.#notAllowedWarnings.allows(app)) this.#parts.log.warn(notAllowed, { app })
  }
}
