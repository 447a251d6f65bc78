/** What comes in: requests of homeservers, the devices in them, the messages that are made. */
import type { Rendered } from '../core/message.ts'
import type { Route } from '../core/route.ts'
import {
  FAST_SECONDS,
  UNKNOWN_APP,
  type Distribution,
  type Instruments,
  type Metric,
  type Value,
} from './instruments.ts'

const INTAKES = ['queued', 'rejected', 'duplicate', 'nothing_to_send', 'not_allowed'] as const
/** What event pushes find in the pusher's data (`hushgate_key`). */
const DEVICE_KEYS = ['valid', 'invalid', 'missing'] as const
const PAYLOAD_BYTES = [128, 256, 512, 1024, 2048, 3072, 4096]
const DOORS = [
  { door: 'url_secret', result: 'refused' },
  { door: 'url_secret', result: 'observed' },
  { door: 'source', result: 'refused' },
  { door: 'source_limit', result: 'refused' },
  { door: 'source_limit', result: 'observed' },
] as const

/** What is asked of the relay. */
type RelayRequest = 'message' | 'trade' | 'revocation'

/** The series of one app. */
interface OfApp {
  readonly received: Readonly<Record<(typeof INTAKES)[number], Value>>
  readonly payload: Distribution
  readonly truncated: Value
  readonly deviceKeys: Readonly<Record<(typeof DEVICE_KEYS)[number], Value>>
}

export class IntakeMetrics {
  readonly #requests: Metric<Distribution>
  readonly #received
  readonly #payload: Metric<Distribution>
  readonly #truncated
  readonly #deviceKeys
  readonly #door
  readonly #relay
  readonly #unknown: Value
  readonly #answered = new Map<number, Distribution>()
  readonly #apps = new Map<string, OfApp>()

  constructor(instruments: Instruments) {
    this.#requests = instruments.histogram(
      'hushgate_notify_request_duration_seconds',
      'Time to answer a notify request.',
      ['code'],
      FAST_SECONDS,
    )
    this.#received = instruments.counter(
      'hushgate_devices_received_total',
      'Devices in notify requests, by what was done with them. The app of one whose app_id is not configured is _unknown.',
      ['app', 'intake'],
    )
    this.#payload = instruments.histogram(
      'hushgate_payload_bytes',
      'Size of rendered messages.',
      ['app'],
      PAYLOAD_BYTES,
    )
    this.#truncated = instruments.counter(
      'hushgate_payloads_truncated_total',
      'Messages that had to be shortened to fit the push service.',
      ['app'],
    )
    this.#deviceKeys = instruments.counter(
      'hushgate_device_keys_total',
      'Event pushes of apps that can have them sealed to the device, by what its pusher holds as hushgate_key.',
      ['app', 'key'],
    )
    this.#door = instruments.counter(
      'hushgate_door_total',
      'Notify requests without a secret of http.url_secrets_file, from an address that is not in http.allow_from, or beyond http.limit_per_source.',
      ['door', 'result'],
    )
    this.#relay = instruments.counter(
      'hushgate_webpush_relay_requests_total',
      'Requests to the relay of Web Push messages (webpush_relay), by what was asked for and the status of the answer.',
      ['request', 'code'],
    )
    for (const { door, result } of DOORS) this.#door.of({ door, result })
    this.#unknown = this.#received.of({ app: UNKNOWN_APP, intake: 'unknown_app' })
  }

  /** From now on there are these routes. Each counter begins at 0, so that the first event is seen as an increase. */
  configured(routes: readonly Route[]): void {
    this.#apps.clear()
    for (const { app } of routes) this.#apps.set(app, this.#ofApp(app))
  }

  requestAnswered(statusCode: number, seconds: number): void {
    let answered = this.#answered.get(statusCode)
    if (answered === undefined) {
      answered = this.#requests.of({ code: String(statusCode) })
      this.#answered.set(statusCode, answered)
    }
    answered.observe(seconds)
  }

  /** `observed`: it was let in all the same. */
  stoppedAtDoor(door: (typeof DOORS)[number]['door'], result: 'refused' | 'observed'): void {
    this.#door.of({ door, result }).now += 1
  }

  /** The relay of Web Push messages has answered. */
  relayAnswered(request: RelayRequest, statusCode: number): void {
    this.#relay.of({ request, code: String(statusCode) }).now += 1
  }

  /** A device of a notification for which nothing is stored. */
  deviceSkipped({ app }: Route, intake: Exclude<(typeof INTAKES)[number], 'queued'>): void {
    const of = this.#apps.get(app)
    if (of !== undefined) of.received[intake].now += 1
  }

  unknownApp(): void {
    this.#unknown.now += 1
  }

  deliveryStored({ app }: Route, { message, truncated }: Extract<Rendered, { kind: 'message' }>): void {
    const of = this.#apps.get(app)
    if (of === undefined) return
    of.received.queued.now += 1
    of.payload.observe(Buffer.byteLength(message.body))
    if (truncated) of.truncated.now += 1
  }

  deviceKeySeen({ app }: Route, key: (typeof DEVICE_KEYS)[number]): void {
    const of = this.#apps.get(app)
    if (of !== undefined) of.deviceKeys[key].now += 1
  }

  #ofApp(app: string): OfApp {
    const received = (intake: (typeof INTAKES)[number]): Value => this.#received.of({ app, intake })
    const deviceKey = (key: (typeof DEVICE_KEYS)[number]): Value => this.#deviceKeys.of({ app, key })
    return {
      received: {
        queued: received('queued'),
        rejected: received('rejected'),
        duplicate: received('duplicate'),
        nothing_to_send: received('nothing_to_send'),
        not_allowed: received('not_allowed'),
      },
      payload: this.#payload.of({ app }),
      truncated: this.#truncated.of({ app }),
      deviceKeys: { valid: deviceKey('valid'), invalid: deviceKey('invalid'), missing: deviceKey('missing') },
    }
  }
}
