/** One message on its way, byte for byte: what a homeserver sends, and what each push service is sent of it under the policies in use. */
import type { Message } from '../core/message.ts'
import { parseNotification } from '../core/notification.ts'
import { PlaceholderIds } from '../core/placeholder-ids.ts'
import { applyPrivacy } from '../core/privacy-policy.ts'
import { listed, lower, text } from './html.ts'
import { nameOf } from './apps.ts'
import type { StatedRoute, StatementInput } from './statement.ts'

/** A message as a homeserver tells it, without its devices. */
export const MESSAGE = {
  event_id: '$3957tyerfgewrf384:example.org',
  room_id: '!family:example.org',
  type: 'm.room.message',
  sender: '@alice:example.org',
  sender_display_name: 'Alice',
  room_name: 'Family',
  prio: 'high',
  content: { msgtype: 'm.text', body: 'See you at eight' },
  counts: { unread: 2 },
}
/** Made up, as the real ones are made of the key file. */
const ID = '0f1e2d3c-4b5a-8697-8877-665544332211'
const COLLAPSE_ID = 'Q29kZSB0aGF0IG1lYW5zIG5vdGhpbmc_'
/** 2026-01-01. */
const NOW_MS = 1_767_225_600_000

interface Sent {
  readonly name: string
  readonly route: StatedRoute
  readonly message: Message | undefined
}

export function example({ routes, maxAgeMs }: Pick<StatementInput, 'routes' | 'maxAgeMs'>): string {
  const sent = routes.map((route) => ({ name: nameOf(route), route, message: messageFor(route, maxAgeMs) }))
  const alike = Map.groupBy(sent, ({ route, message }) => JSON.stringify([route.names.who, message]))
  return `<p>As if Alice wrote “See you at eight” in an unencrypted room. IDs and codes are made up.</p>
<h3>Your homeserver sends this gateway</h3><pre tabindex="0">${text(JSON.stringify(MESSAGE))}</pre>
${[...alike.values()].map(sentPart).join('\n')}`
}

function sentPart(sent: readonly Sent[]): string {
  const [first] = sent
  if (first === undefined) return ''
  const { route, message } = first
  const who = route.names.who
  const heading = `<h3>${text(who)} is sent <small>${text(listed(sent.map(({ name }) => name)))}</small></h3>`
  if (message === undefined) return `${heading}<p>Nothing.</p>`
  const { body } = message
  const headers = Object.entries(message.headers).map(([name, value]) => `${name}: ${value}`)
  if (route.disclosures.outside === undefined) return `${heading}${pre([...headers, body])}`
  const padded = body.trimEnd() === body ? '' : `, filled up to ${body.length} bytes`
  return `${heading}${pre([...headers, '(a block that only your device can open)'])}
<p>Your device opens the block${padded}; ${text(lower(who))} cannot:</p>${pre([body.trimEnd()])}`
}

function pre(lines: readonly string[]): string {
  return `<pre tabindex="0">${text(lines.join('\n'))}</pre>`
}

function messageFor({ app, policy, render }: StatedRoute, maxAgeMs: number): Message | undefined {
  const devices = [{ app_id: app, pushkey: 'device' }]
  const notification = parseNotification(Buffer.from(JSON.stringify({ notification: { ...MESSAGE, devices } })))
  const [device] = 'errcode' in notification ? [] : notification.devices
  if ('errcode' in notification || device === undefined) return undefined
  const made = new PlaceholderIds((count) => Uint8Array.from({ length: count }, (_, index) => index * 37))
  const push = applyPrivacy(notification, device, policy, undefined, () => made)
  const expiresAtMs = NOW_MS + maxAgeMs
  const identity = { id: ID, collapseId: COLLAPSE_ID, expiresAtMs, lifetimeMs: maxAgeMs }
  const rendered = push === undefined ? undefined : render(push, identity)
  return rendered?.kind === 'message' ? rendered.message : undefined
}
