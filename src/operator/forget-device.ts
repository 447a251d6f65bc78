/** Forgets a device: what waits for it or was given up, and what is remembered under hashes that can be made from its pushkey or were found there. */
import { randomUUID } from 'node:crypto'
import { findApp } from '../core/app-match.ts'
import type { Config } from '../config/config.ts'
import type { JsonObject } from '../core/json.ts'
import type { ProviderKind } from '../core/provider.ts'
import type { Keyring } from '../core/keyring.ts'
import type { Secret } from '../core/secret.ts'
import { Breaker } from '../memory/rejection-guard.ts'
import { Deduplication } from '../memory/deduplication.ts'
import { Rejections } from '../memory/dead-pushkeys.ts'
import { WakeUps } from '../memory/wake-ups.ts'
import { deviceHash, latestHash } from '../intake/accept.ts'
import { wakeHash } from '../intake/schedule.ts'
import type { Store } from '../store/contract.ts'

export interface ForgottenDevice {
  readonly appId: string
  readonly pushkey: Secret
  /** The pusher's data, which for Web Push is a part of the device's address. */
  readonly data: JsonObject
}

export interface ForgetPorts {
  readonly config: Config
  readonly kinds: Readonly<Record<string, ProviderKind>>
  readonly keyring: Keyring
  readonly store: Pick<Store, 'queue' | 'memory'>
}

/** What there was; undefined where no app is configured for it. */
export interface Forgotten {
  readonly death: boolean
  readonly latestBadge: boolean
  /** When its latest push leaves. */
  readonly departure: boolean
  readonly deliveries: number
  readonly deadLetters: number
  /** So many of its app could not be opened. */
  readonly unreadable: number
}

const KEYS_AT_ONCE = 50
const PRIORITIES = ['high', 'low'] as const

export async function forgetDevice(
  { appId, pushkey, data }: ForgottenDevice,
  { config, kinds, keyring, store: { queue, memory } }: ForgetPorts,
): Promise<Forgotten | undefined> {
  const app = findApp(config.apps, appId)
  const kind = app === undefined ? undefined : kinds[app.kind]
  if (app === undefined || kind === undefined) return undefined
  const target = kind.targetOf?.(pushkey.reveal(), data) ?? pushkey.reveal()
  const hash = (purpose: string, ...parts: readonly string[]): string => keyring.hash(purpose, ...parts)
  const device = deviceHash(appId, target, hash)
  const removed = await queue.forget(app.name, device)
  const deduplication = new Deduplication(memory)
  const rejections = new Rejections(memory, new Breaker(memory, Date.now, () => {}), keyring, Date.now)
  const wakeUps = new WakeUps(memory, randomUUID)
  const [death, latestBadge, ...departures] = await Promise.all([
    rejections.forget(device),
    deduplication.forgetLatest(
      latestHash({ appId, data }, target, { name: app.name, countsPer: kind.countsPer }, hash),
    ),
    ...PRIORITIES.map((prio) => wakeUps.forget(wakeHash(app.name, { appId, data }, target, prio, hash))),
  ])
  const { deliveries, deadLetters, unreadable } = removed
  const all = [...deliveries, ...deadLetters]
  for (let start = 0; start < all.length; start += KEYS_AT_ONCE)
    await Promise.all(all.slice(start, start + KEYS_AT_ONCE).map((delivery) => deduplication.forget(delivery)))
  return {
    death,
    latestBadge,
    departure: departures.includes(true),
    deliveries: deliveries.length,
    deadLetters: deadLetters.length,
    unreadable,
  }
}
