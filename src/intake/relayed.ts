/** The way in of what is relayed: from an endpoint and a Web Push message for it to a stored delivery. It goes on like any other push of its route. */
import { randomUUID } from 'node:crypto'
import type { Config } from '../config/config.ts'
import type { OpenRoute, Routes } from '../config/routes.ts'
import { StoreUnavailableError } from '../core/errors.ts'
import type { Delivery } from '../core/delivery.ts'
import type { Identities } from '../core/identities.ts'
import type { Keyring } from '../core/keyring.ts'
import type { Relay, RelayedMessage } from '../core/relay.ts'
import {
  isEndpointShaped,
  MAX_ENDPOINT_AGE_SECONDS,
  RelayEndpoints,
  type Registration,
  type Subscription,
} from '../core/relay-endpoint.ts'
import { isSameText } from '../core/same-text.ts'
import { Secret } from '../core/secret.ts'
import { withTimeLimit } from '../core/time-limit.ts'
import type { KnownDevices } from '../memory/known-devices.ts'
import { RevokedEndpoints, type Revoked } from '../memory/revoked-endpoints.ts'
import type { Store } from '../store/contract.ts'
import { releaseOf } from './schedule.ts'
import { preparedOf, type Marks, type Prepared } from './prepared.ts'
import { ACCEPT_TIMEOUT_MS, type Storing } from './storing.ts'

export interface RelayedIntakeParts {
  readonly store: Pick<Store, 'health' | 'memory'>
  readonly storing: Storing
  readonly known: KnownDevices
  readonly identities: Identities
  readonly keyring: Keyring
  /** As it is configured now. */
  readonly configured: () => {
    readonly routes: Routes
    readonly settings: { readonly queue: Pick<Config['queue'], 'maxAgeMs' | 'highWater'> }
  }
  readonly nowMs: () => number
}

/** Whom an endpoint leads to. */
export interface RelayedDevice {
  readonly route: OpenRoute
  readonly relay: Relay
  readonly appId: string
  readonly endpoint: string
  readonly registration: Registration
}

/** A message of RFC 8030 with what its headers say. */
export interface WebPush extends Pick<RelayedMessage, 'record' | 'urgency'> {
  readonly ttlSeconds: number
  readonly topic: string | undefined
}

/** `location`: by which its sender may name the message. */
export type Relayed = 'gone' | { readonly location: string; readonly ttlSeconds: number }

/** For what is to be tried once, now: the time for an attempt, and no more. */
const LEAST_LIFETIME_MS = 15_000

export class RelayedIntake {
  readonly #parts: RelayedIntakeParts
  readonly #endpoints: RelayEndpoints
  readonly #revoked: RevokedEndpoints

  constructor(parts: RelayedIntakeParts) {
    const { store, known, identities, keyring, nowMs } = parts
    this.#parts = parts
    this.#endpoints = new RelayEndpoints(keyring)
    this.#revoked = new RevokedEndpoints({ memory: store.memory, known, identities, nowMs })
  }

