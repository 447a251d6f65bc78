/** What people do on a real Synapse, and what Apple and Google get to know of it through the gateway. */
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { isJsonObject } from '../../src/core/json.ts'
import { newPushkey, type ReceivedPush } from '../helpers/push-services.ts'
import type { MatrixUser } from './matrix-user.ts'
import { startRig, type Rig } from './rig.ts'
import type { Exchange } from './recorder.ts'

/** Longer than Synapse's first tries (after 1, 2, 4 and 8 s: docs/facts/homeservers.md#retries-of-synapse) take together. */
const PATIENCE = { timeout: 30_000, interval: 50 }

/** As Element sets them; `pusher_notification_client_identifier` is a hash of the user's ID. */
const IOS_PAYLOAD = {
  aps: { 'mutable-content': 1, alert: { 'loc-key': 'SINGLE_UNREAD', 'loc-args': [] } },
  pusher_notification_client_identifier: 'a-hash-of-the-user',
}
const ANDROID_PAYLOAD = { cs: 'a-random-secret' }

interface Phone {
  readonly pushkey: string
  /** What the push services' simulators call it. */
  readonly token: string
}

interface Phones {
  /** Its push service may know room and event IDs. */
  readonly open: Phone
  /** These may know nothing, although the homeserver tells the gateway everything. */
  readonly hush: Phone
  readonly android: Phone
}

let rig: Rig

beforeAll(async () => {
  rig = await startRig()
  await rig.startGateway()
})
afterAll(() => rig.close())
afterEach(({ task }) => {
  if (task.result?.state === 'fail') process.stderr.write(rig.logs())
})

describe('what push services are told', () => {
  it('of a message is its room and event ID, and for an app in minimal mode nothing', async () => {
    const { alice, roomId, phones } = await conversation()
    const eventId = await alice.say(roomId, 'the meeting is at nine')
    await expectEvent(phones, roomId, eventId)
  })

  it('of an invitation is the same', async () => {
    const [alice, bob] = await people()
    const phones = await givePhones(bob)
    const roomId = await alice.createRoom([], { name: 'a room with a view' })
    const eventId = await alice.invite(roomId, bob)
    await expectEvent(phones, roomId, eventId)
  })

  it('of a call is the same, so that in minimal mode nobody can tell it from a message', async () => {
    const { alice, roomId, phones } = await conversation()
    const eventId = await alice.call(roomId)
    await expectEvent(phones, roomId, eventId)
  })

  it('when the user has read everything is the badge for Apple, and nothing for Google', async () => {
    const { alice, bob, roomId, phones } = await conversation()
    const eventId = await alice.say(roomId, 'the meeting is at ten')
    await allArrived(phones, 1)
    await bob.read(roomId, eventId)
    for (const phone of [phones.open, phones.hush]) {
      const [, badge] = await arrived(phone, 2)
      expect(badge?.body).toEqual({ aps: { badge: 0 } })
    }
    await vi.waitFor(() => expect(exchangesAbout(phones.android)).toHaveLength(2), PATIENCE)
    // Had anything come of the receipt, it would be there before the next message is.
    await alice.say(roomId, 'the meeting is at eleven')
    const wakeUp = androidWakeUp(phones.android)
    expect((await arrived(phones.android, 2)).map(({ body }) => body)).toEqual([wakeUp, wakeUp])
  })
})

