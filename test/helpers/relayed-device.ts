/** Both ends of the relay: an app that trades its pushkey and opens what comes, and a homeserver that pushes by MSC4174. */
import { generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import { encrypt } from '../../src/core/encrypt.ts'
import { createSubscriptionSecrets, decrypt } from '../../src/simulators/webpush-encryption.ts'

/** Under which the gateway is known: what a proxy in front of it has the certificate for. */
export const RELAY_ORIGIN = 'https://push.example.com'

const TTL_SECONDS = 172_800

export interface Claims {
  readonly aud?: unknown
  readonly exp?: unknown
}

export class WebPushHomeserver {
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  /** What the capability m.webpush says. */
  readonly vapid: string

  constructor() {
    const { x = '', y = '' } = this.#keys.publicKey.export({ format: 'jwk' })
    this.vapid = Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]).toString(
      'base64url',
    )
  }

  /** The header of RFC 8292. `claims`: in place of what is right. */
  authorization(claims: Claims = {}, nowMs = Date.now()): string {
    const usual = { aud: RELAY_ORIGIN, exp: Math.floor(nowMs / 1000) + 3600, sub: 'mailto:push@example.org' }
    const parts = [
      { typ: 'JWT', alg: 'ES256' },
      { ...usual, ...claims },
    ]
    const signed = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.')
    const signature = sign('sha256', Buffer.from(signed), { key: this.#keys.privateKey, dsaEncoding: 'ieee-p1363' })
    return `vapid t=${signed}.${signature.toString('base64url')}, k=${this.vapid}`
  }

  /** As MSC4174 has it. `headers`: in place of the usual; an empty one is left out. */
  post(url: string, body: Uint8Array, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
    const usual = {
      ttl: String(TTL_SECONDS),
      urgency: 'high',
      authorization: this.authorization(),
      'content-encoding': 'aes128gcm',
      'content-type': 'application/octet-stream',
    }
    const all = Object.entries({ ...usual, ...headers }).filter(([, value]) => value !== '')
    return fetch(url, { method: 'POST', headers: Object.fromEntries(all), body: new Uint8Array(body) })
  }
}

export class RelayedApp {
  readonly kid = randomBytes(16).toString('base64url')
  readonly #secrets = createSubscriptionSecrets()

  /** Resolves with the endpoint as this test reaches it, past the proxy that would be in front of the gateway. */
  async trade(gatewayUrl: string, appId: string, pushkey: string, vapid: string): Promise<string> {
    const body = JSON.stringify({ pushkey, vapid, kid: this.kid })
    const response = await fetch(`${gatewayUrl}/_hushgate/webpush/${appId}`, { method: 'POST', body })
    const answer: unknown = await response.json()
    return String(Object(answer).endpoint).replace(RELAY_ORIGIN, gatewayUrl)
  }

  /** `pushkey`: what it says that it traded. */
  revoke(endpoint: string, pushkey: string): Promise<Response> {
    return fetch(endpoint, { method: 'DELETE', body: JSON.stringify({ pushkey }) })
  }

  /** As the homeserver does with the keys of the pusher. */
  encrypt(text: string): Buffer {
    const body = encrypt(text, this.#secrets)
    if (body === undefined) throw new TypeError('our own key is none')
    return body
  }

  /** What the Notification Service Extension does; undefined for what is not for this app. */
  open(payload: unknown): string | undefined {
    const record: unknown = Object(payload).hushgate_webpush
    return typeof record === 'string' ? decrypt(Buffer.from(record, 'base64url'), this.#secrets)?.toString() : undefined
  }
}
