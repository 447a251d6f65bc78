/**
 * The address that an app gets in exchange for its pushkey, and gives to its homeserver: the sealed pushkey itself, so that nothing has to be stored for it. It
 * is sealed with a key of its own, made from the hash key, which is never rotated: an endpoint lives as long as the app's registration.
 */
import { KEY_ID_BYTES, Keyring, SEAL_BYTES, UnsealError } from './keyring.ts'
import { POINT_BYTES } from './p256.ts'
import { Secret } from './secret.ts'

/** What an app trades for an endpoint. */
export interface Subscription {
  readonly pushkey: Secret
  /** The one key that may sign what is sent there (RFC 8292 §4): an uncompressed point of P-256, base64url. */
  readonly vapidKey: string
  /** How the app finds the keys of what comes: 22 characters of its choice, base64url. */
  readonly kid: string | undefined
}

/** `issuedAt`: when it was traded, in seconds since 1970. */
export interface Registration extends Subscription {
  readonly issuedAt: number
}

/** A year. Then it is over, so that what is remembered of it can end, too; the app trades anew. */
export const MAX_ENDPOINT_AGE_SECONDS = 365 * 24 * 3600

const PURPOSE = 'relay-endpoint'
const KEY_ID_PURPOSE = 'relay-endpoint-key-id'
const VERSION = 1
const KEY_BYTES = 32
const ISSUED_AT = 1
const VAPID_KEY_AT = 7
const KID_AT = VAPID_KEY_AT + POINT_BYTES
const KID_BYTES = 16
const PUSHKEY_AT = KID_AT + KID_BYTES
/** After the pushkey's place comes at least one byte of it. */
const LEAST_SEALED_BYTES = SEAL_BYTES + PUSHKEY_AT + 1
/** Of an app that wants none. */
const NO_KID = Buffer.alloc(KID_BYTES)
/** Of base64url, for what takes this many bytes: each text of it is one of bytes. */
const KID = /^[A-Za-z0-9_-]{21}[AQgw]$/

/** In the one form that it has, and not all zeros, which stand for none. */
export function isKid(text: string): boolean {
  return KID.test(text) && !Buffer.from(text, 'base64url').equals(NO_KID)
}

/** Whether it may be an endpoint, of whatever gateway and version (there is no version 0). Each has one form, so that nobody makes two of it. */
export function isEndpointShaped(text: string): boolean {
  return sealedIn(text) !== undefined
}

function sealedIn(text: string): Buffer | undefined {
  const sealed = Buffer.from(text, 'base64url')
  const isShaped = sealed.length >= LEAST_SEALED_BYTES && sealed[0] !== 0 && sealed.toString('base64url') === text
  return isShaped ? sealed : undefined
}

export class RelayEndpoints {
  readonly #keyring: Keyring
  /** What each endpoint of ours begins with: version and key ID. */
  readonly #beginning: Buffer

  constructor(keyring: Pick<Keyring, 'derive'>) {
    const bytes = keyring.derive(PURPOSE)
    const id = keyring.derive(KEY_ID_PURPOSE).subarray(0, KEY_ID_BYTES)
    this.#keyring = new Keyring(bytes.subarray(KEY_BYTES), [{ id, key: bytes.subarray(0, KEY_BYTES) }])
    this.#beginning = this.#keyring.seal(Buffer.alloc(0), PURPOSE).subarray(0, 1 + KEY_ID_BYTES)
  }

  /** In base64url: what stands in the path. Another each time. It opens for this app_id alone. */
  seal(appId: string, { pushkey, vapidKey, kid, issuedAt }: Registration): string {
    const text = Buffer.from(pushkey.reveal())
    const plaintext = Buffer.alloc(PUSHKEY_AT + text.length)
    plaintext.writeUInt8(VERSION)
    plaintext.writeUIntBE(issuedAt, ISSUED_AT, VAPID_KEY_AT - ISSUED_AT)
    plaintext.write(vapidKey, VAPID_KEY_AT, 'base64url')
    if (kid !== undefined) plaintext.write(kid, KID_AT, 'base64url')
    text.copy(plaintext, PUSHKEY_AT)
    return this.#keyring.seal(plaintext, contextOf(appId)).toString('base64url')
  }

  /** Undefined for what cannot be an endpoint of this app_id; `foreign` where it may be one, made with another key file or by a later version. */
  open(appId: string, endpoint: string): Registration | 'foreign' | undefined {
    const sealed = sealedIn(endpoint)
    if (sealed === undefined) return undefined
    if (!sealed.subarray(0, this.#beginning.length).equals(this.#beginning)) return 'foreign'
    try {
      return registrationOf(this.#keyring.open(sealed, contextOf(appId)))
    } catch (error) {
      if (error instanceof UnsealError) return undefined
      throw error
    }
  }
}

function registrationOf(plaintext: Buffer): Registration | 'foreign' {
  // It is sealed with our key: another version of us has made it.
  if (plaintext.length <= PUSHKEY_AT || plaintext[0] !== VERSION) return 'foreign'
  const kid = plaintext.subarray(KID_AT, PUSHKEY_AT)
  return {
    issuedAt: plaintext.readUIntBE(ISSUED_AT, VAPID_KEY_AT - ISSUED_AT),
    vapidKey: plaintext.toString('base64url', VAPID_KEY_AT, KID_AT),
    kid: kid.equals(NO_KID) ? undefined : kid.toString('base64url'),
    pushkey: new Secret(plaintext.toString('utf8', PUSHKEY_AT)),
  }
}

function contextOf(appId: string): string {
  return `${PURPOSE} ${appId}`
}
