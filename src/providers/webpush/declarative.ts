/**
 * Declarative Web Push: what a browser shows by itself, without the service worker (docs/facts/web-push.md#declarative). It stands beside the fields that a
 * service worker reads, so that a browser that does not know it goes on as before. Pure.
 */
import { jsonObject, jsonObjectOf, type JsonObject, type JsonValue } from '../../core/json.ts'
import { badgeOf } from '../../core/privacy-policy.ts'
import type { Push } from '../../core/push.ts'
import { jsonBytes, truncate } from '../../core/text.ts'
import type { PayloadField } from '../shared/endpoints/fit.ts'
import type { DeclarativeOptions } from './options.ts'

/** What says to a browser that a message is declarative. */
const WEB_PUSH = 8030
/** What a notification shows of them on a phone, and more. In JSON. */
const MAX_TITLE_BYTES = 256
const MAX_BODY_BYTES = 512
/** Of a real ID (docs/facts/homeservers.md). */
const MAX_ID_BYTES = 255

/** Whether the browser of this target (target.ts) is to be sent it: the pusher says so, or else it is Apple's push service. */
export function isDeclarative(target = ''): boolean {
  const { endpoint, p256dh, declarative } = jsonObjectOf(target) ?? {}
  // Without keys it is no browser.
  if (typeof endpoint !== 'string' || p256dh === undefined) return false
  return typeof declarative === 'boolean' ? declarative : isOfApple(endpoint)
}

/** What is added to the fields of an event push. */
export function declarativeFields(push: Push, options: DeclarativeOptions): readonly PayloadField[] {
  const badge = push.encrypted === undefined ? badgeIn(push) : undefined
  const about = textsOf(push, options)
  // Where WebKit reads them, and where the draft of the W3C has them.
  const asked: readonly (readonly [string, JsonValue | undefined])[] = [
    ['app_badge', badge],
    ['mutable', options.mutable === true ? true : undefined],
  ]
  const notification = jsonObject([
    ['title', truncate(about.title, MAX_TITLE_BYTES, jsonBytes)],
    ['body', about.body === undefined ? undefined : truncate(about.body, MAX_BODY_BYTES, jsonBytes)],
    ['navigate', addressFor(push, options)],
    ['silent', push.prio === 'low' ? true : undefined],
    ...asked,
  ])
  const fields: readonly (readonly [string, JsonValue | undefined])[] = [
    ['web_push', WEB_PUSH],
    ['notification', notification],
    ...asked,
  ]
  return fields.flatMap(([key, value]) => (value === undefined ? [] : [{ key, value, rank: 'kept' }]))
}

function isOfApple(endpoint: string): boolean {
  return URL.canParse(endpoint) && new URL(endpoint).hostname.endsWith('.push.apple.com')
}

interface Texts {
  readonly title: string
  readonly body?: string | undefined
}

/** The operator's own, but for what `full` lets through. */
function textsOf(push: Push, { title, body }: DeclarativeOptions): Texts {
  const given = { title, body }
  if (push.detail !== 'full' || push.encrypted !== undefined) return given
  const { roomName, senderDisplayName, sender, content } = push
  const who = senderDisplayName || sender
  const written = textIn(content)
  if (roomName === undefined || roomName === '') return { title: who || title, body: written ?? body }
  if (who === undefined || who === '') return { title: roomName, body: written ?? body }
  return { title: roomName, body: written === undefined ? (body ?? who) : `${who}: ${written}` }
}

function textIn(content: JsonObject | undefined): string | undefined {
  const text = content?.['body']
  return typeof text === 'string' && text !== '' ? text : undefined
}

/** The room's where its ID may be told. */
function addressFor(push: Push, { navigate, navigate_room: ofRoom }: DeclarativeOptions): string {
  if (push.detail === 'minimal' || push.encrypted !== undefined || ofRoom === undefined) return navigate
  const { roomId = '', eventId = '' } = push
  if (roomId === '' || [roomId, eventId].some(isNoSegment)) return navigate
  return filled(ofRoom, roomId, eventId)
}

/** It is too long for an ID; or it would lead out of its folder, as no percent encoding hides a dot (WHATWG URL, "double-dot path segment"). */
function isNoSegment(id: string): boolean {
  return id === '.' || id === '..' || Buffer.byteLength(id) > MAX_ID_BYTES
}

/** An address with these IDs in it. */
export function filled(template: string, roomId: string, eventId: string): string {
  return template.replaceAll('{room_id}', () => encoded(roomId)).replaceAll('{event_id}', () => encoded(eventId))
}

/** Half a surrogate pair, of which there is no percent encoding, becomes a replacement character. */
function encoded(id: string): string {
  return encodeURIComponent(id.toWellFormed())
}

function badgeIn(push: Push): number | undefined {
  const badge = push.detail === 'minimal' ? push.badge : badgeOf(push.counts)
  return badge !== undefined && Number.isSafeInteger(badge) && badge >= 0 ? badge : undefined
}
