/** The push services of the attacks, as strict as the real ones, and the operator's proxy. A process of its own. */
import { generateKeyPairSync, type KeyObject, type KeyPairKeyObjectResult } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createVapidKey } from '../../src/commands/keygen.ts'
import { startApnsSimulator } from '../../src/simulators/apns.ts'
import { createAuthority } from '../../src/simulators/certificate.ts'
import { startFcmSimulator } from '../../src/simulators/fcm.ts'
import { startWebPushSimulator, type Subscription, type WebPushSimulator } from '../../src/simulators/webpush.ts'
import { startFakeProxy } from '../../test/network/fake-proxy.ts'
import { answerQuestions } from '../bench/calls.ts'
import { monotonicMs } from '../bench/clock.ts'

/** Where they listen on loopback. */
export interface Ports {
  readonly apns: number
  readonly fcm: number
  readonly webpush: number
  readonly proxy: number
}

export interface ServicesReport {
  /** Pushes that were taken, by their event IDs; when they came, by `monotonicMs`. */
  readonly arrivals: readonly (readonly [eventId: string, atMs: number])[]
  /** What was asked since `reset`, by what it was: `apns 410`, `evil.test none`, `proxy evil.test`. */
  readonly asked: Readonly<Record<string, number>>
}

export const TOPIC = 'com.example.app'
export const APNS_KEY = { keyId: 'SIMULATED1', teamId: 'SIMULATED2' } as const
/** Names of strangers' hosts all lead here, and the certificate is for them. */
const HOSTS = ['good.test', 'evil.test']
/** For which the proxy wants to know who asks. */
const REFUSED_HOST = 'evil.test'

const EVENT_ID = /"event_id":"([^"]+)"/

let shiftMs = 0
let arrivals: [string, number][] = []
let asked = new Map<string, number>()
let webpush: WebPushSimulator | undefined

const nowMs = (): number => Date.now() + shiftMs

function count(what: string): void {
  asked.set(what, (asked.get(what) ?? 0) + 1)
}

function arrive(where: string, status: number | undefined, text: string): void {
  count(`${where} ${status ?? 'none'}`)
  const eventId = EVENT_ID.exec(text)?.[1]
  if (eventId !== undefined && status !== undefined && status < 300) arrivals.push([eventId, monotonicMs()])
}

function newKey(): KeyPairKeyObjectResult {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}

function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}

export const operations = {
  /** Writes what the gateway has to know of them into the folder. */
  async start(folder: string): Promise<Ports> {
    const authority = createAuthority()
    const { privateKey, publicKey } = newKey()
    const keys = [{ ...APNS_KEY, publicKey, topics: [TOPIC] }]
    const apns = await startApnsSimulator({
      authority,
      keys,
      nowMs,
      onPush: ({ status, body }) => arrive('apns', status, body),
    })
    const fcm = await startFcmSimulator({
      authority,
      nowMs,
      onPush: ({ status, body }) => arrive('fcm', status, body),
    })
    webpush = await startWebPushSimulator({
      authority,
      nowMs,
      hosts: HOSTS,
      onPush: ({ origin, status, payload = '' }) => arrive(new URL(origin).hostname, status, payload),
    })
    const own = new Set([apns.port, fcm.port, webpush.port].map(String))
    const proxy = await startFakeProxy((destination) => {
      const { hostname, port } = new URL(`tcp://${destination}`)
      count(`proxy ${hostname}`)
      if (hostname === REFUSED_HOST) return 407
      // Nothing but what is ours is ever connected to.
      return own.has(port) ? 'tunnel' : 502
    })
    const files = {
      'ca.pem': authority.certificate,
      'AuthKey.p8': pem(privateKey),
      'refused.p8': pem(newKey().privateKey),
      'service-account.json': JSON.stringify(fcm.createServiceAccount('simulated-project')),
      'vapid.pem': createVapidKey(),
    }
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text, { mode: 0o600 })
    return { apns: apns.port, fcm: fcm.port, webpush: webpush.port, proxy: proxy.port }
  },
  /** Browsers that subscribe; each name says how its pushes are answered (src/simulators/script.ts). */
  subscribe(browsers: readonly { readonly name: string; readonly origin: string }[]): readonly Subscription[] {
    return browsers.flatMap(({ name, origin }) => webpush?.subscribe(name, { origin }) ?? [])
  },
  /** Their clocks are wrong by so much from now on. */
  setClock(ms: number): void {
    shiftMs = ms
  },
  reset(): void {
    arrivals = []
    asked = new Map()
  },
  report: (): ServicesReport => ({ arrivals, asked: Object.fromEntries(asked) }),
}

answerQuestions(operations)
