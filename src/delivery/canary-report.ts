/** What became of a canary push is counted by itself, and one that did not arrive is logged. */
import type { Log } from '../core/log.ts'
import type { Route } from '../core/route.ts'
import type { CanaryMetrics, CanaryOutcome } from '../metrics/canary-metrics.ts'
import type { HandledDelivery } from '../metrics/delivery-metrics.ts'

const OUTCOMES: Readonly<Partial<Record<HandledDelivery['result'], CanaryOutcome>>> = {
  rejected: 'rejected',
  pushkey_dead: 'rejected',
  failed: 'failed',
  expired: 'expired',
  retry: 'expired',
}

/** Of a canary push that is not tried again. */
export function reportCanary(
  route: Route,
  { result, reason, endToEndSeconds, nowMs }: HandledDelivery,
  { canaries, log }: { readonly canaries?: Omit<CanaryMetrics, 'configured'> | undefined; readonly log: Log },
): void {
  if (result === 'delivered') return canaries?.delivered(route, endToEndSeconds, nowMs)
  canaries?.ended(route, OUTCOMES[result] ?? 'not_sent')
  log.warn('A canary push did not arrive', { app: route.app, result, reason })
}
