/** The ports: Sygnal's `http` and `metrics` become `http` and `admin`. Pure. */
import type { JsonObject, JsonValue } from '../../core/json.ts'
import { noteUnknown, sectionOf, type Translation } from './translation.ts'

const DEFAULT_PORT = 5000
const DEFAULT_ADDRESS = '127.0.0.1'
const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost'])
/** Of Hushgate's admin port; the second where Sygnal has the first. */
const ADMIN_PORTS = [5001, 5002] as const
const DEFAULT_METRICS_PORT = 8000
const ADMIN = ['admin']

/** The port, for the admin port to keep out of its way. */
export function translateHttp(http: JsonObject, translation: Translation): JsonValue {
  noteUnknown(http, ['bind_addresses', 'port'], ['http'], translation)
  const { bind_addresses: addresses = [DEFAULT_ADDRESS], port = DEFAULT_PORT } = http
  const from = ['http', 'bind_addresses']
  if (Array.isArray(addresses) && addresses.every((address) => typeof address === 'string') && addresses.length > 0)
    translation.set(['http', 'host'], hostOf(addresses, translation), from)
  else translation.refuse(from, 'expected a list of addresses')
  translation.set(['http', 'port'], portOf(port), ['http', 'port'])
  return portOf(port)
}

/** One address for all that Sygnal listens on. */
function hostOf(addresses: readonly string[], translation: Translation): string {
  // To Python, the empty text is every address.
  const all = new Set(addresses.map((address) => (address === '' ? '::' : address)))
  const [first = DEFAULT_ADDRESS] = all
  const note = (kind: 'differs' | 'cannot', sentence: string): void =>
    translation.note(kind, ['http', 'bind_addresses'], ['http', 'host'], sentence)
  if (all.has('::')) {
    if (!all.has('0.0.0.0') && !addresses.includes('')) note('differs', 'on :: Hushgate listens on IPv4, too')
    return '::'
  }
  if (all.size === 1) return first
  if ([...all].every((address) => LOOPBACK.has(address))) return 'localhost'
  const host = all.has('0.0.0.0') ? '0.0.0.0' : first
  note(
    'cannot',
    `Hushgate listens on one address, and takes ${host}. For several give 0.0.0.0 (IPv4) or :: (IPv4 and IPv6), and keep others out with a firewall`,
  )
  return host
}

/** Sygnal takes numbers in quotes, too. */
function portOf(port: JsonValue): JsonValue {
  return typeof port === 'string' && /^\s*\d+\s*$/.test(port) ? Number(port) : port
}

export function translateMetrics(metrics: JsonObject, httpPort: JsonValue, translation: Translation): void {
  noteUnknown(metrics, ['prometheus', 'opentracing', 'sentry'], ['metrics'], translation, ADMIN)
  translatePrometheus(sectionOf(metrics, ['metrics'], 'prometheus', translation), httpPort, translation)

  const openTracing = sectionOf(metrics, ['metrics'], 'opentracing', translation)
  noteUnknown(
    openTracing,
    ['enabled', 'implementation', 'jaeger', 'service_name'],
    ['metrics', 'opentracing'],
    translation,
    ADMIN,
  )
  if (openTracing['enabled'] === true)
    translation.note(
      'cannot',
      ['metrics', 'opentracing'],
      ADMIN,
      'OpenTracing and its Jaeger clients are no longer maintained; set tracing.otlp_url to send traces of OpenTelemetry, which Jaeger takes',
    )
  const sentry = sectionOf(metrics, ['metrics'], 'sentry', translation)
  noteUnknown(sentry, ['enabled', 'dsn'], ['metrics', 'sentry'], translation, ADMIN)
  if (sentry['enabled'] === true)
    translation.note(
      'cannot',
      ['metrics', 'sentry'],
      ADMIN,
      'Hushgate reports nothing to anybody, Sentry included: errors are in the log, and counted in the metrics',
    )
}

function translatePrometheus(prometheus: JsonObject, httpPort: JsonValue, translation: Translation): void {
  const path = ['metrics', 'prometheus']
  noteUnknown(prometheus, ['enabled', 'address', 'port'], path, translation, ADMIN)
  if (prometheus['enabled'] !== true) {
    const port = ADMIN_PORTS.find((candidate) => candidate !== httpPort) ?? null
    translation.set(['admin', 'host'], DEFAULT_ADDRESS, path)
    translation.set(['admin', 'port'], port, path)
    translation.note('differs', path, ADMIN, 'Hushgate always has this port, for its operator: health and metrics')
    return
  }
  const { address = DEFAULT_ADDRESS, port = DEFAULT_METRICS_PORT } = prometheus
  const host = address === '' || address === null ? '0.0.0.0' : address
  translation.set(['admin', 'host'], host, [...path, 'address'])
  translation.set(['admin', 'port'], portOf(port), [...path, 'port'])
  translation.note(
    'differs',
    path,
    ADMIN,
    'the metrics are at /metrics and are called hushgate_*; Sygnal answers with its own on every path',
  )
  if (typeof host === 'string' && !LOOPBACK.has(host))
    translation.note(
      'safer',
      [...path, 'address'],
      ['admin', 'host'],
      'this is the port of the operator, not only of metrics: let only those in who need it, or give 127.0.0.1',
    )
}
