/** The way to the push services: connections, and the statuses of answers. */
import type { Route } from '../core/route.ts'
import type { WireCounts } from '../core/wire.ts'
import { ROUTE_LABELS, routeLabels, type Instruments } from './instruments.ts'

/** A stranger's server may answer with any; those that are not here are `other`. */
const STATUSES = new Set([200, 201, 202, 204, 400, 401, 403, 404, 405, 408, 410, 413, 429, 500, 502, 503, 504])

export class WireMetrics {
  readonly #answers
  readonly #connections

  constructor(instruments: Instruments) {
    this.#answers = instruments.counter(
      'hushgate_push_service_answers_total',
      'Answers to pushes by their status of HTTP; what was not answered is among hushgate_push_service_refusals_total.',
      [...ROUTE_LABELS, 'code'],
    )
    this.#connections = instruments.gauge(
      'hushgate_connections',
      'Open connections to the push service, also those for access tokens.',
      ROUTE_LABELS,
    )
  }

  /** Of one route there may be several counts, which are added. */
  counted(routes: readonly Route[], counts: readonly WireCounts[]): void {
    const ofRoutes = Map.groupBy(counts, ({ app, provider }) => `${app} ${provider}`)
    for (const route of routes) {
      const labels = routeLabels(route)
      let connections = 0
      const answers = new Map<string, number>()
      for (const count of ofRoutes.get(`${route.app} ${route.provider}`) ?? []) {
        connections += count.connections
        for (const [status, number] of count.answers) {
          const code = STATUSES.has(status) ? String(status) : 'other'
          answers.set(code, (answers.get(code) ?? 0) + number)
        }
      }
      this.#connections.of(labels).now = connections
      for (const [code, number] of answers) this.#answers.of({ ...labels, code }).now = number
    }
  }
}
