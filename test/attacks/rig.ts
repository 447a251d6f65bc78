/**
 * A gateway on either store with an app of a made-up push service, which a known device has got a push from two days ago, so that strangers are told from
 * known devices; and what a stranger can post to it.
 */
import { randomUUID } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Outcome } from '../../src/core/outcome.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import type { Answer } from '../helpers/homeserver.ts'
import { createSteeredProvider } from '../helpers/steered-provider.ts'
import { until } from '../helpers/received.ts'
import type { StoreName, TestStores } from '../helpers/stores.ts'

export const APP = 'com.example.app'
const TWO_DAYS_MS = 48 * 3600_000
/** Each a request of its own, as homeservers send them. */
export const KNOWN = ['known-1', 'known-2', 'known-3', 'known-4', 'known-5', 'known-6']

export interface AttackRig extends AsyncDisposable {
  readonly gateway: TestGateway
  /** What the push service says to each pushkey from now on; at first it takes every push. */
  answer: (pushkey: string) => Outcome
  /** Pushkeys that the push service was asked about, in this order. */
  readonly asked: readonly string[]
  /** An event of its own for all of these, posted once. */
  push(pushkeys: readonly string[], more?: object): Promise<Answer>
  /** … and repeated while it is answered 503, as by a machine that is busy. */
  pushUntilTaken(pushkeys: readonly string[]): Promise<Answer>
  /** What known devices are answered. */
  pushToKnown(): Promise<readonly number[]>
  /** Stops the gateway; resolves with the keys of all that is remembered and the number of dead letters. */
  left(): Promise<{ readonly memory: readonly string[]; readonly deadLetters: number }>
}

export async function startRig(stores: TestStores, store: StoreName, queue = ''): Promise<AttackRig> {
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-attack-'))
  const provider = createSteeredProvider()
  const asked: string[] = []
  const section = stores.section(store)
  const start = (ageMs: number): Promise<TestGateway> =>
    startGateway({
      folder,
      store: section,
      appsYaml: `apps: { ${APP}: { type: steered, label: some } }`,
      settings: `queue: { encryption_key_file: keys${queue === '' ? '' : `, ${queue}`} }`,
      kinds: provider.kinds,
      nowMs: () => Date.now() - ageMs,
    })
  let gateway = await start(TWO_DAYS_MS)
  const rig: AttackRig = {
    get gateway() {
      return gateway
    },
    answer: () => ({ kind: 'delivered' }),
    asked,
    push: (pushkeys, more = {}) => gateway.post(JSON.stringify({ notification: { ...eventFor(pushkeys), ...more } })),
    pushUntilTaken: (pushkeys) => gateway.notify(eventFor(pushkeys)),
    async pushToKnown() {
      const answers: number[] = []
      for (const pushkey of KNOWN) answers.push((await rig.push([pushkey])).status)
      return answers
    },
    async left() {
      await gateway.close()
      return store === 'sqlite' ? leftInFile(join(folder, 'hushgate.db')) : leftInRedis(stores, section)
    },
    async [Symbol.asyncDispose]() {
      await gateway.close()
      await rm(folder, { recursive: true })
    },
  }
  provider.answer = async (_label, pushkey) => {
    asked.push(pushkey)
    return rig.answer(pushkey)
  }
  await rig.pushToKnown()
  await until('the known devices got their first push', () => asked.length === KNOWN.length)
  await gateway.close()
  asked.length = 0
  gateway = await start(0)
  return rig
}

function eventFor(pushkeys: readonly string[]): object {
  return { event_id: `$${randomUUID()}`, devices: pushkeys.map((pushkey) => ({ app_id: APP, pushkey })) }
}

/** Devices that nobody has. */
export function strangers(count: number): readonly string[] {
  return Array.from({ length: count }, () => `stranger-${randomUUID()}`)
}

/** How often a line of the log says this. */
export function said(gateway: TestGateway, words: string): number {
  return gateway.log().split(words).length - 1
}

function leftInFile(path: string): { readonly memory: readonly string[]; readonly deadLetters: number } {
  using database = new DatabaseSync(path)
  const memory = database.prepare('select key from memory').all()
  return {
    memory: memory.map(({ key }) => String(key)),
    deadLetters: database.prepare('select seq from dead_letter').all().length,
  }
}

async function leftInRedis(
  { redis }: TestStores,
  section: string,
): Promise<{ readonly memory: readonly string[]; readonly deadLetters: number }> {
  const client = await redis.client()
  const [, prefix = ''] = /prefix: "([^"]+)"/.exec(section) ?? []
  const keys = await client.keys(`{${prefix}*`)
  const deaths = keys.find((key) => key.endsWith(':dead:deaths'))
  return {
    memory: keys.flatMap((key) => /:memory:(.*)$/.exec(key)?.[1] ?? []),
    deadLetters: deaths === undefined ? 0 : await client.zcard(deaths),
  }
}
