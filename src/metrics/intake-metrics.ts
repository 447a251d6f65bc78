/** What comes in: requests of homeservers, the devices in them, the messages that are made. */
import type { Rendered } from '../core/message.ts'
import type { Route } from '../core/route.ts'
import { FAST_SECONDS, type Instruments } from './instruments.ts'

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
/** The app of an app_id that is not configured: whose it is never becomes a label, as anybody can make one up. */
const UNKNOWN = '_unknown'

export class IntakeMetrics {
  readonly #requests
  readonly #received
  readonly #payload
  readonly #truncated
  readonly #deviceKeys
  readonly #door

  constructor(instruments: Instruments) {
    this.#requests = instruments.histogram(
      'hushgate_notify_request_duration_seconds',
      'Time to answer a notify request.',
      ['code'],
      FAST_SECONDS,
    )
    this.#received = instruments.counter(
      'hushgate_devices_received_total',
      'Devices in notify requests, by what was done with them.',
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
    for (const { door, result } of DOORS) this.#door.inc({ door, result }, 0)
    this.#received.inc({ app: UNKNOWN, intake: 'unknown_app' }, 0)
  }

  /** Each counter at 0, so that the first event is seen as an increase. */
  begin({ app }: Route): void {
    for (const intake of INTAKES) this.#received.inc({ app, intake }, 0)
    this.#truncated.inc({ app }, 0)
    for (const key of DEVICE_KEYS) this.#deviceKeys.inc({ app, key }, 0)
  }

  requestAnswered(statusCode: number, seconds: number): void {
    this.#requests.observe({ code: String(statusCode) }, seconds)
  }

  /** `observed`: it was let in all the same. */
  stoppedAtDoor(door: (typeof DOORS)[number]['door'], result: 'refused' | 'observed'): void {
    this.#door.inc({ door, result })
  }

  /** A device of a notification for which nothing is stored. */
  deviceSkipped({ app }: Route, intake: Exclude<(typeof INTAKES)[number], 'queued'>): void {
    this.#received.inc({ app, intake })
  }

  unknownApp(): void {
    this.#received.inc({ app: UNKNOWN, intake: 'unknown_app' })
  }

  deliveryStored({ app }: Route, { message, truncated }: Extract<Rendered, { kind: 'message' }>): void {
    this.#received.inc({ app, intake: 'queued' })
    this.#payload.observe({ app }, Buffer.byteLength(message.body))
    if (truncated) this.#truncated.inc({ app })
  }

  deviceKeySeen({ app }: Route, key: (typeof DEVICE_KEYS)[number]): void {
    this.#deviceKeys.inc({ app, key })
  }
}
