/** Hedwig's shapes through the whole gateway: what FCM receives after configuration, queue and SDK. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startGateway, type TestGateway } from '../../helpers/gateway.ts'
import { newPushkey, startPushServices, type PushServices } from '../../helpers/push-services.ts'

const APP = 'chat.fluffy.example'
let services: PushServices
let gateway: TestGateway

beforeAll(async () => {
  services = await startPushServices()
  const [, section = ''] = services.appsYaml.split('com.example.android:\n')
  const appsYaml = `apps:
  "${APP}*":
${section}
    privacy: event_id_only
    badge_pushes: send
    payload_style: hedwig
    hedwig:
      notification_title: "<count> unread chats"
      notification_android: { color: "#ff8800" }
      apns_headers: { apns_priority: "10" }
`
  gateway = await startGateway({ appsYaml })
})
afterAll(async () => {
  await gateway.close()
  await services[Symbol.asyncDispose]()
})

const EVENT = { room_id: '!room:example.org', counts: { unread: 2 }, prio: 'high' }
const IDS_OF = (eventId: string) => ({ event_id: eventId, room_id: '!room:example.org' })

it.each([
  [
    'android',
    {
      android: { priority: 'high', direct_boot_ok: false },
      data: {
        ...IDS_OF('$android'),
        prio: '"high"',
        counts: '{"unread":2,"missed_calls":null}',
        content: 'null',
        devices: '[{"data":{"client_name":"FluffyChat","data_message":"android"}}]',
      },
    },
  ],
  [
    'ios',
    {
      android: { priority: 'high', direct_boot_ok: false },
      notification: { title: '2 unread chats', body: 'Open app to read the messages, 2 unread messages' },
      apns: {
        headers: { 'apns-priority': '10' },
        payload: { aps: { badge: 2, sound: 'default', 'mutable-content': 1, 'content-available': 1 } },
      },
      data: {
        ...IDS_OF('$ios'),
        prio: '"high"',
        counts: '{"unread":2,"missed_calls":null}',
        content: 'null',
        devices: '[{"data":{"client_name":"FluffyChat","data_message":"ios"}}]',
      },
    },
  ],
  [
    'generic',
    {
      android: {
        priority: 'high',
        direct_boot_ok: false,
        notification: {
          icon: 'notifications_icon',
          tag: 'org.matrix.default_notification',
          channel_id: 'org.matrix.app.message',
          color: '#ff8800',
          sound: 'default',
          click_action: 'FLUTTER_NOTIFICATION_CLICK',
        },
      },
      notification: { title: '2 unread chats', body: 'Open app to read the messages, 2 unread messages' },
      apns: {
        headers: { 'apns-priority': '10' },
        payload: { aps: { badge: 2, sound: 'default', 'mutable-content': 1, 'content-available': 1 } },
      },
    },
  ],
])('FCM takes the shape "%s" as it was written', async (shape, message) => {
  const { token, fcm } = newPushkey()
  const data = { client_name: 'FluffyChat', data_message: shape, url: gateway.url }
  await gateway.notify({
    ...EVENT,
    event_id: `$${shape}`,
    devices: [{ app_id: `${APP}.DEVICE`, pushkey: fcm, data }],
  })
  const [push] = await services.waitFor(token, 1)
  expect(push).toMatchObject({ status: 200 })
  expect(push?.body).toEqual({ ...message, token })
})
