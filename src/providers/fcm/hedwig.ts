/**
 * Push → an FCM message in one of the shapes of Hedwig and FluffyGate (docs/facts/peers.md#shapes-of-hedwig), for apps made for them (FluffyChat). What stands in
 * `data` is read by the Matrix Dart SDK, which fails where `devices` or `counts` is not the JSON of a list and of an object.
 */
import { jsonObject, type JsonObject } from '../../core/json.ts'
import type { Rendered } from '../../core/message.ts'
import { oncePer } from '../../core/once-per.ts'
import type { DataMessage, Push } from '../../core/push.ts'
import { DataBuilder, MAX_DATA_BYTES } from '../shared/data.ts'
import { HEDWIG_DEFAULTS, type HedwigOptions } from './hedwig-options.ts'
import { staticBytes } from './static-options.ts'
import { addDefaults, addWakeUp } from '../shared/wake-up.ts'

interface Shape {
  /** What the pusher asked for; without it there is no data. */
  readonly dataMessage?: DataMessage | undefined
  /** The phone itself shows what the options say; `android`: also how Android does. */
  readonly visible: 'no' | 'yes' | 'android'
}

/** What the app's `options` say of every message, e.g. `android.ttl`. */
interface Fixed {
  readonly message: Readonly<Record<string, unknown>>
  readonly android: JsonObject
}

type Visible = ReturnType<typeof visibleOf>

const jsonOf = oncePer((content: JsonObject) => JSON.stringify(content))

export function hedwigRenderer(options: HedwigOptions, fixed: Fixed): (push: Push, ttl: JsonObject) => Rendered {
  const visible = visibleOf(options)
  return (push, ttl) => {
    const shape = shapeOf(push.pusher?.dataMessage)
    const around = {
      ...fixed.message,
      ...visibleParts(push, shape, visible),
      android: { ...ttl, ...fixed.android, ...androidPart(push, shape, visible) },
    }
    const { data, truncated } =
      shape.dataMessage === undefined
        ? { data: undefined, truncated: false }
        : dataOf(push, shape.dataMessage, MAX_DATA_BYTES - staticBytes(around))
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
    ...visibleParts(push, shapeOf(undefined), visible),
    android: androidPart(push, shapeOf(undefined), visible),
  })
}

function shapeOf(dataMessage: DataMessage | undefined): Shape {
  if (dataMessage === 'android' || dataMessage === true) return { dataMessage, visible: 'no' }
  return { dataMessage, visible: dataMessage === 'ios' ? 'yes' : 'android' }
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
  if (shape.visible === 'no') return {}
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
    ...(shape.visible === 'android' && push.kind === 'event'
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
    ? template.replaceAll(/(?:<count>|\{count\}) ?/g, '').trim()
    : template.replaceAll(/<count>|\{count\}/g, String(unread))
}

function dataOf(push: Push, dataMessage: DataMessage, maxBytes: number): ReturnType<DataBuilder['build']> {
  const data = new DataBuilder()
  addDefaults(data, push)
  // Hedwig and FluffyGate pass on the whole device, its pushkey included; the apps read which account is concerned, and no more.
  const clientName = push.detail === 'minimal' ? undefined : push.clientName
  const pusher = jsonObject([
    ['client_name', clientName],
    ['data_message', dataMessage],
  ])
  data.addKept('devices', JSON.stringify([{ data: pusher }]))
  if (push.encrypted === undefined) addNotification(data, push, typeof dataMessage === 'boolean')
  else data.addEncrypted(push.encrypted, maxBytes)
  return data.build(maxBytes)
}

/** `isBare`, as FluffyGate has it: the priority is the word itself, and what is not known is left out. Hedwig writes JSON, and null. */
function addNotification(data: DataBuilder, push: Push, isBare: boolean): void {
  const { unread, missedCalls } = push.counts ?? {}
  data.addKept('prio', isBare ? push.prio : JSON.stringify(push.prio))
  if (isBare) {
    const known = jsonObject([
      ['unread', unread],
      ['missed_calls', missedCalls],
    ])
    data.addKept('counts', JSON.stringify(known))
  } else {
    data.addKept('counts', JSON.stringify({ unread: unread ?? null, missed_calls: missedCalls ?? null }))
    data.addKept('content', 'null')
  }
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
