/** What Synapse really sends (recorded, test/fixtures/synapse), sent again byte for byte: what it is answered, and what the push services get of it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import recorded from '../fixtures/synapse/requests.json' with { type: 'json' }
import { metricValue, startGateway, type TestGateway } from '../helpers/gateway.ts'
import { startPushServices, type PushServices } from '../helpers/push-services.ts'
import { openConnection, type RawConnection } from '../helpers/raw-http.ts'

const MODES = ['full', 'event_id_only', 'minimal'] as const
type Mode = (typeof MODES)[number]

const { text: LONG_PART, times: LONG_TIMES } = recorded.long
const REQUESTS = recorded.requests.map(readRequest)
type Recorded = ReturnType<typeof readRequest>

const ALICE = 'Alice Ünïcode'
const FROM_ALICE = { sender: '@alice:rig.test', sender_display_name: ALICE }
const MESSAGE = { type: 'm.room.message', ...FROM_ALICE }

/** By the kind of event: the alert's loc-key and loc-args for APNs, and FCM's data without IDs, when everything is told; both as Sygnal's. */
const TOLD: Readonly<Record<string, { readonly alert: readonly unknown[]; readonly data: object }>> = {
  message: {
    alert: ['MSG_FROM_USER_WITH_CONTENT', ALICE, 'Hello, wörld 🎉'],
    data: { ...MESSAGE, content_body: 'Hello, wörld 🎉', content_msgtype: 'm.text' },
  },
  'message-encrypted': {
    alert: ['MSG_FROM_USER', ALICE],
    data: {
      type: 'm.room.encrypted',
      ...FROM_ALICE,
      content_algorithm: 'm.megolm.v1.aes-sha2',
      content_ciphertext: 'AwgAEnACgAkLmt6qF84IK++J7UDH2Za1YVchHyprqTqsg',
      content_device_id: 'RJYKSTBOIE',
      content_sender_key: 'IlRMeOPX2e0MurIyfWEucYBRVOEEUMrOHqn/8mLqMjA',
      content_session_id: 'X3lUlvLELLYxeTx4yOVu6UDpasGEVO0Jbu+QFnm0cKQ',
    },
  },
  'message-named-room': {
    alert: ['ACTION_FROM_USER_IN_ROOM', 'Mission Control', ALICE, 'waves'],
    data: { ...MESSAGE, room_name: 'Mission Control', content_body: 'waves', content_msgtype: 'm.emote' },
  },
  // Of 4096 bytes, and of the 1024 that FCM's data has for one value.
  'message-long': {
    alert: ['MSG_FROM_USER_IN_ROOM_WITH_CONTENT', ALICE, 'Mission Control', shortened(340)],
    data: { ...MESSAGE, room_name: 'Mission Control', content_body: shortened(85), content_msgtype: 'm.text' },
  },
  image: {
    alert: ['IMAGE_FROM_USER', ALICE, 'cat.jpg'],
    data: { ...MESSAGE, content_body: 'cat.jpg', content_msgtype: 'm.image', content_url: 'mxc://rig.test/abc' },
  },
  highlight: {
    alert: ['MSG_FROM_USER_WITH_CONTENT', ALICE, 'Bob Ünïcode: look'],
    data: { ...MESSAGE, content_body: 'Bob Ünïcode: look', content_msgtype: 'm.text' },
  },
  invite: {
    alert: ['USER_INVITE_TO_CHAT', ALICE],
    data: {
      type: 'm.room.member',
      ...FROM_ALICE,
      membership: 'invite',
      content_displayname: 'Bob Ünïcode',
      content_membership: 'invite',
    },
  },
  'call-invite': {
    alert: ['VIDEO_CALL_FROM_USER', ALICE],
    data: { type: 'm.call.invite', ...FROM_ALICE, content_call_id: 'c1' },
  },
}

it('is recorded whole: each kind for each push service, as long as it says', () => {
  expect(REQUESTS).toHaveLength(46)
  for (const { text, headers } of REQUESTS) expect(Buffer.byteLength(text)).toBe(Number(headers.get('Content-Length')))
})

