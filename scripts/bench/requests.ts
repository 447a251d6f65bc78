/** What homeservers post: devices, events, and the files in which the load generators find them. */
import { createECDH, randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { pathOfNumber } from './hpack.ts'
import { APP_IDS } from './rig.ts'
import type { Ports, PushService } from './simulator-process.ts'

const PUSHKEY_TS = 1_760_000_000
const DEFAULT_PAYLOAD = { aps: { 'mutable-content': 1, alert: { 'loc-key': 'Notification', 'loc-args': [] } } }
const EVENT_ID_LENGTH = 44
/** Rooms that the events are of. */
export const ROOMS = 1000

/** A request is these with an event ID, a room and devices between them. */
export const BODY = {
  start: '{"notification":{"event_id":"',
  /** Followed by six digits. */
  room: '","room_id":"!bench',
  devices: ':example.org","counts":{"unread":2},"prio":"high","devices":[',
  end: ']}}',
} as const

/** Unique as long as the number is; as long as a real one. */
export function eventId(run: string, number: number): string {
  return `$${run}-${String(number).padStart(EVENT_ID_LENGTH - 2 - run.length, '0')}`
}

export function bodyOf(event: string, number: number, devices: string): string {
  const room = String(number % ROOMS).padStart(6, '0')
  return `${BODY.start}${event}${BODY.room}${room}${BODY.devices}${devices}${BODY.end}`
}

/** An entry of `devices`, as JSON, for each number below `count`. */
export function devicesOf(
  service: PushService,
  count: number,
  ports: Ports,
  appIdOf: (number: number) => string = () => APP_IDS[service],
): readonly string[] {
  return Array.from({ length: count }, (_, number) =>
    JSON.stringify({ app_id: appIdOf(number), ...deviceOf(service, number, ports) }),
  )
}

export function writeDevices(path: string, devices: readonly string[]): void {
  writeFileSync(path, devices.join('\n'))
}

function deviceOf(service: PushService, number: number, ports: Ports): object {
  const common = { pushkey_ts: PUSHKEY_TS }
  const digits = String(number)
  if (service === 'apns') {
    // Base64 of 32 bytes, as Element X iOS writes its token.
    const pushkey = `Bench${digits.padStart(37, '0')}0=`
    return { ...common, pushkey, data: { format: 'event_id_only', default_payload: DEFAULT_PAYLOAD } }
  }
  if (service === 'fcm') {
    const pushkey = `bench0000000000000000:APA91b${digits.padStart(134, '0')}`
    return { ...common, pushkey, data: { format: 'event_id_only' } }
  }
  const browser = createECDH('prime256v1')
  const endpoint = `https://127.0.0.1:${ports.webpush}${pathOfNumber(number)}`
  const data = { format: 'event_id_only', endpoint, auth: randomBytes(16).toString('base64url') }
  return { ...common, pushkey: browser.generateKeys('base64url'), data }
}
