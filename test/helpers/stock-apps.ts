/** What stock apps on Android do with UnifiedPush, by their source (docs/facts/apps.md#unifiedpush): how they find their gateway, what they register, how they read a push. */
import { isJsonObject, jsonObjectOf, type JsonObject } from '../../src/core/json.ts'

export interface HttpAnswer {
  readonly status: number
  readonly body: string
}

/** What an app has of a push. */
export interface ReadPush {
  readonly eventId: unknown
  readonly roomId: unknown
  readonly unread?: unknown
  readonly clientName?: unknown
}

export interface StockApp {
  readonly name: string
  readonly appId: string
  /** In the data of its pusher, beside the URL. */
  readonly data: JsonObject
  /** The URL of its pusher, after it has asked at the host of its endpoint. */
  gatewayFor(endpoint: string, get: (url: string) => Promise<HttpAnswer>): Promise<string>
  /** Undefined: it drops the push. */
  read(body: string): ReadPush | undefined
}

const NOTIFY_PATH = '/_matrix/push/v1/notify'
/** Which then sees all that the homeserver sends. */
export const GATEWAY_OF_UNIFIEDPUSH = `https://matrix.gateway.unifiedpush.org${NOTIFY_PATH}`

/** Element X on Android 477aa36: UnifiedPushGatewayResolver.kt, DefaultPusherSubscriber.kt, PushDataUnifiedPush.kt. SchildiChat Next e2fd668 has the same. */
export const ELEMENT_X: StockApp = {
  name: 'Element X',
  appId: 'io.element.android.x',
  data: { format: 'event_id_only', default_payload: { cs: 'SECRET' } },
  async gatewayFor(endpoint, get) {
    const url = `${new URL(endpoint).origin}${NOTIFY_PATH}`
    const { status, body } = await get(url)
    const { unifiedpush } = jsonObjectOf(body) ?? {}
    return status === 200 && isJsonObject(unifiedpush) && unifiedpush['gateway'] === 'matrix'
      ? url
      : GATEWAY_OF_UNIFIEDPUSH
  },
  read(body) {
    const { eventId, roomId, counts } = read(body)
    return typeof eventId === 'string' && typeof roomId === 'string'
      ? { eventId, roomId, unread: isJsonObject(counts) ? counts['unread'] : undefined }
      : undefined
  },
}

/** FluffyChat 76c4ec4: background_push.dart (`_newUpEndpoint`, `setupPusher`, `_onUpMessage`) with matrix-dart-sdk's PushNotification. */
export const FLUFFYCHAT: StockApp = {
  name: 'FluffyChat',
  appId: 'chat.fluffy.fluffychat.DEVICEID',
  data: { format: 'event_id_only', client_name: 'FluffyChat-2', data_message: true },
  async gatewayFor(endpoint, get) {
    const [url = ''] = Object.assign(new URL(endpoint), { pathname: NOTIFY_PATH, search: '' }).toString().split('?')
    const { gateway, unifiedpush } = jsonObjectOf((await get(url)).body) ?? {}
    const isGateway = gateway === 'matrix' || (isJsonObject(unifiedpush) && unifiedpush['gateway'] === 'matrix')
    return isGateway ? url : GATEWAY_OF_UNIFIEDPUSH
  },
  read(body) {
    const { eventId, roomId, clientName } = read(body)
    return { eventId, roomId, clientName }
  },
}

export const STOCK_APPS: readonly StockApp[] = [ELEMENT_X, FLUFFYCHAT]

function read(body: string) {
  const { notification } = jsonObjectOf(body) ?? {}
  const { event_id: eventId, room_id: roomId, counts, devices } = isJsonObject(notification) ? notification : {}
  const [device] = Array.isArray(devices) ? (devices as readonly unknown[]) : []
  const data = isJsonObject(device) ? device['data'] : undefined
  return { eventId, roomId, counts, clientName: isJsonObject(data) ? data['client_name'] : undefined }
}
