/**
 * An intruder's exercise: whoever carries off the store, the log and the metrics of a busy day, and has a list of rooms, people and devices, finds of
 * none that it was there. The same intruder with the key file finds them, so it is the key that keeps them apart.
 */
import { createHash, createHmac } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Keyring, parseKeyFile } from '../../src/core/keyring.ts'
import { providers } from '../../src/providers/index.ts'
import { openDeliveries } from '../../src/store/envelope.ts'
import { Clock, createBusyDay, type BusyDay, type PushedDevice } from './busy-day.ts'
import { startEveryPushService, type EveryPushService } from '../helpers/every-push-service.ts'
import { startGateway } from '../helpers/gateway.ts'
import { Intruder, nameOf, type SuspectedDevice, type Suspects } from './intruder.ts'
import { bytesOfSqlite, lootRedis, lootSqlite, withReports, type Loot } from './loot.ts'
import { startRedis } from '../helpers/redis.ts'
import { STORES, type StoreName } from '../helpers/stores.ts'

const clock = new Clock()
let services: EveryPushService
beforeAll(async () => {
  services = await startEveryPushService(clock.nowMs)
})
afterAll(() => services[Symbol.asyncDispose]())

interface Aftermath {
  readonly day: BusyDay
  readonly loot: Loot
  readonly keyring: Keyring
}

describe.each(STORES)('of a busy day on %s', (store) => {
  let aftermath: Aftermath
  let suspects: Suspects
  beforeAll(async () => {
    aftermath = await liveThrough(store)
    suspects = suspectsOf(aftermath.day)
  })

  it('much is left to look at', () => {
    const { day, loot } = aftermath
    const has = (pattern: RegExp) => loot.records.filter((record) => pattern.test(record)).length
    expect(day.sent.length).toBeGreaterThan(700)
    expect(has(/\bevent:[\w-]{43}/)).toBeGreaterThan(500)
    expect(has(/\bdead:[\w-]{43}/)).toBeGreaterThan(5)
    expect(has(/\bdead:[\w-]{43}.*[\w-]{43}/)).toBeGreaterThan(1)
    expect(has(/\bknown:[\w-]{43}/)).toBeGreaterThan(5)
    expect(has(/\blatest:[\w-]{43}/)).toBeGreaterThan(5)
    expect(has(/\breceipt:[\w-]{43}/)).toBeGreaterThan(100)
    expect(has(/BadMessageId|INVALID_ARGUMENT|80100003/)).toBeGreaterThan(2)
    expect(loot.sealed.length).toBeGreaterThan(30)
    expect(has(/"result":"retry"/)).toBeGreaterThan(1)
    expect(loot.bytes.length).toBeGreaterThan(500_000)
  })

  it('an intruder links no room, user, pushkey, event or message without the key file', () => {
    // All of them would take a minute.
    const suspicions = suspects.suspicions.filter((_, index) => index % 10 === 0)
    expect(new Intruder(aftermath.loot).links({ ...suspects, suspicions })).toEqual([])
  })

  it('equal names in two places lead from no event and no badge to a device', () => {
    expect(new Intruder(aftermath.loot).joinsOfDevices()).toEqual([])
  })

  it('equal names in two places lead from no receipt to anything else, and receipts are all of one length', () => {
    const { loot } = aftermath
    expect(new Intruder(loot).joinsOfReceipts()).toEqual([])
    const values = loot.records.flatMap((record) => /\breceipt:[\w-]{43} ([\w-]+)/.exec(record)?.[1] ?? [])
    expect(new Set(values.map((value) => value.length))).toEqual(new Set([171]))
    const [receipt, dead] = ['receipt', 'dead'].map((kind) =>
      loot.records.flatMap((record) => new RegExp(`\\b${kind}:[\\w-]{43}`).exec(record)?.[0] ?? []).at(0),
    )
    expect(new Intruder(withReports(loot, `${receipt} ${dead}`)).joinsOfReceipts()).toHaveLength(1)
  })

  it('no name under which a device is counted outlasts an hour', () => {
    const hours = new Intruder(aftermath.loot).hoursOfCountedDevices()
    // In SQLite's file there are none.
    expect(hours.length > 100).toBe(store === 'redis')
    expect(hours.filter((each) => each > 1)).toEqual([])
  })

  it('what is sealed has few lengths, whatever was written', () => {
    const { number, areInSteps } = new Intruder(aftermath.loot).lengths(1024)
    expect(areInSteps).toBe(true)
    expect(number).toBeLessThan(12)
  })

  it('an intruder with the key file finds who was there, and nobody else', () => {
    const { day, loot, keyring } = aftermath
    const found = new Set(new Intruder(loot, keyring).links(suspects).map(({ suspect }) => suspect))
    const all = day.sent.map(({ device, eventId }) => nameOf(device.pushkey, eventId))
    // What is pushed to a pushkey that is known to be dead is not kept.
    const alive = day.sent.filter(({ device }) => !device.isDying)
    expect(alive.filter(({ device, eventId }) => !found.has(nameOf(device.pushkey, eventId)))).toEqual([])
    const devices = day.people.flatMap((person) => person.devices)
    for (const { pushkey } of devices.filter((device) => device.isDying && isIn(day.sent, device)))
      expect(found).toContain(pushkey)
    const innocent = day.decoys.people.flatMap((person) => person.devices.map(({ pushkey }) => pushkey))
    const known = new Set([...all, ...devices.map(({ pushkey }) => pushkey)])
    expect([...found].filter((name) => !known.has(name) || innocent.includes(name))).toEqual([])
    const opened = loot.sealed.flatMap(({ app, bytes }) => openDeliveries(keyring, app, bytes))
    const pushed = new Set(devices.map((device) => suspectOf(device).target))
    expect(opened.filter(({ target }) => !pushed.has(target.reveal()))).toEqual([])
    expect(opened.length).toBeGreaterThan(30)
  })

  it.each([
    [
      'the hash of a room ID',
      ({ texts }: Suspects) =>
        createHash('sha256')
          .update(texts[0] ?? '')
          .digest('hex'),
    ],
    ['a pushkey in base64', ({ devices }: Suspects) => Buffer.from(devices[0]?.pushkey ?? '').toString('base64')],
    [
      'hashes of devices under a key that can be guessed',
      ({ devices }: Suspects) =>
        devices
          .slice(0, 1)
          .map(({ appId, target }) => {
            const parts = ['device', appId, target].map((part) => `${Buffer.byteLength(part)}:${part}`)
            return createHmac('sha256', 'hushgate').update(parts.join('')).digest('base64url')
          })
          .join(' '),
    ],
  ])('the intruder would find %s', (_, leakOf) => {
    const { loot } = aftermath
    const links = new Intruder(withReports(loot, '', leakOf(suspects))).links(few(suspects))
    expect(links.length).toBeGreaterThan(0)
  })

  it('the intruder would find shortened hashes in the log that need no key', () => {
    const lines = suspects.devices
      .slice(0, 3)
      .map(({ target }) => JSON.stringify({ device: createHash('sha256').update(target).digest('hex').slice(0, 8) }))
    const links = new Intruder(withReports(aftermath.loot, lines.join('\n'))).links(few(suspects))
    expect(new Set(links.map(({ suspect }) => suspect)).size).toBe(3)
  })

  it('the intruder would find a record in which an event and a device are', () => {
    const { loot } = aftermath
    const name = (kind: string) => loot.records.map((record) => new RegExp(`\\b${kind}:[\\w-]{43}`).exec(record)?.[0])
    const [event, dead] = ['event', 'dead'].map((kind) => name(kind).find((each) => each !== undefined))
    const links = new Intruder(withReports(loot, `${event} ${dead}`)).joinsOfDevices()
    expect(links).toHaveLength(1)
  })
})

