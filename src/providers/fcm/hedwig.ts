/**
 * Push → an FCM message in one of Hedwig's three shapes (docs/facts/peers.md#shapes-of-hedwig), for apps made for it (FluffyChat). What stands in `data` is read by
 * the Matrix Dart SDK, which fails where `devices` or `counts` is not the JSON of a list and of an object.
 */
import { jsonObject, type JsonObject } from '../../core/json.ts'
import type { Rendered } from '../../core/message.ts'
import { oncePer } from '../../core/once-per.ts'
import type { Push } from '../../core/push.ts'
import { DataBuilder, MAX_DATA_BYTES } from './data.ts'
import { HEDWIG_DEFAULTS, type HedwigOptions } from './hedwig-options.ts'
import { staticBytes } from './static-options.ts'
import { addDefaults, addWakeUp } from './wake-up.ts'

/** `data.data_message` of the pusher; without it the phone itself shows what the options say, and there is no data. */
type Shape = 'android' | 'ios' | 'generic'

/** What the app's `options` say of every message, e.g. `android.ttl`. */
interface Fixed {
  readonly message: Readonly<Record<string, unknown>>
  readonly android: JsonObject
}

type Visible = ReturnType<typeof visibleOf>

const jsonOf = oncePer((content: JsonObject) => JSON.stringify(content))

export function hedwigRenderer(options: HedwigOptions, fixed: Fixed): (push: Push) => Rendered {
  const visible = visibleOf(options)
  return (push) => {
    const shape = push.pusher?.dataMessage ?? 'generic'
    const around = {
      ...fixed.message,
      ...visibleParts(push, shape, visible),
      android: { ...fixed.android, ...androidPart(push, shape, visible) },
    }
    const { data, truncated } =
      shape === 'generic'
        ? { data: undefined, truncated: false }
        : dataOf(push, shape, MAX_DATA_BYTES - staticBytes(around))
    const body = JSON.stringify(data === undefined ? around : { ...around, data })
    return { kind: 'message', message: { headers: {}, body }, truncated }
  }
}

/** The most that the visible parts of a message take of FCM's limit. */
export function hedwigBytes(options: HedwigOptions): number {
  const visible = visibleOf(options)
  const counts = { unread: Number.MAX_SAFE_INTEGER }
  const push = { detail: 'event_id_only', kind: 'event', prio: 'high', defaultPayload: {}, counts } as const
  return staticBytes({
    ...visibleParts(push, 'generic', visible),
    android: androidPart(push, 'generic', visible),
  })
}

function visibleOf(options: HedwigOptions) {
  const { apns_headers: headers = {}, ...rest } = options
  const { notification_android: android, apns_payload: payload, ...texts } = HEDWIG_DEFAULTS
  return {
    ...texts,
    ...rest,
    notification_android: { ...android, ...options.notification_android },
    apns_payload: { ...payload, ...options.apns_payload },
    apns_headers: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name.replaceAll('_', '-'), value] as const),
    ),
  }
}

/** A badge update is never an alert: it has the number alone. */
function visibleParts(push: Push, shape: Shape, visible: Visible): JsonObject {
  if (shape === 'android') return {}
  const isEvent = push.kind === 'event'
  const unread = unreadOf(push)
  const { category, mutable_content: isMutable, content_available: isAvailable } = visible.apns_payload
  const aps = jsonObject([
    ['badge', unread],
    ['sound', isEvent ? visible.notification_sound : undefined],
    ['category', isEvent ? category : undefined],
    ['mutable-content', isMutable === 1 ? 1 : undefined],
    ['content-available', isAvailable === 1 ? 1 : undefined],
  ])
  const notification = {
    title: withCount(visible.notification_title, unread),
    body: withCount(visible.notification_body, unread),
  }
  return {
    ...(isEvent ? { notification } : {}),
    apns: { headers: visible.apns_headers, payload: { aps } },
  }
}

function androidPart(push: Push, shape: Shape, visible: Visible): JsonObject {
  const { notification_sound: sound, notification_click_action: click_action, notification_android } = visible
  return {
    priority: push.prio === 'low' ? 'normal' : 'high',
    direct_boot_ok: false,
    ...(shape === 'generic' && push.kind === 'event'
      ? { notification: { ...notification_android, sound, click_action } }
      : {}),
  }
}

/** None in clear beside what the homeserver sealed (MSC3013). */
function unreadOf({ encrypted, counts }: Push): number | undefined {
  return encrypted === undefined ? counts?.unread : undefined
}

/** Where the number is not known, or not to be told, the text goes without it. */
function withCount(template: string, unread: number | undefined): string {
  return unread === undefined
    ? template.replaceAll(/<count> ?/g, '').trim()
    : template.replaceAll('<count>', String(unread))
}

function dataOf(push: Push, shape: Shape, maxBytes: number): ReturnType<DataBuilder['build']> {
  const data = new DataBuilder()
  addDefaults(data, push)
  // Hedwig passes on the whole device, its pushkey included; the apps read which account is concerned, and no more.
  const clientName = push.detail === 'minimal' ? undefined : push.clientName
  const pusher = jsonObject([
    ['client_name', clientName],
    ['data_message', shape],
  ])
  data.addKept('devices', JSON.stringify([{ data: pusher }]))
  if (push.encrypted === undefined) addNotification(data, push)
  else data.addEncrypted(push.encrypted, maxBytes)
  return data.build(maxBytes)
}

function addNotification(data: DataBuilder, push: Push): void {
  data.addKept('prio', JSON.stringify(push.prio))
  data.addKept(
    'counts',
    JSON.stringify({ unread: push.counts?.unread ?? null, missed_calls: push.counts?.missedCalls ?? null }),
  )
  data.addKept('content', 'null')
  if (push.detail === 'minimal') return addWakeUp(data, push)
  data.addText('event_id', push.eventId)
  data.addText('room_id', push.roomId)
  if (push.detail === 'event_id_only') return
  data.addText('type', push.type)
  data.addText('sender', push.sender)
  data.addText('sender_display_name', push.senderDisplayName)
  data.addText('room_name', push.roomName)
  data.addText('room_alias', push.roomAlias)
  if (push.userIsTarget !== undefined) data.addKept('user_is_target', JSON.stringify(push.userIsTarget))
  // As JSON it is of use only whole; the apps fetch the event anyway.
  if (push.content !== undefined) data.addDefault('content', jsonOf(push.content))
}
