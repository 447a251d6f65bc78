/**
 * Somebody who has carried off all that a gateway keeps and says, knows its source code, and has a list of people, rooms and devices that might have
 * been there. Looks for each in every way of writing and hashing it, and follows what is the same in two places. With the key file it finds them.
 */
import { createHash, createHmac } from 'node:crypto'
import type { Keyring } from '../../src/core/keyring.ts'
import { formsOf } from '../canary/canary.ts'
import type { Loot } from './loot.ts'
import { createSearch, type Needle } from '../canary/needles.ts'
import { unkeyedHashesOf } from '../canary/unkeyed-hashes.ts'

/** A device as a homeserver's database has it. */
export interface SuspectedDevice {
  readonly appName: string
  readonly appId: string
  readonly pushkey: string
  readonly pushkeyTs: number
  /** As JSON. */
  readonly data: string
  /** What it takes to reach it (a ProviderKind's `targetOf`). */
  readonly target: string
}

export interface Suspicion {
  readonly device: SuspectedDevice
  readonly roomId: string
  readonly eventId: string
}

export interface Suspects {
  /** IDs, names, messages: by themselves. */
  readonly texts: readonly string[]
  readonly devices: readonly SuspectedDevice[]
  /** That this device was sent this event. */
  readonly suspicions: readonly Suspicion[]
}

/** What was found, and of whom. */
export interface Link {
  readonly suspect: string
  readonly how: string
}

/** A keyed hash of the parts as the source makes it. */
type Hash = (purpose: string, ...parts: readonly string[]) => Buffer
interface Method {
  readonly name: string
  readonly hash: Hash
  readonly derive: Hash
}

/** Keys that a careless programmer, or a default, may have used. */
const GUESSES = ['', 'hushgate', '{hushgate}', 'hash', 'secret', 'im.example']
const ALGORITHMS = ['sha256', 'sha1', 'md5', 'sha512'] as const
/** That is how much of a hash has to be there, but for those in the log. */
const PREFIX_BYTES = 8
const LOGGED_BYTES = 4

export class Intruder {
  readonly #loot: Loot
  readonly #methods: readonly Method[]
  readonly #hasKey: boolean

  constructor(loot: Loot, keyring?: Keyring) {
    this.#loot = loot
    this.#hasKey = keyring !== undefined
    this.#methods = keyring === undefined ? GUESSED_METHODS : [methodOf(keyring)]
  }

