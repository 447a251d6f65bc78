/** Notifications as the gateway reads them. */
import { parseNotification, type Device, type Notification } from '../../src/core/notification.ts'

/** Of these fields of a homeserver's `notification`; default: one device. */
export function createNotification(fields: object): Notification {
  const notification = { devices: [{ app_id: 'com.example.app', pushkey: 'pushkey' }], ...fields }
  const parsed = parseNotification(Buffer.from(JSON.stringify({ notification })))
  if ('errcode' in parsed) throw new Error(parsed.error)
  return parsed
}

export function firstDevice({ devices: [device] }: Notification): Device {
  if (device === undefined) throw new Error('it has no device')
  return device
}
