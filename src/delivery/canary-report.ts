/** What became of a canary push is counted by itself; that it arrived is kept for the operator, and that it did not is logged. */
import type { Log } from '../core/log.ts'
import type { Route } from '../core/route.ts'
import type { CanaryArrivals } from '../memory/canary-arrivals.ts'
import type { CanaryMetrics, CanaryOutcome } from '../metrics/canary-metrics.ts'
import type { HandledDelivery } from '../metrics/delivery-metrics.ts'

const OUTCOMES: Readonly<Partial<Record<HandledDelivery['result'], CanaryOutcome>>> = {
  rejected: 'rejected',
  pushkey_dead: 'rejected',
  failed: 'failed',
  expired: 'expired',
  retry: 'expired',
}

export interface CanaryReportParts {
  /** Absent: canary pushes are not counted by themselves. */
  readonly canaries?: Omit<CanaryMetrics, 'configured'> | undefined
  /** Absent: nothing is kept of them. */
  readonly canaryArrivals?: Pick<CanaryArrivals, 'keep'> | undefined
  readonly log: Log
}

/** Of a canary push that is not tried again. */
export function reportCanary(
  route: Route,
  { result, reason, endToEndSeconds, nowMs }: HandledDelivery,
  { canaries, canaryArrivals, log }: CanaryReportParts,
): void {
  if (result === 'delivered') {
    const roundTripMs = Math.round(endToEndSeconds * 1000)
    // What is wrong with the store is said elsewhere.
    void canaryArrivals?.keep(route.name, { atMs: nowMs, roundTripMs }).catch(() => {})
    return canaries?.delivered(route, endToEndSeconds, nowMs)
  }
  canaries?.ended(route, OUTCOMES[result] ?? 'not_sent')
  log.warn('A canary push did not arrive', { app: route.app, result, reason })
}