describe('a pushkey that the push service calls dead', () => {
  it('loses its pusher, and only that one', async () => {
    const { alice, bob, roomId } = await conversation()
    const dead = await givePhone(bob, 'com.example.ios', newPushkey('rUnregistered'))
    const others = (await bob.pushkeys()).filter((pushkey) => pushkey !== dead.pushkey)
    expect(others).toHaveLength(3)
    const attempts = (): number => rig.services.of(dead.token).length
    const isGone = async (): Promise<boolean> => !(await bob.pushkeys()).includes(dead.pushkey)
    // So young a pusher may have been set after the verdict: it is tried once more before the homeserver is told.
    for (let messages = 0; messages < 5 && !(await isGone()); messages += 1) {
      const before = attempts()
      await alice.say(roomId, 'is anybody there?')
      await vi.waitFor(async () => expect(attempts() > before || (await isGone())).toBe(true), PATIENCE)
    }
    expect(await bob.pushkeys()).toEqual(others)
    expect(exchangesAbout(dead).at(-1)?.answer).toBe(JSON.stringify({ rejected: [dead.pushkey] }))
    expect(attempts()).toBe(exchangesAbout(dead).length - 1)
  })
})

describe('a gateway that goes away', () => {
  it('delivers everything exactly once when it is stopped and started again', async () => {
    const { alice, roomId, phones } = await conversation()
    const eventIds = [await alice.say(roomId, 'everything is fine')]
    await allArrived(phones, 1)
    await rig.endGateway('SIGTERM')
    for (const number of [1, 2, 3, 4, 5]) eventIds.push(await alice.say(roomId, `nobody is listening, ${number}`))
    await rig.startGateway()
    await allArrived(phones, 6)
    // Synapse keeps the order: had anything come twice, it would be there before this one is.
    eventIds.push(await alice.say(roomId, 'everything is fine again'))
    await allArrived(phones, 7)
    const delivered = rig.services.of(phones.open.token).map(eventIdOf)
    expect(delivered).toHaveLength(eventIds.length)
    expect(new Set(delivered)).toEqual(new Set(eventIds))
    for (const { token } of [phones.hush, phones.android]) expect(rig.services.of(token)).toHaveLength(7)
  })

  it.each([
    ['waits for its next attempt', 's503.a2.n1', '"next":"requeue"'],
    ['is on its way', 'hang.n1', ''],
  ])('delivers what it had accepted when it is killed while it %s', async (_, script, logged) => {
    const [alice, bob] = await people()
    const roomId = await alice.createRoom([bob])
    await bob.join(roomId)
    const phone = await givePhone(bob, 'com.example.ios', newPushkey(script))
    const eventId = await alice.say(roomId, 'this one is in danger')
    const [attempt] = await arrived(phone, 1)
    await vi.waitFor(() => expect(exchangesAbout(phone)).toHaveLength(1), PATIENCE)
    await vi.waitFor(() => expect(rig.gatewayLog()).toContain(logged), PATIENCE)
    await rig.endGateway('SIGKILL')
    await rig.startGateway()
    const [, delivered] = await arrived(phone, 2)
    expect(delivered).toMatchObject({ status: 200, body: { event_id: eventId } })
    // Apple, and the phone, can tell that it is the same push.
    expect(delivered?.headers['apns-id']).toBe(attempt?.headers['apns-id'])
    // Synapse had been told that all is well, and has not asked again.
    expect(exchangesAbout(phone)).toMatchObject([{ status: 200, answer: '{"rejected":[]}' }])
  })
})

it('has left no user, room, event, text or pushkey in the log and the store of the gateway', async () => {
  const written = await rig.writtenByGateway()
  expect(written).toContain('Hushgate is running')
  expect(secretsIn(rig.recorder.exchanges).filter((secret) => written.includes(secret))).toEqual([])
})

function people(): Promise<[MatrixUser, MatrixUser]> {
  return Promise.all([rig.synapse.register('alice'), rig.synapse.register('bob')])
}

/** Two people in a room, one of whom has three phones. */
async function conversation() {
  const [alice, bob] = await people()
  const roomId = await alice.createRoom([bob], { is_direct: true })
  await bob.join(roomId)
  return { alice, bob, roomId, phones: await givePhones(bob) }
}

