/** Where a push goes and for whom it is encrypted: from what the pusher registered to an endpoint that may be connected to. Pure. */
import { forgetOldest } from '../../../core/forget-oldest.ts'
import { jsonObjectOf, type JsonObject, type JsonValue } from '../../../core/json.ts'
import type { TargetVerdict } from '../../../core/provider.ts'
import type { Secret } from '../../../core/secret.ts'
import { addressIn, createHostMatch, isNameOfOwner, isPublicAddress } from './addresses.ts'
import { PRIVATE_ADDRESS } from './answers.ts'
import { KNOWN_SERVICES } from './known-services.ts'
import { isPoint } from './point.ts'

/** Base64url: the browser's public key, and its shared secret (RFC 8291 §2). */
export interface SubscriptionKeys {
  readonly p256dh: string
  readonly auth: string
}

/** Which endpoints an app may be sent to, in the words of its section. */
export interface EndpointRules {
  readonly allowed_endpoints?: readonly string[] | undefined
  readonly allow_private_endpoints?: readonly string[] | undefined
  readonly allow_unencrypted?: boolean | undefined
}

export interface Target {
  readonly kind: 'target'
  readonly endpoint: URL
  /** Absent: a UnifiedPush endpoint without keys. */
  readonly keys?: SubscriptionKeys | undefined
  /** The operator allows this host an address in a private network. */
  readonly mayBePrivate: boolean
  /** The operator has named the host, or it is a known push service's. Else a stranger has chosen it. */
  readonly isNamed: boolean
}

/** `rejected`: there is no way to this device, and there will not be one. `dropped`: only our configuration is against it, which may change. */
export interface BadTarget {
  readonly kind: 'rejected' | 'dropped'
  readonly reason: string
}

/** Longer ones are nobody's endpoint, and do not belong into the queue. */
const MAX_ENDPOINT_CHARACTERS = 2048
const MAX_KEY_CHARACTERS = 128
const AUTH_BYTES = 16
/** More are forgotten, the oldest first: strangers name them. */
const MAX_JUDGED_HOSTS = 200

/** What a sender is told of a pusher, as one text. */
export function targetText(
  endpoint: JsonValue | undefined,
  p256dh: JsonValue | undefined,
  auth: JsonValue | undefined,
  form: { readonly unifiedPush?: true; readonly declarative?: boolean } = {},
): string {
  return JSON.stringify({
    endpoint: text(endpoint, MAX_ENDPOINT_CHARACTERS),
    p256dh: text(p256dh, MAX_KEY_CHARACTERS),
    auth: text(auth, MAX_KEY_CHARACTERS),
    ...form,
  })
}

/** UnifiedPush's form: pushkey = endpoint, and, where the app knows its keys, `data.p256dh` and `data.auth`. */
export function unifiedPushTarget(pushkey: string, data: JsonObject): string {
  return targetText(pushkey, data['p256dh'], data['auth'], { unifiedPush: true })
}

/** Rules that allow everything: what even these reject is no target of any app. */
const readLeniently = createTargetReader({
  allowed_endpoints: ['*'],
  allow_private_endpoints: ['*'],
  allow_unencrypted: true,
})

/** At the door, before anything is stored. */
export function createTargetCheck(options: EndpointRules): (target: Secret) => TargetVerdict {
  const read = createTargetReader(options)
  return (target) => {
    const { kind } = read(target)
    if (kind === 'dropped') return 'not_allowed'
    return kind === 'target' || readLeniently(target).kind !== 'rejected' ? 'possible' : 'impossible'
  }
}

