/** Forgets a device: what is remembered under hashes that can be made from its pushkey. */
import { compileApps } from './config/app-match.ts'
import type { Config } from './config/config.ts'
import type { JsonObject } from './core/json.ts'
import type { ProviderKind } from './core/provider.ts'
import type { Keyring } from './core/seal.ts'
import type { Secret } from './core/secret.ts'
import { Breaker } from './feedback/breaker.ts'
import { Deduplication } from './feedback/deduplication.ts'
import { Rejections } from './feedback/rejections.ts'
import { deviceHash, latestHash } from './http/accept.ts'
import type { Memory } from './queue/delivery-queue.ts'

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
  readonly memory: Memory
}

/** What there was; undefined where no app is configured for it. */
export interface Forgotten {
  readonly death: boolean
  readonly latestBadge: boolean
}

export async function forgetDevice(
  { appId, pushkey, data }: ForgottenDevice,
  { config, kinds, keyring, memory }: ForgetPorts,
): Promise<Forgotten | undefined> {
  const name = compileApps(config.apps.map((app) => app.name))(appId)
  const app = config.apps.find((each) => each.name === name)
  const kind = app === undefined ? undefined : kinds[app.kind]
  if (app === undefined || kind === undefined) return undefined
  const target = kind.targetOf?.(pushkey.reveal(), data) ?? pushkey.reveal()
  const hash = (purpose: string, ...parts: readonly string[]): string => keyring.hash(purpose, ...parts)
  const rejections = new Rejections(memory, new Breaker(memory, Date.now, () => {}), keyring, Date.now)
  const [death, latestBadge] = await Promise.all([
    rejections.forget(deviceHash(appId, target, hash)),
    new Deduplication(memory).forgetLatest(
      latestHash({ appId, data }, target, { name: app.name, countsPer: kind.countsPer }, hash),
    ),
  ])
  return { death, latestBadge }
}
