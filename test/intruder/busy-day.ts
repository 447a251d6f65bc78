/** A day of people, rooms and devices, made up from a seed and posted to a gateway as homeservers do: one request for each pusher. */
import { createECDH } from 'node:crypto'
import { parse } from 'yaml'
import type { EveryPushService, Service } from '../helpers/every-push-service.ts'
import { APPS, SERVICES } from '../helpers/every-push-service.ts'
import { metricValue, type TestGateway } from '../helpers/gateway.ts'
import { until } from '../helpers/received.ts'

export const MODES = ['minimal', 'event_id_only', 'full'] as const
const HOURS = 22
const HOUR_MS = 3600_000
const PEOPLE = 150
const GROUPS = 40
const DIRECT_CHATS = 50
const EVENTS_PER_HOUR = 11
const HOMESERVERS = ['matrix.example.org', 'chat.example.net', 'example.com']

/** Its credential is refused, so all that is pushed to it waits. */
const BLOCKED_APP = 'im.example.blocked'
function ofAll(script: string): Readonly<Record<Service, string>> {
  return { apns: script, fcm: script, hms: script, unifiedpush: script, webpush: script }
}

/** What each push service is told to answer, and how many in a hundred devices get it. */
const FATES: readonly { readonly percent: number; readonly scripts: Readonly<Record<Service, string>> }[] = [
  {
    percent: 8,
    scripts: {
      apns: 'xo1.rUnregistered',
      fcm: 'xo1.rUNREGISTERED',
      hms: 'xo1.r80300007',
      unifiedpush: 'xo1.s404',
      webpush: 'xo1.s410',
    },
  },
  {
    percent: 5,
    scripts: {
      apns: 'xs400.rBadMessageId',
      fcm: 'xs400.rINVALID_ARGUMENT',
      hms: 'xr80100003',
      unifiedpush: 'xs400',
      webpush: 'xs400',
    },
  },
  { percent: 5, scripts: ofAll('xs503.a1.n1') },
]

export interface PushedDevice {
  readonly appName: string
  readonly appId: string
  readonly service: Service
  readonly pushkey: string
  pushkeyTs: number
  readonly data: object
  readonly isDying: boolean
}

interface Person {
  readonly userId: string
  readonly displayName: string
  readonly devices: readonly PushedDevice[]
}

interface Room {
  readonly roomId: string
  readonly name: string
  readonly members: readonly Person[]
}

/** Who was sent what. */
export interface Sent {
  readonly device: PushedDevice
  readonly roomId: string
  readonly eventId: string
}

export interface BusyDay {
  readonly people: readonly Person[]
  readonly rooms: readonly Room[]
  readonly sent: readonly Sent[]
  readonly texts: readonly string[]
  /** People, rooms and events of the same make that had no part in it. */
  readonly decoys: { readonly people: readonly Person[]; readonly rooms: readonly Room[]; readonly eventIds: string[] }
  readonly appsYaml: string
  /** `onHalf` is called when half of the day is over. */
  run(gateway: TestGateway, onHalf: () => Promise<void>): Promise<void>
}

/** Runs ahead by an hour at a time. */
export class Clock {
  #offsetMs = 0
  readonly nowMs = (): number => Date.now() + this.#offsetMs

  /** A day ago. */
  restart(): void {
    this.#offsetMs = -HOURS * HOUR_MS
  }

  nextHour(): void {
    this.#offsetMs += HOUR_MS
  }
}

export function createBusyDay(services: EveryPushService, clock: Clock, seed: number): BusyDay {
  clock.restart()
  const random = createRandom(seed)
  const startSeconds = Math.floor(clock.nowMs() / 1000)
  const people = Array.from({ length: PEOPLE }, () => createPerson(random, services, startSeconds))
  const rooms = createRooms(random, people)
  const outsiders = Array.from({ length: PEOPLE }, () => createPerson(random, services, startSeconds))
  const sent: Sent[] = []
  const texts: string[] = []

  async function push(gateway: TestGateway, device: PushedDevice, notification: object): Promise<void> {
    const { appId, pushkey, pushkeyTs, data } = device
    const devices = [{ app_id: appId, pushkey, pushkey_ts: pushkeyTs, data, tweaks: { sound: 'default' } }]
    const { status } = await gateway.notify({ ...notification, devices })
    if (status !== 200) throw new Error(`the gateway answered ${status}`)
  }

  async function sayIn(gateway: TestGateway, room: Room): Promise<void> {
    const sender = random.one(room.members)
    const eventId = `$${random.id(43)}`
    const text = `${random.id(12)} ${'really '.repeat(random.below(60))}${random.id(12)}`
    texts.push(text)
    const isCall = random.below(20) === 0
    const notification = {
      event_id: eventId,
      room_id: room.roomId,
      type: isCall ? 'm.call.invite' : random.below(2) === 0 ? 'm.room.message' : 'm.room.encrypted',
      sender: sender.userId,
      sender_display_name: sender.displayName,
      room_name: room.name,
      content: { msgtype: 'm.text', body: text },
      prio: random.below(10) === 0 ? 'low' : 'high',
      counts: { unread: 1 + random.below(30), missed_calls: isCall ? 1 : 0 },
    }
    const told = room.members.filter((member) => member !== sender).flatMap(({ devices }) => devices)
    await Promise.all(told.map((device) => push(gateway, device, notification)))
    // A homeserver repeats itself now and then.
    if (random.below(10) === 0) await Promise.all(told.map((device) => push(gateway, device, notification)))
    sent.push(...told.map((device) => ({ device, roomId: room.roomId, eventId })))
  }

  return {
    people,
    rooms,
    sent,
    texts,
    decoys: {
      people: outsiders,
      rooms: createRooms(random, outsiders),
      eventIds: Array.from({ length: 300 }, () => `$${random.id(43)}`),
    },
    appsYaml: appsYaml(services),
    async run(gateway, onHalf) {
      for (let hour = 0; hour < HOURS; hour += 1) {
        // A few rooms are much busier than the rest.
        for (let count = 0; count < EVENTS_PER_HOUR; count += 1)
          await sayIn(gateway, rooms[Math.floor(rooms.length * random.share() ** 2)] ?? random.one(rooms))
        const reader = random.one(people)
        for (const device of reader.devices) await push(gateway, device, { counts: { unread: random.below(5) } })
        await settled(gateway)
        if (hour === HOURS / 2) {
          await onHalf()
          // Some of those that are dead by now come back.
          for (const device of people.flatMap(({ devices }) => devices))
            if (device.isDying && random.below(2) === 0) device.pushkeyTs = Math.floor(clock.nowMs() / 1000) + 5
        }
        clock.nextHour()
      }
    },
  }
}