async function givePhones(user: MatrixUser): Promise<Phones> {
  return {
    open: await givePhone(user, 'com.example.ios', newPushkey()),
    hush: await givePhone(user, 'com.example.ios.hush', newPushkey()),
    android: await givePhone(user, 'com.example.android', newPushkey()),
  }
}

async function givePhone(user: MatrixUser, appId: string, keys: ReturnType<typeof newPushkey>): Promise<Phone> {
  const isAndroid = appId === 'com.example.android'
  const pushkey = isAndroid ? keys.fcm : keys.apns
  const format = appId === 'com.example.ios' ? { format: 'event_id_only' } : {}
  const data = { url: rig.recorder.notifyUrl, default_payload: isAndroid ? ANDROID_PAYLOAD : IOS_PAYLOAD, ...format }
  await user.setPusher({ app_id: appId, pushkey, data })
  return { pushkey, token: keys.token }
}

/** Resolves with what came for a phone, once that is so many. */
function arrived({ token }: Phone, count: number): Promise<readonly ReceivedPush[]> {
  return rig.services.waitFor(token, count)
}

async function allArrived(phones: Phones, count: number): Promise<void> {
  await Promise.all(Object.values(phones).map((phone) => arrived(phone, count)))
}

function exchangesAbout({ pushkey }: Phone): readonly Exchange[] {
  return rig.recorder.exchanges.filter((exchange) => exchange.pushkey === pushkey)
}

async function expectEvent({ open, hush, android }: Phones, roomId: string, eventId: string): Promise<void> {
  const [toOpen] = await arrived(open, 1)
  const apple = { service: 'apns', headers: appleHeaders, status: 200, atMs: expect.any(Number) }
  const idsAndCount = { room_id: roomId, event_id: eventId, unread_count: 1 }
  expect(toOpen).toEqual({ ...apple, token: open.token, body: { ...IOS_PAYLOAD, ...idsAndCount } })
  const [toHush] = await arrived(hush, 1)
  const aps = { alert: { 'loc-key': 'SINGLE_UNREAD' }, 'mutable-content': 1, sound: 'default', badge: 1 }
  expect(toHush).toEqual({ ...apple, token: hush.token, body: { aps } })
  const [toAndroid] = await arrived(android, 1)
  expect(toAndroid?.body).toEqual(androidWakeUp(android))
  // All of which the homeserver had told the gateway.
  for (const phone of [hush, android])
    await vi.waitFor(() => expect(secretsIn(exchangesAbout(phone))).toContain(eventId), PATIENCE)
  const seen = JSON.stringify([toHush?.headers, toHush?.body, toAndroid?.body]).replace(android.pushkey, '')
  expect(secretsIn(rig.recorder.exchanges).filter((secret) => seen.includes(secret))).toEqual([])
}

const appleHeaders: unknown = {
  'apns-topic': 'com.example.app',
  'apns-push-type': 'alert',
  'apns-priority': '10',
  'apns-expiration': expect.stringMatching(/^\d{10}$/),
  'apns-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
  'apns-collapse-id': expect.stringMatching(/^[\w-]{32}$/),
}

function androidWakeUp({ token }: Phone): object {
  return { token, android: { priority: 'high' }, data: { ...ANDROID_PAYLOAD, sync: '1' } }
}

function eventIdOf({ body }: ReceivedPush): unknown {
  return isJsonObject(body) ? body['event_id'] : undefined
}

/** All by which a user, a room, an event or a device could be recognised. */
function secretsIn(exchanges: readonly Exchange[]): readonly string[] {
  const secrets = exchanges.flatMap(({ pushkey, notification }) => {
    const { event_id: eventId, room_id: roomId, room_name: roomName, sender, content } = notification
    return [pushkey, eventId, roomId, roomName, sender, isJsonObject(content) ? content['body'] : undefined]
  })
  const known = secrets.filter((secret) => typeof secret === 'string').filter((secret) => secret !== '')
  return [...new Set([...known, IOS_PAYLOAD.pusher_notification_client_identifier])]
}