  /** The endpoint's URL. Undefined where no such app relays, `impossible` where there can be no such pushkey. */
  trade(appId: string, subscription: Subscription): { readonly url: string } | 'impossible' | undefined {
    const found = this.#routeOf(appId)
    if (found === undefined) return undefined
    const { route, relay } = found
    if (route.checkTarget(new Secret(targetOf(route, subscription))) !== 'possible') return 'impossible'
    const issuedAt = Math.floor(this.#parts.nowMs() / 1000)
    const endpoint = this.#endpoints.seal(appId, { ...subscription, issuedAt })
    return { url: `${relay.origin}${pathOf(appId, endpoint)}` }
  }

  /**
   * Undefined for what is no endpoint of the app. `not served` where it may be one that works again when the operator has put his settings right: of an app that
   * does not relay now, or sealed with another key file. A homeserver must not give it up.
   */
  find(appId: string, endpoint: string): RelayedDevice | 'not served' | undefined {
    const found = this.#routeOf(appId)
    if (found === undefined) return isEndpointShaped(endpoint) ? 'not served' : undefined
    const registration = this.#endpoints.open(appId, endpoint)
    if (registration === 'foreign') return 'not served'
    return registration && { ...found, appId, endpoint, registration }
  }

  /** Resolves when it is durable, or known to be; rejects with StoreUnavailableError within a second. */
  async accept(device: RelayedDevice, push: WebPush, marks?: Pick<Marks, 'trace'>): Promise<Relayed> {
    const { store, storing, configured } = this.#parts
    if (this.#isOver(device)) return 'gone'
    if (!store.health().writable) throw new StoreUnavailableError('the store is not writable')
    const { maxAgeMs, highWater } = configured().settings.queue
    const ttlSeconds = Math.min(push.ttlSeconds, Math.floor(maxAgeMs / 1000))
    const { location, prepared } = this.#prepare(device, { ...push, ttlSeconds })
    const [result] = await withTimeLimit(
      ACCEPT_TIMEOUT_MS,
      storing.store([prepared], highWater, marks),
      () => new StoreUnavailableError('the store does not answer'),
    )
    return result === 'rejected' ? 'gone' : { location, ttlSeconds }
  }

  /**
   * From now on, what is sent there, or to what the device traded for the same sender before, is refused. Who has only the endpoint, as a homeserver has, may not:
   * `pushkey` is what the app says that it traded. Rejects with StoreUnavailableError.
   */
  async revoke(device: RelayedDevice, pushkey: Secret): Promise<Revoked | 'forbidden'> {
    const { route, registration } = device
    if (!isSameText(pushkey.reveal(), registration.pushkey.reveal())) return 'forbidden'
    return this.#revoked.revoke({ route: route.name, deviceHash: this.#hashOf(device) }, registration)
  }

  #isOver({ registration }: RelayedDevice): boolean {
    return this.#parts.nowMs() / 1000 >= registration.issuedAt + MAX_ENDPOINT_AGE_SECONDS
  }

  #routeOf(appId: string): Pick<RelayedDevice, 'route' | 'relay'> | undefined {
    for (const route of this.#parts.configured().routes.ofApp(appId))
      if (route.relay !== undefined) return { route, relay: route.relay }
    return undefined
  }

  #hashOf({ route, appId, registration }: RelayedDevice): string {
    return this.#parts.identities.device({ appId, target: targetOf(route, registration) })
  }

  #prepare(
    device: RelayedDevice,
    { record, urgency, ttlSeconds, topic }: WebPush,
  ): { readonly location: string; readonly prepared: Prepared } {
    const { identities, nowMs } = this.#parts
    const { route, relay, appId, endpoint, registration } = device
    const { kid, issuedAt } = registration
    const target = targetOf(route, registration)
    const recipient = { route: route.name, appId, target }
    const deviceHash = this.#hashOf(device)
    const acceptedAtMs = nowMs()
    const { releaseEveryMs } = route.timing
    const release =
      releaseEveryMs === undefined ? undefined : releaseOf(deviceHash, acceptedAtMs, releaseEveryMs, identities)
    const readyAtMs = release?.atMs ?? acceptedAtMs
    const deduplicationKey = identities.relayed(recipient, record)
    const latestKey = topic === undefined ? undefined : identities.relayedTopic(recipient, endpoint, topic)
    const { id } = identities.push(deduplicationKey)
    const message = relay.render(
      { record, kid, urgency },
      {
        id,
        collapseId: latestKey === undefined ? undefined : identities.collapse(latestKey),
        expiresAtMs: ttlSeconds === 0 ? undefined : (release?.tickMs ?? acceptedAtMs) + ttlSeconds * 1000,
      },
    )
    const delivery: Delivery = {
      id: randomUUID(),
      route: route.name,
      priority: 'event',
      target: new Secret(target),
      // A device that died is believed to live again when its app has traded again since.
      pushkeyTs: issuedAt,
      message,
      deviceHash,
      deduplicationKey,
      latestKey,
      acceptedAtMs,
      dueAtMs: release?.atMs,
      expiresAtMs: readyAtMs + Math.max(ttlSeconds * 1000, LEAST_LIFETIME_MS),
    }
    const rendered = { kind: 'message', message, truncated: false } as const
    const owner = { route: route.name, deviceHash }
    const refusedBy = {
      key: this.#revoked.keyOf(owner, registration),
      isRefused: () => this.#revoked.isRevoked(owner, registration),
    }
    const location = identities.relayedLocation(deduplicationKey)
    return { location, prepared: preparedOf({ route, delivery, rendered, refusedBy }) }
  }
}

function targetOf(route: OpenRoute, { pushkey }: Pick<Registration, 'pushkey'>): string {
  return route.targetOf(pushkey.reveal(), {})
}

/** Where the endpoints of an app are. */
export const RELAY_PATH = '/_hushgate/webpush/'

function pathOf(appId: string, endpoint: string): string {
  return `${RELAY_PATH}${encodeURIComponent(appId)}/${endpoint}`
}
