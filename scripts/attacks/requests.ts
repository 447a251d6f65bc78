/** What strangers post: cheap to send, and dear to answer or to keep, if nothing is done about it. */
import { createECDH, randomBytes, randomUUID } from 'node:crypto'

/** Of a request; a homeserver sends one. */
export const MAX_DEVICES = 100
export const NOTIFY_PATH = '/_matrix/push/v1/notify'

export function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index))
}

export function secret(bytes = 16): string {
  return randomBytes(bytes).toString('base64url')
}

/** An event of its own each time. */
export function about(): { readonly event_id: string; readonly room_id: string; readonly type: string } {
  return { event_id: `$${randomUUID()}`, room_id: '!room:example.org', type: 'm.room.message' }
}

/** Many long texts in the content of an event, which each device of an app in mode `full` is sent what there is room for of. */
export function longContent(texts: number): object {
  return { ...Object.fromEntries(times(texts, (at) => [`k${at}`, 'x'.repeat(1030)])), body: 'hello' }
}

/** A public key to agree with. */
export function point(): string {
  const pair = createECDH('prime256v1')
  pair.generateKeys()
  return pair.getPublicKey('base64url')
}

/** A device that wants its pushes sealed for it. */
export function deviceWithKey(app: string, p256dh = point()): object {
  const data = { hushgate_key: { v: 1, kid: secret(), p256dh, auth: secret() } }
  return { app_id: app, pushkey: secret(), data }
}

/** A browser that nobody has, at any port of a host. */
export function deviceAtPort(app: string, host: string, pushkey = point()): object {
  const port = 1 + Math.floor(Math.random() * 1000)
  return { app_id: app, pushkey, data: { endpoint: `https://${host}:${port}/x`, auth: secret() } }
}

/** What no device can have. */
export function garbageDevice(app: string): object {
  return { app_id: app, pushkey: `!${randomBytes(5).toString('hex')} ` }
}

/** A device token as Apple's are written; a simulator answers it as `script` says (src/simulators/script.ts). */
export function appleDevice(app: string, script: string): object {
  return { app_id: app, pushkey: Buffer.from(`x${script}-${randomUUID()}`).toString('base64') }
}

/** All of a request but the last 1,000 bytes, which never come. */
export function halfSentRequest(bodyBytes: number): Buffer {
  const head = `POST ${NOTIFY_PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: ${bodyBytes}\r\n\r\n`
  return Buffer.concat([Buffer.from(head), Buffer.alloc(bodyBytes - 1000, 'x')])
}
