/** Where a push goes and for whom it is encrypted: from what the pusher registered to an endpoint that may be connected to. Pure. */
import { isIP } from 'node:net'
import type { JsonObject, JsonValue } from '../../core/json.ts'
import { jsonObjectOf } from '../shared/json-text.ts'
import { createHostMatch, isPublicAddress } from './addresses.ts'
import type { WebPushOptions } from './options.ts'

/** Base64url: the browser's public key, and its shared secret (RFC 8291 §2). */
export interface SubscriptionKeys {
  readonly p256dh: string
  readonly auth: string
}

export interface Target {
  readonly kind: 'target'
  readonly endpoint: URL
  /** Absent: a UnifiedPush endpoint without keys. */
  readonly keys?: SubscriptionKeys | undefined
  /** The operator allows this host an address in a private network. */
  readonly mayBePrivate: boolean
}

/** There is no way to this device, and there will not be one: its pushkey is rejected. */
export interface BadTarget {
  readonly kind: 'rejected'
  readonly reason: string
}

/** Longer ones are nobody's endpoint, and do not belong into the queue. */
const MAX_ENDPOINT_CHARACTERS = 2048
const MAX_KEY_CHARACTERS = 128
const P256DH_BYTES = 65
const AUTH_BYTES = 16

/**
 * Sygnal's form: pushkey = p256dh, `data.endpoint`, `data.auth` (docs/facts/peers.md#pusher-data). UnifiedPush's: pushkey = endpoint, and, where the app
 * knows its keys, `data.p256dh` and `data.auth`.
 */
export function targetOf(pushkey: string, data: JsonObject): string {
  const endpoint = text(data['endpoint'], MAX_ENDPOINT_CHARACTERS)
  const auth = text(data['auth'], MAX_KEY_CHARACTERS)
  const target =
    endpoint === undefined && /^https:\/\//i.test(pushkey)
      ? {
          endpoint: text(pushkey, MAX_ENDPOINT_CHARACTERS),
          p256dh: text(data['p256dh'], MAX_KEY_CHARACTERS),
          auth,
          unifiedPush: true,
        }
      : { endpoint, p256dh: text(pushkey, MAX_KEY_CHARACTERS), auth }
  return JSON.stringify(target)
}

/** Reads what `targetOf` wrote, by the rules of these options. */
export function createTargetReader(options: WebPushOptions): (target: string) => Target | BadTarget {
  const isAllowed = options.allowed_endpoints === undefined ? () => true : createHostMatch(options.allowed_endpoints)
  const mayBePrivate = createHostMatch(options.allow_private_endpoints ?? [])

  return (target) => {
    // What is left in the queue of an app that had another type before is no target of ours.
    const { endpoint, p256dh, auth, unifiedPush } = jsonObjectOf(target) ?? {}
    if (typeof endpoint !== 'string') return rejected('no_endpoint')
    if (!URL.canParse(endpoint)) return rejected('bad_endpoint')
    const url = new URL(endpoint)
    if (url.protocol !== 'https:' || url.username !== '' || url.password !== '') return rejected('bad_endpoint')
    if (!isAllowed(url.hostname)) return rejected('endpoint_not_allowed')
    // `URL` has brought every spelling of an IPv4 address (0x7f.1, 2130706433) to four numbers. A name is checked where it is resolved.
    const isPrivateAllowed = mayBePrivate(url.hostname)
    const address = addressIn(url.hostname)
    if (address !== undefined && !isPrivateAllowed && !isPublicAddress(address)) return rejected('endpoint_not_allowed')
    const found = { kind: 'target', endpoint: url, mayBePrivate: isPrivateAllowed } as const
    if (unifiedPush === true && p256dh === undefined && auth === undefined)
      return options.allow_unencrypted === true ? found : rejected('no_keys')
    if (typeof p256dh !== 'string' || typeof auth !== 'string') return rejected('no_keys')
    const keys = { p256dh: base64Url(p256dh), auth: base64Url(auth) }
    return areKeys(keys) ? { ...found, keys } : rejected('bad_keys')
  }
}

/** The address that a host of a `URL` is; undefined for a name. */
export function addressIn(host: string): string | undefined {
  const bare = host.replaceAll(/[[\]]/g, '')
  return isIP(bare) === 0 ? undefined : bare
}

/** Whether the point is one of the curve shows when it is used. */
function areKeys({ p256dh, auth }: SubscriptionKeys): boolean {
  return Buffer.byteLength(p256dh, 'base64url') === P256DH_BYTES && Buffer.byteLength(auth, 'base64url') === AUTH_BYTES
}

/** Either alphabet, padded or not: what apps register. Anything else becomes '', for Node would skip over it. */
function base64Url(value: string): string {
  return /^[\w+/-]+={0,2}$/.test(value) ? value.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '') : ''
}

function text(value: JsonValue | undefined, maxCharacters: number): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= maxCharacters ? value : undefined
}

function rejected(reason: string): BadTarget {
  return { kind: 'rejected', reason }
}