describe.each(MODES)('with privacy: %s', (privacy) => {
  let services: PushServices
  let gateway: TestGateway
  let synapse: RawConnection
  beforeAll(async () => {
    services = await startPushServices()
    const { apps } = parse(services.appsYaml)
    const known = { ...apps, 'com.example.behave': apps['com.example.android'] }
    gateway = await startGateway({ appsYaml: `apps: ${JSON.stringify(known)}`, settings: `privacy: ${privacy}` })
    // One for all, as Synapse keeps its connection.
    synapse = await openConnection(gateway.url)
  })
  afterAll(async () => {
    synapse.destroy()
    await gateway.close()
    await services[Symbol.asyncDispose]()
  })

  let expectedPushes = 0
  const countOf = async (labels: { readonly app: string; readonly intake: string }) =>
    metricValue(await gateway.metrics(), 'hushgate_devices_received_total', labels) ?? 0

  it.each(REQUESTS)('$name is answered 200, nothing rejected, and passed on', async (request) => {
    const expected = expectedPush(request, privacy)
    const pushesBefore = services.of(request.token).length
    const countBefore = await countOf(request.intake)

    synapse.write(request.raw)
    const answer = await synapse.answer()
    expect(answer).toMatchObject({ status: 200, body: '{"rejected":[]}' })
    expect(answer?.headers.get('content-type')).toMatch(/^application\/json\b/)

    expect(await countOf(request.intake)).toBe(countBefore + 1)
    expectedPushes += expected.length
    await services.waitFor(request.token, pushesBefore + expected.length)
    const pushes = services.of(request.token).slice(pushesBefore)
    expect(pushes.map(({ status, body }) => ({ status, body }))).toEqual(
      expected.map((body) => ({ status: 200, body })),
    )
  })

  it('and nothing else has come to the push services', () => {
    expect(services.received).toHaveLength(expectedPushes)
  })
})

function readRequest({ name, headers, body }: (typeof recorded.requests)[number]) {
  const text = body.replace('{{long}}', LONG_PART.repeat(LONG_TIMES))
  const head = ['POST /_matrix/push/v1/notify HTTP/1.1', ...headers.map((header) => header.join(': '))]
  const { event_id: eventId, room_id: roomId, counts, devices } = JSON.parse(text).notification
  const [{ app_id: appId, pushkey, data }] = devices
  const service = { 'com.example.ios': 'apns', 'com.example.web': 'web' }[String(appId)] ?? 'fcm'
  const [kind = name] = name.split(/-(?:apns|fcm|web)-/)
  const isNothing = service === 'fcm' && kind === 'read-receipt'
  return {
    name,
    kind,
    service,
    isFull: data.format === undefined,
    eventId,
    roomId,
    unread: Number(counts.unread),
    token: service === 'apns' ? Buffer.from(pushkey, 'base64').toString() : String(pushkey),
    /** How the gateway counts it. No app is configured for Web Push here. */
    intake:
      service === 'web'
        ? { app: '_unknown', intake: 'unknown_app' }
        : { app: String(appId), intake: isNothing ? 'nothing_to_send' : 'queued' },
    headers: new Map(headers.map(([header = '', value = '']) => [header, value])),
    text,
    raw: [...head, '', text].join('\r\n'),
  }
}

/** What the push service gets: one message or none. */
function expectedPush(request: Recorded, privacy: Mode): object[] {
  const { service, kind, intake, token, isFull } = request
  if (intake.intake !== 'queued') return []
  // The policy is a ceiling: of what Synapse has not told, there is nothing to pass on.
  const mode = privacy === 'full' && !isFull ? 'event_id_only' : privacy
  // A call that is over is not to ring.
  const ttl = kind === 'call-invite' && mode === 'full' ? { ttl: '60s' } : {}
  if (service === 'fcm') return [{ android: { priority: 'high', ...ttl }, data: expectedData(request, mode), token }]
  return [kind === 'read-receipt' ? { aps: { badge: 0 } } : expectedPayload(request, mode)]
}

function expectedPayload({ kind, eventId, roomId, unread }: Recorded, mode: Mode): object {
  const shown = { 'mutable-content': 1 }
  if (mode === 'minimal')
    return { aps: { ...shown, alert: { 'loc-key': 'SINGLE_UNREAD' }, sound: 'default', badge: unread } }
  const ids = { event_id: eventId, room_id: roomId }
  if (mode === 'event_id_only')
    return { aps: { ...shown, alert: { 'loc-key': 'SINGLE_UNREAD', 'loc-args': [] } }, ...ids, unread_count: unread }
  const [key, ...args] = TOLD[kind]?.alert ?? []
  return { aps: { ...shown, alert: { 'loc-key': key, 'loc-args': args }, badge: unread }, ...ids }
}

function expectedData({ kind, eventId, roomId, unread }: Recorded, mode: Mode): object {
  if (mode === 'minimal') return { sync: '1' }
  const told = mode === 'full' ? TOLD[kind]?.data : {}
  return { event_id: eventId, room_id: roomId, ...told, prio: 'high', unread: String(unread) }
}

/** As much of the long text as fits, with a sign that there is more. */
function shortened(leastTimes: number): unknown {
  return expect.stringMatching(new RegExp(`^(${LONG_PART}){${leastTimes},}[${LONG_PART}]*…$`, 'u'))
}
