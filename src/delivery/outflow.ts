/** The way out, put together: what an app's worker needs from the store, the memory, the metrics and the log. */
import { atMostEvery } from '../core/throttle.ts'
import type { Deduplication } from '../memory/deduplication.ts'
import type { Metrics } from '../metrics/metrics.ts'
import type { Rejections } from '../memory/dead-pushkeys.ts'
import type { Log } from '../log.ts'
import type { Store } from '../store/contract.ts'
import type { Settled, WorkerPorts } from './worker.ts'

export interface OutflowParts {
  readonly store: Pick<Store, 'queue'>
  readonly rejections: Rejections
  readonly deduplication: Deduplication
  readonly metrics: Metrics
  readonly log: Log
  readonly nowMs: () => number
  readonly random: () => number
}

const PAUSE_WARNING_MS = 60_000

export function createOutflow(parts: OutflowParts): (app: string) => Omit<WorkerPorts, 'send'> {
  const { store, rejections, deduplication, metrics, log, nowMs, random } = parts

  function onSettled({ delivery, attempt, result, reason, disposition, sendMs }: Settled): void {
    const isFinal = disposition === 'acknowledge' || disposition === 'dead-letter'
    const endToEndSeconds = (nowMs() - delivery.acceptedAtMs) / 1000
    metrics.settled({
      app: delivery.app,
      result,
      reason,
      isFinal,
      sendSeconds: sendMs === undefined ? undefined : sendMs / 1000,
      endToEndSeconds,
    })
    const facts = { app: delivery.app, device: shortHash(delivery.device), attempt, result, reason, next: disposition }
    if (disposition === 'dead-letter') log.warn('A delivery was given up', facts)
    else log.debug('A delivery was handled', facts)
  }

  return (app) => ({
    queue: store.queue,
    claim: async (handedOut) => {
      const [claim, isDead] = await Promise.all([deduplication.claim(handedOut), rejections.isDead(handedOut.delivery)])
      return isDead ? 'pushkey_dead' : claim
    },
    record: (delivery, outcome) => rejections.onOutcome(delivery, outcome),
    onSettled,
    onPaused: atMostEvery(PAUSE_WARNING_MS, nowMs, (reason) =>
      log.warn('Deliveries wait: the push service asks for it, or cannot be reached; one tries now and then', {
        app,
        reason,
      }),
    ),
    onBlocked: (reason) => {
      metrics.blocked(app, reason !== undefined)
      if (reason === undefined) log.info('The push service takes our credential again; deliveries resume', { app })
      else
        log.error(
          'The push service refuses our credential or configuration; deliveries wait until it works again',
          undefined,
          { app, reason },
        )
    },
    onError: (error) => log.error('A delivery is tried again after an error of our own', error, { app }),
    nowMs,
    random,
  })
}

function shortHash(hash: string): string {
  return Buffer.from(hash, 'base64url').toString('hex', 0, 4)
}
