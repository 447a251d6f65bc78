/**
 * What a browser with Declarative Web Push makes of a message: as WebKit reads it (Safari 18.4), and strict where the draft of the W3C is
 * (docs/facts/web-push.md#declarative).
 */
import { isJsonObject, jsonObjectOf, type JsonObject, type JsonValue } from '../core/json.ts'

/** What is shown, without any JavaScript. */
export interface DeclarativeNotification {
  readonly title: string
  readonly body?: string | undefined
  /** Opened by a tap. */
  readonly navigate: string
  readonly silent: boolean
  /** The number on the app's icon. */
  readonly appBadge?: number | undefined
  /** The service worker is asked first. */
  readonly mutable: boolean
}

/** Undefined: the message is for the service worker alone. A reason: it says that it is declarative, and is dropped. */
export function readDeclarative(payload: string): DeclarativeNotification | string | undefined {
  const message = jsonObjectOf(payload)
  if (message?.['web_push'] !== 8030) return undefined
  const { notification } = message
  if (!isJsonObject(notification)) return 'notification is no object'
  const { title, body, navigate, silent = false } = notification
  if (typeof title !== 'string' || title === '') return 'title is missing'
  if (typeof navigate !== 'string' || !URL.canParse(navigate)) return 'navigate is no address'
  if (body !== undefined && typeof body !== 'string') return 'body is no text'
  if (typeof silent !== 'boolean') return 'silent is no boolean'
  const mutable = inEither(notification, message, 'mutable') ?? false
  const badge = inEither(notification, message, 'app_badge')
  const appBadge = badge === undefined ? undefined : badgeOf(badge)
  if (typeof mutable !== 'boolean') return 'mutable is no boolean, or not the same in both places'
  if (badge !== undefined && appBadge === undefined) return 'app_badge is no number, or not the same in both places'
  return { title, body, navigate, silent, appBadge, mutable }
}

/** In one line, for people. */
export function describeDeclarative(shown: DeclarativeNotification | string): string {
  if (typeof shown === 'string') return `nothing: ${shown}`
  const { title, body, navigate, silent, appBadge, mutable } = shown
  const texts = [title, ...(body === undefined ? [] : [body])].map((text) => JSON.stringify(text)).join(', ')
  const badge = appBadge === undefined ? '' : `, badge ${appBadge}`
  return `${texts}${badge}${silent ? ', without a sound' : ''}${mutable ? ', unless the service worker shows another' : ''}; opens ${navigate}`
}

/** WebKit reads these from the notification, the draft from the message: what stands in both has to be the same. */
function inEither(notification: JsonObject, message: JsonObject, name: string): JsonValue | undefined {
  const { [name]: inner } = notification
  const { [name]: outer = inner } = message
  return inner === undefined || inner === outer ? outer : null
}

/** A text of digits is one, too (WebKit). */
function badgeOf(value: JsonValue): number | undefined {
  const number = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : undefined
}