  /** Everything by which one of the suspects can be told to have been there. */
  links(suspects: Suspects): Link[] {
    const needles = [
      ...suspects.texts.flatMap((text) => this.#traces(text, text)),
      ...suspects.devices.flatMap((device) => this.#deviceTraces(device)),
      ...suspects.suspicions.flatMap((suspicion) => this.#suspicionTraces(suspicion)),
    ]
    const found = createSearch(needles)(this.#loot.bytes).map(({ needle }) => ({
      suspect: needle.suspect,
      how: needle.name,
    }))
    return [...found, ...this.#linksByLoggedHash(suspects.devices)]
  }

  #traces(suspect: string, text: string): Trace[] {
    const forms = formsOf(text).map(({ name, needle, isCaseSensitive }) => ({ name, bytes: needle, isCaseSensitive }))
    const keyed = this.#methods.flatMap(({ name, hash }) => written(name, hash(text)))
    return [...(this.#hasKey ? [] : forms), ...keyed]
      .map((needle): Trace => ({ ...needle, suspect }))
      .concat(this.#unkeyed(suspect, [text]))
  }

  /** Whoever has the key need not try without. */
  #unkeyed(suspect: string, texts: readonly string[]): Trace[] {
    return this.#hasKey ? [] : texts.flatMap(unkeyedHashesOf).map((needle) => ({ ...needle, suspect }))
  }

  #deviceTraces({ appName, appId, pushkey, pushkeyTs, target, data }: SuspectedDevice): Trace[] {
    const own = methodKeyedBy('its pushkey as the key', pushkey)
    const composed = [...this.#methods, ...(this.#hasKey ? [] : [own])].flatMap(({ name, hash }) => {
      const device = hash('device', appId, target)
      return [
        ...written(`device, ${name}`, device),
        ...written(`registration, ${name}`, hash('registration', device.toString('base64url'), String(pushkeyTs))),
        ...receiptDays().flatMap((day) => written(`receipt, ${name}`, receiptName(hash('receipt', day), device))),
        ...['', data].flatMap((of) => written(`latest, ${name}`, hash('latest', appName, appId, target, of))),
      ]
    })
    const token = Buffer.from(pushkey, 'base64').toString('latin1')
    return [
      ...this.#traces(pushkey, pushkey),
      ...this.#traces(pushkey, token),
      ...this.#unkeyed(pushkey, [...['', ':', ' '].map((between) => appId + between + pushkey), target, data]),
      ...composed.map((needle) => ({ ...needle, suspect: pushkey })),
    ]
  }

  #suspicionTraces({ device: { appId, target, data, pushkey }, roomId, eventId }: Suspicion): Trace[] {
    const suspect = nameOf(pushkey, eventId)
    const composed = this.#methods.flatMap(({ name, hash, derive }) => {
      const event = hash('event', appId, target, data, eventId)
      const room = hash('room', appId, target, roomId)
      return [
        ...written(`event, ${name}`, event),
        ...written(`room, ${name}`, room),
        ...written(`collapse, ${name}`, hash('collapse', room.toString('base64url'))),
        // What a push takes the place of, as src/core/identities.ts cuts it.
        ...written(`push, ${name}`, derive('push', event.toString('base64url')).subarray(16, 40)),
      ]
    })
    const guesses = [
      `${pushkey}${eventId}`,
      `${appId}${pushkey}${eventId}`,
      `${pushkey}${roomId}`,
      `${roomId}${eventId}`,
    ]
    return [...composed.map((needle) => ({ ...needle, suspect })), ...this.#unkeyed(suspect, guesses)]
  }

  /** Four bytes match by chance now and then: a method is right when it explains two devices. */
  #linksByLoggedHash(devices: readonly SuspectedDevice[]): Link[] {
    const logged = new Set(this.#loggedHashes())
    const algorithms = UNKEYED.map(({ name, hash }): Method => ({
      name,
      hash: (_purpose, _appId, target = '') => hash(target),
      derive: (_purpose, _appId, target = '') => hash(target),
    }))
    return [...this.#methods, ...algorithms].flatMap(({ name, hash }) => {
      const links = devices
        .filter(({ appId, target }) => logged.has(hash('device', appId, target).toString('hex', 0, LOGGED_BYTES)))
        .map(({ pushkey }) => ({ suspect: pushkey, how: `in the log, ${name}` }))
      return links.length > 1 ? links : []
    })
  }

  #loggedHashes(): string[] {
    return this.#loot.records.flatMap((record) => /"device":"([0-9a-f]{8})"/.exec(record)?.[1] ?? [])
  }

  /**
   * Names that stand in one record, or are the same in two, belong together, over any number of steps. The groups in which a name of an event or a
   * badge, and a name of a device are.
   */
  joinsOfDevices(): string[][] {
    const groups = new Groups()
    for (const record of this.#loot.records) groups.join(namesIn(record))
    const logged = new Set(this.#loggedHashes().map((hash) => `short ${hash}`))
    const isOfEvent = (name: string) => name.startsWith('event:') || name.startsWith('latest:')
    const isOfDevice = (name: string) => /^(?:dead|known):/.test(name) || logged.has(name)
    return groups.all().filter((names) => names.some(isOfEvent) && names.some(isOfDevice))
  }

  /** The groups in which a receipt and a name of anything else are. */
  joinsOfReceipts(): string[][] {
    const groups = new Groups()
    for (const record of this.#loot.records) groups.join(namesIn(record))
    const isOther = (name: string) => /^(?:dead|known|event|latest):/.test(name)
    return groups.all().filter((names) => names.some((name) => name.startsWith('receipt:')) && names.some(isOther))
  }

  /** How many lengths there are among all that is sealed, and whether they are all in steps of so many bytes. */
  lengths(stepBytes: number): { readonly number: number; readonly areInSteps: boolean } {
    const lengths = [...new Set(this.#loot.sealed.map(({ bytes }) => bytes.length))]
    return {
      number: lengths.length,
      areInSteps: lengths.every((length) => (length - Math.min(...lengths)) % stepBytes === 0),
    }
  }

  /** Of each name under which a device was counted (Redis' append-only file has them in clear): in how many different hours it was. */
  hoursOfCountedDevices(): number[] {
    const text = this.#loot.bytes.toString('latin1')
    const commands = text.matchAll(/breaker:attempted:[^\r]+:(\d+)((?:\r\n\$43\r\n[\w-]{43})+)/g)
    const counted = [...commands].flatMap(([, minute, names = '']) =>
      [...names.matchAll(/[\w-]{43}/g)].map(([name]) => ({ name, hour: Math.floor(Number(minute) / 60) })),
    )
    const byName = Map.groupBy(counted, ({ name }) => name)
    return [...byName.values()].map((all) => new Set(all.map(({ hour }) => hour)).size)
  }
}

export function nameOf(pushkey: string, eventId: string): string {
  return `${pushkey} got ${eventId}`
}

interface Trace extends Needle {
  readonly suspect: string
}

/** The busy day ends now, and began on the day before. */
function receiptDays(): readonly string[] {
  const today = Math.floor(Date.now() / (24 * 3600_000))
  return [today, today - 1].map(String)
}

/** As src/core/identities.ts makes it. */
function receiptName(ofDay: Buffer, device: Buffer): Buffer {
  return createHash('sha256')
    .update(ofDay.toString('base64url') + device.toString('base64url'))
    .digest()
}

function written(name: string, digest: Buffer): Needle[] {
  const characters = Math.floor((PREFIX_BYTES * 8) / 6)
  return [
    { name: `${name}, hex`, bytes: digest.toString('hex', 0, PREFIX_BYTES) },
    { name: `${name}, base64`, bytes: digest.toString('base64').slice(0, characters), isCaseSensitive: true },
    { name: `${name}, base64url`, bytes: digest.toString('base64url').slice(0, characters), isCaseSensitive: true },
    { name: `${name}, raw`, bytes: digest.toString('latin1', 0, PREFIX_BYTES), isCaseSensitive: true },
  ]
}

/** As src/core/keyring.ts: each part with its length before it. */
function encoded(parts: readonly string[]): string {
  return parts.map((part) => `${Buffer.byteLength(part)}:${part}`).join('')
}

function keyedBy(key: string | Buffer, algorithm: string): Hash {
  return (...parts) => createHmac(algorithm, key).update(encoded(parts)).digest()
}

function methodOf(keyring: Keyring): Method {
  return {
    name: 'the key file',
    hash: (purpose, ...parts) => Buffer.from(keyring.hash(purpose, ...parts), 'base64url'),
    derive: (purpose, ...parts) => keyring.derive(purpose, ...parts),
  }
}

function methodKeyedBy(name: string, key: string | Buffer): Method {
  return { name, hash: keyedBy(key, 'sha256'), derive: keyedBy(key, 'sha512') }
}

const UNKEYED: readonly Method[] = ALGORITHMS.map((algorithm) => ({
  name: algorithm,
  hash: (...parts) => createHash(algorithm).update(parts.join('')).digest(),
  derive: (...parts) => createHash('sha512').update(parts.join('')).digest(),
}))

const GUESSED_METHODS: readonly Method[] = [
  ...ALGORITHMS.map((algorithm): Method => ({
    name: `${algorithm} without a key`,
    hash: (...parts) => createHash(algorithm).update(encoded(parts)).digest(),
    derive: (...parts) => createHash('sha512').update(encoded(parts)).digest(),
  })),
  ...GUESSES.map((guess) => methodKeyedBy(`key "${guess}"`, guess)),
  methodKeyedBy('key of zeros', Buffer.alloc(32)),
]

/** Everything in a record that names one thing and nothing else. */
function namesIn(record: string): string[] {
  const short = (hash: string) => `short ${Buffer.from(hash, 'base64url').toString('hex', 0, LOGGED_BYTES)}`
  const hashes = [...record.matchAll(/(?:\b(event|latest|dead|known|receipt):)?(?<![\w-])([\w-]{43})(?![\w-])/g)]
  return [
    ...hashes.flatMap(([, kind, hash = '']) => [hash, short(hash), ...(kind === undefined ? [] : [`${kind}:${hash}`])]),
    ...[...record.matchAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g)].map(([uuid]) => uuid),
    ...[...record.matchAll(/"device":"([0-9a-f]{8})"/g)].map(([, logged]) => `short ${logged}`),
  ]
}

/** Which names belong together. */
class Groups {
  readonly #parents = new Map<string, string>()

  join(names: readonly string[]): void {
    const [first, ...rest] = names
    if (first === undefined) return
    for (const name of rest) this.#parents.set(this.#root(name), this.#root(first))
  }

  all(): string[][] {
    return [...Map.groupBy(this.#parents.keys(), (name) => this.#root(name)).values()]
  }

  #root(name: string): string {
    let root = name
    for (let parent = this.#parents.get(root); parent !== root; parent = this.#parents.get(root)) {
      if (parent === undefined) {
        this.#parents.set(root, root)
        break
      }
      root = parent
    }
    return root
  }
}