/** Everything was sent, or given up, but for what waits on purpose. */
async function settled(gateway: TestGateway): Promise<void> {
  for (const app of appNames().filter((name) => name !== BLOCKED_APP))
    await until(`everything for ${app} is settled`, async () => {
      const metrics = await gateway.metrics()
      const count = (labels: Record<string, string>) => metricValue(metrics, ...depthOf(app, labels)) ?? 0
      return ['waiting', 'delayed', 'active'].every((state) => count({ state }) === 0)
    })
}

function depthOf(app: string, labels: Record<string, string>): [string, Record<string, string>] {
  return ['hushgate_queue_deliveries', { app, ...labels }]
}

function nameOf(service: Service, mode: (typeof MODES)[number]): string {
  // Those of one mode are configured for many app IDs at once.
  return `im.example.${service}.${mode}${mode === 'event_id_only' ? '.*' : ''}`
}

function appNames(): string[] {
  return [...SERVICES.flatMap((service) => MODES.map((mode) => nameOf(service, mode))), BLOCKED_APP]
}

function appsYaml(services: EveryPushService): string {
  const { apps } = parse(services.appsYaml)
  const sections = SERVICES.flatMap((service) =>
    MODES.map((privacy) => [nameOf(service, privacy), { ...apps[APPS[service]], privacy }]),
  )
  const blocked = { ...apps[APPS.apns], privacy: 'full' }
  return `apps: ${JSON.stringify({ ...Object.fromEntries(sections), [BLOCKED_APP]: blocked })}`
}

function createPerson(random: Random, services: EveryPushService, startSeconds: number): Person {
  const name = random.id(10).toLowerCase()
  const devices = Array.from({ length: 1 + random.below(2) }, () => createDevice(random, services, startSeconds))
  return { userId: `@${name}:${random.one(HOMESERVERS)}`, displayName: `Dr. ${random.id(9)}`, devices }
}

function createDevice(random: Random, services: EveryPushService, startSeconds: number): PushedDevice {
  const isBlocked = random.below(12) === 0
  const service = isBlocked ? 'apns' : random.one(SERVICES)
  const mode = random.one(MODES)
  const drawn = random.below(100)
  let sum = 0
  const fate = FATES.findIndex(({ percent }) => drawn < (sum += percent))
  const script = isBlocked ? 'xs403.rInvalidProviderToken' : (FATES[fate]?.scripts[service] ?? 'device')
  const { pushkey, data } = services.device(service, `${script}-${random.id(24)}`)
  const deviceKey = {
    v: 1,
    kid: random.id(22),
    p256dh: createECDH('prime256v1').generateKeys('base64url'),
    auth: Buffer.from(random.id(16)).toString('base64url'),
  }
  const appName = isBlocked ? BLOCKED_APP : nameOf(service, mode)
  return {
    appName,
    appId: appName.replace('*', 'beta'),
    service,
    pushkey,
    pushkeyTs: startSeconds - random.below(10_000_000),
    data: {
      ...data,
      brand: random.id(8),
      default_payload: { cs: random.id(16) },
      ...(random.below(6) === 0 ? { hushgate_key: deviceKey } : {}),
    },
    isDying: fate === 0 && !isBlocked,
  }
}

function createRooms(random: Random, people: readonly Person[]): Room[] {
  return Array.from({ length: GROUPS + DIRECT_CHATS }, (_, index) => {
    const size = index < GROUPS ? 3 + random.below(10) : 2
    const members = new Set<Person>()
    while (members.size < size) members.add(random.one(people))
    return {
      roomId: `!${random.id(18)}:${random.one(HOMESERVERS)}`,
      name: `Room ${random.id(9)}`,
      members: [...members],
    }
  })
}

interface Random {
  /** In [0, 1). */
  share(): number
  below(limit: number): number
  one<T>(list: readonly T[]): T
  /** Letters and digits. */
  id(length: number): string
}

/** Mulberry32: the same day in every run. */
function createRandom(seed: number): Random {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
  let state = seed
  const share = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (limit: number): number => Math.floor(share() * limit)
  return {
    share,
    below,
    one(list) {
      const found = list[below(list.length)]
      if (found === undefined) throw new RangeError('there is nothing to choose from')
      return found
    },
    id: (length) => Array.from({ length }, () => alphabet[below(alphabet.length)]).join(''),
  }
}
