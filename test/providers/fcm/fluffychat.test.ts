/**
 * What FluffyChat's pushers get, as it registers them now (`data_message` is a boolean, FluffyGate's convention) and before July 2026 (a word, Hedwig's).
 * test/fixtures/fluffychat-pushes.json holds what these two gateways make of the same request, by their source and their sample configurations.
 */
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { isJsonObject, type JsonObject } from '../../../src/core/json.ts'
import { parseNotification } from '../../../src/core/notification.ts'
import { applyPrivacy, type PrivacyMode } from '../../../src/core/privacy-policy.ts'
import type { FcmOptions } from '../../../src/providers/fcm/index.ts'
import { renderer } from '../../../src/providers/fcm/payload.ts'

interface RecordedPush {
  readonly what: string
  /** Whose shape it is, and where it was read. */
  readonly gateway: string
  readonly notification: JsonObject
  readonly sent: JsonObject
}

const CASES: readonly RecordedPush[] = JSON.parse(
  readFileSync(new URL('../../fixtures/fluffychat-pushes.json', import.meta.url), 'utf8'),
)

/** The texts of FluffyGate's sample configuration. */
const FLUFFYGATE = {
  notification_title: '{count} new messages',
  notification_body: 'Open app to read the messages',
  notification_android: { tag: 'default_notification' },
} as const

interface Asked {
  readonly privacy?: PrivacyMode
  readonly hedwig?: NonNullable<FcmOptions['hedwig']>
}

function messageOf(notification: JsonObject, { privacy = 'event_id_only', hedwig = {} }: Asked = {}): JsonObject {
  const parsed = parseNotification(Buffer.from(JSON.stringify({ notification })))
  const device = 'devices' in parsed ? parsed.devices[0] : undefined
  if (!('devices' in parsed) || device === undefined) throw new Error('not a notification')
  const push = applyPrivacy(parsed, device, { privacy, counts: 'badge', defaultPayloadAllow: [], sealed: 'optional' })
  if (push === undefined) throw new Error('nothing is left')
  const options = { service_account_file: '-', badge_pushes: 'send', payload_style: 'hedwig', hedwig } as const
  const rendered = renderer(options)(push)
  if (rendered.kind !== 'message') throw new Error(rendered.reason)
  return JSON.parse(rendered.message.body)
}

/** As the Matrix Dart SDK reads the data (famedly/matrix-dart-sdk, lib/src/utils/push_notification.dart): it throws where a type is another. */
function readByFluffyChat(message: JsonObject) {
  const data = isJsonObject(message['data']) ? message['data'] : {}
  const text = (key: string): string | undefined => {
    const value = data[key]
    if (value !== undefined && typeof value !== 'string') throw new Error(`${key} is no text`)
    return value
  }
  const counts = JSON.parse(text('counts') ?? '{}')
  const devices = JSON.parse(text('devices') ?? 'null')
  if (!isJsonObject(counts) || !Array.isArray(devices)) throw new Error('it fails')
  return {
    eventId: text('event_id'),
    roomId: text('room_id'),
    unread: counts['unread'] ?? undefined,
    missedCalls: counts['missed_calls'] ?? undefined,
    content: JSON.parse(text('content') ?? 'null'),
    clientName: devices[0]?.data?.client_name,
  }
}

describe("FluffyChat's pushers", () => {
  it.each(CASES)('$what: reads what it reads behind its own gateway', ({ notification, sent }) => {
    expect(readByFluffyChat(messageOf(notification))).toEqual(readByFluffyChat(sent))
  })

  it.each(CASES)('$what: the data is written alike, but for the device', ({ notification, sent }) => {
    const { devices: _ours, ...data } = dataOf(messageOf(notification))
    const { devices: _theirs, ...theirData } = dataOf(sent)
    // Hedwig writes "null" where the homeserver names no priority; without one it is high (push gateway API).
    const hasOwnPrio = notification['prio'] !== undefined
    if (!hasOwnPrio) delete data['prio']
    if (!hasOwnPrio) delete theirData['prio']
    // Always there, so that the shape says nothing; FluffyGate leaves it out.
    if (notification['counts'] === undefined) delete data['counts']
    expect(data).toEqual(theirData)
  })

  it.each(CASES)('$what: the phone itself shows something alike', ({ gateway, notification, sent }) => {
    const message = messageOf(notification, { hedwig: gateway.includes('fluffygate') ? FLUFFYGATE : {} })
    expect(message['notification']).toEqual(sent['notification'])
  })

  it.each(CASES)('$what: neither the pushkey nor the app_id, which has the device ID in it', ({ notification }) => {
    for (const privacy of ['minimal', 'event_id_only', 'full'] as const)
      expect(JSON.stringify(messageOf(notification, { privacy }))).not.toMatch(/PUSHKEY|ABCDEFGHIJ/)
  })

  it.each([true, false])('in minimal mode data_message: %s has one message for every event', (shape) => {
    const devices = [{ app_id: 'a', pushkey: 'p', data: { client_name: 'FluffyChat 2', data_message: shape } }]
    const of = (eventId: string, roomId: string) =>
      messageOf({ event_id: eventId, room_id: roomId, counts: { unread: 3 }, devices }, { privacy: 'minimal' })
    expect(of('$one', '!one:example.org')).toEqual(of('$two', '!two:example.org'))
    expect(dataOf(of('$one', '!one:example.org'))).toEqual({
      sync: '1',
      prio: 'high',
      counts: '{}',
      devices: JSON.stringify([{ data: { data_message: shape } }]),
    })
  })

  it('in full mode has the content as JSON', () => {
    const devices = [{ app_id: 'a', pushkey: 'p', data: { data_message: true } }]
    const content = { msgtype: 'm.text', body: 'hi' }
    const data = dataOf(messageOf({ event_id: '$e', type: 'm.room.message', content, devices }, { privacy: 'full' }))
    expect(data).toMatchObject({ prio: 'high', type: 'm.room.message', content: JSON.stringify(content) })
  })
})

function dataOf(message: JsonObject): Record<string, unknown> {
  return isJsonObject(message['data']) ? { ...message['data'] } : {}
}