async function liveThrough(store: StoreName): Promise<Aftermath> {
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-intruder-'))
  const redis = store === 'redis' ? await startRedis() : undefined
  const day = createBusyDay(services, clock, STORES.indexOf(store))
  const reports: (string | Buffer)[] = []
  try {
    const url = redis === undefined ? 'sqlite:./hushgate.db' : `redis://127.0.0.1:${redis.port}`
    const gateway = await startGateway({
      folder,
      store: `{ url: ${JSON.stringify(url)} }`,
      appsYaml: day.appsYaml,
      nowMs: clock.nowMs,
    })
    const look = async () => {
      reports.push(await gateway.metrics(), redis === undefined ? await bytesOfSqlite(folder) : '')
    }
    try {
      await day.run(gateway, look)
      await look()
    } finally {
      await gateway.close()
    }
    const stored = redis === undefined ? await lootSqlite(folder) : await lootRedis(redis)
    const keyring = parseKeyFile(await readFile(join(folder, 'keys'), 'utf8'))
    if (!(keyring instanceof Keyring)) throw new Error('the key file cannot be read')
    return { day, loot: withReports(stored, gateway.log(), ...reports), keyring }
  } finally {
    await redis?.stop()
    await rm(folder, { recursive: true })
  }
}

/** Those that were there, among as many that were not, and who was sent what, among as much that nobody was sent. */
function suspectsOf({ people, rooms, sent, texts, decoys }: BusyDay): Suspects {
  const devicesOf = (some: BusyDay['people']) => some.flatMap(({ devices }) => devices)
  const everyone = [...people, ...decoys.people]
  const invented = sent.map(({ device, roomId }, index) => ({
    device,
    roomId,
    eventId: decoys.eventIds[index % decoys.eventIds.length] ?? '',
  }))
  const exchanged = sent.map(({ eventId, roomId }, index) => ({
    device: devicesOf(decoys.people)[index % decoys.people.length] ?? devicesOf(people)[0],
    roomId,
    eventId,
  }))
  return {
    texts: [
      ...[...rooms, ...decoys.rooms].flatMap(({ roomId, name }) => [roomId, name]),
      ...everyone.flatMap(({ userId, displayName }) => [userId, displayName]),
      ...sent.map(({ eventId }) => eventId),
      ...decoys.eventIds,
      ...texts,
    ],
    devices: devicesOf(everyone).map(suspectOf),
    suspicions: [...sent, ...invented, ...exchanged].flatMap(({ device, roomId, eventId }) =>
      device === undefined ? [] : [{ device: suspectOf(device), roomId, eventId }],
    ),
  }
}

function few({ texts, devices }: Suspects): Suspects {
  return { texts: texts.slice(0, 50), devices: devices.slice(0, 50), suspicions: [] }
}

function suspectOf({ appName, appId, service, pushkey, pushkeyTs, data }: PushedDevice): SuspectedDevice {
  const json = JSON.stringify(data)
  const target = providers[service].targetOf?.(pushkey, JSON.parse(json)) ?? pushkey
  return { appName, appId, pushkey, pushkeyTs, data: json, target }
}

function isIn(sent: BusyDay['sent'], device: PushedDevice): boolean {
  return sent.some((each) => each.device === device)
}