/** Reads what `targetOf` wrote, by the rules of these options. */
export function createTargetReader(options: EndpointRules): (target: Secret) => Target | BadTarget {
  const { allowed_endpoints: allowed, allow_private_endpoints: privateOnes = [] } = options
  const mayBePrivate = createHostMatch(privateOnes)
  const isListed = createHostMatch(allowed ?? privateOnes)
  const hasOwner = createHostMatch([...(allowed ?? []), ...privateOnes].filter(isNameOfOwner))
  const judged = oncePerHost(({ hostname, port }) => {
    // Behind any other port of theirs nobody is known.
    const isOfKnownService = port === '' && isKnownHost(hostname)
    const isPrivateAllowed = mayBePrivate(hostname)
    const address = addressIn(hostname)
    return {
      mayBePrivate: isPrivateAllowed,
      isForbidden: address !== undefined && !isPrivateAllowed && !isPublicAddress(address),
      isAllowed: isListed(hostname) || (allowed === undefined && isOfKnownService),
      isNamed: hasOwner(hostname) || isOfKnownService,
    }
  })

  return (target) => {
    const registered = parsedOnce(target)
    if ('reason' in registered) return registered
    const { endpoint, keys } = registered
    // `URL` has brought every spelling of an IPv4 address (0x7f.1, 2130706433) to four numbers. A name is checked where it is resolved.
    const { isForbidden, isAllowed, ...host } = judged(endpoint)
    if (isForbidden) return rejected(PRIVATE_ADDRESS)
    if (keys === undefined && options.allow_unencrypted !== true) return rejected('no_keys')
    if (keys !== undefined && 'reason' in keys) return keys
    if (!isAllowed) return { kind: 'dropped', reason: 'endpoint_not_allowed' }
    return { kind: 'target', endpoint, keys, ...host }
  }
}

/** What a pusher registered, by no rules. */
interface Registered {
  readonly endpoint: URL
  /** Undefined: a UnifiedPush endpoint without keys. */
  readonly keys: SubscriptionKeys | BadTarget | undefined
}

const parsed = new WeakMap<Secret, Registered | BadTarget>()

/** The door reads it, and the sender of the same push a moment later; nothing is kept of it when the push is gone. */
function parsedOnce(target: Secret): Registered | BadTarget {
  const before = parsed.get(target)
  if (before !== undefined) return before
  const now = parse(target.reveal())
  parsed.set(target, now)
  return now
}

function parse(target: string): Registered | BadTarget {
  // What is left in the queue of an app that had another type before is no target of ours.
  const { endpoint, p256dh, auth, unifiedPush } = jsonObjectOf(target) ?? {}
  if (typeof endpoint !== 'string') return rejected('no_endpoint')
  const url = URL.parse(endpoint)
  if (url?.protocol !== 'https:' || url.username !== '' || url.password !== '') return rejected('bad_endpoint')
  const isPlain = unifiedPush === true && p256dh === undefined && auth === undefined
  return { endpoint: url, keys: isPlain ? undefined : keysOf(p256dh, auth) }
}

const isKnownHost = createHostMatch(KNOWN_SERVICES)

interface JudgedHost extends Pick<Target, 'mayBePrivate' | 'isNamed'> {
  /** A private address that nobody allowed. */
  readonly isForbidden: boolean
  readonly isAllowed: boolean
}

/** Most pushes go to the same few. */
function oncePerHost(judge: (endpoint: URL) => JudgedHost): (endpoint: URL) => JudgedHost {
  const judged = new Map<string, JudgedHost>()
  return (endpoint) => {
    const known = judged.get(endpoint.host)
    if (known !== undefined) return known
    const verdict = judge(endpoint)
    judged.set(endpoint.host, verdict)
    forgetOldest(judged, MAX_JUDGED_HOSTS)
    return verdict
  }
}

function keysOf(p256dh: JsonValue | undefined, auth: JsonValue | undefined): SubscriptionKeys | BadTarget {
  if (typeof p256dh !== 'string' || typeof auth !== 'string') return rejected('no_keys')
  const keys = { p256dh: base64Url(p256dh), auth: base64Url(auth) }
  return areKeys(keys) ? keys : rejected('bad_keys')
}

function areKeys({ p256dh, auth }: SubscriptionKeys): boolean {
  return isPoint(Buffer.from(p256dh, 'base64url')) && Buffer.byteLength(auth, 'base64url') === AUTH_BYTES
}

/** Either alphabet, padded or not, and the line breaks that some encoders add: what apps register. Anything else becomes '', for Node would skip over it. */
function base64Url(value: string): string {
  if (/^[\w-]+$/.test(value)) return value
  const digits = value.replaceAll(/\s/g, '')
  return /^[\w+/-]+={0,2}$/.test(digits) ? digits.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '') : ''
}

function text(value: JsonValue | undefined, maxCharacters: number): string | undefined {
  return typeof value === 'string' && value !== '' && value.length <= maxCharacters ? value : undefined
}

function rejected(reason: string): BadTarget {
  return { kind: 'rejected', reason }
}
