/** A Web Push sender that anybody may name hosts to, and a strict push service that answers for all of them. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createVapidKey } from '../../src/commands/keygen.ts'
import type { Outcome } from '../../src/core/outcome.ts'
import type { Dial, Sender } from '../../src/core/provider.ts'
import { Secret } from '../../src/core/secret.ts'
import { createDial } from '../../src/network/dial.ts'
import { webpush, type WebPushOptions } from '../../src/providers/webpush/index.ts'
import { createAuthority } from '../../src/simulators/certificate.ts'
import { startWebPushSimulator, type WebPushSimulator } from '../../src/simulators/webpush.ts'
import { createSubscriptionSecrets } from '../../src/simulators/webpush-encryption.ts'
import { Clock } from '../helpers/clock.ts'

export const CONCURRENCY = 1000
export const GOOD = 'https://good.test'
const MESSAGE = { headers: { ttl: '900', urgency: 'normal' }, body: '{}' }

export interface WebPushRig extends AsyncDisposable {
  readonly clock: Clock
  readonly simulator: WebPushSimulator
  /** What an operator was warned of. */
  readonly warnings: readonly string[]
  readonly folder: string
  /** All hosts lead to the push service, and strangers may name any, unless the options say otherwise. `hasList`: whether they say which. */
  open(options?: Partial<WebPushOptions>, dial?: Dial, hasList?: boolean): Promise<Sender>
}

export async function startWebPushRig(hosts: readonly string[]): Promise<WebPushRig> {
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-attack-'))
  const clock = new Clock()
  const authority = createAuthority()
  await writeFile(join(folder, 'ca.pem'), authority.certificate)
  await writeFile(join(folder, 'vapid.pem'), createVapidKey())
  const simulator = await startWebPushSimulator({ authority, hosts: ['good.test', ...hosts], nowMs: clock.nowMs })
  const senders: Sender[] = []
  const warnings: string[] = []
  return {
    clock,
    simulator,
    warnings,
    folder,
    async open(options = { endpoint: simulator.url }, dial = createDial(undefined), hasList = true) {
      const section: WebPushOptions = {
        vapid_private_key_file: join(folder, 'vapid.pem'),
        vapid_subject: 'mailto:ops@example.org',
        ...(hasList ? { allowed_endpoints: ['*'] } : {}),
        ca_file: join(folder, 'ca.pem'),
        ...options,
      }
      const context = { app: 'com.example.web', nowMs: clock.nowMs, dial, concurrency: CONCURRENCY }
      const sender = await webpush.open(section, { ...context, warn: (message) => warnings.push(message) })
      senders.push(sender)
      return sender
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(senders.map((sender) => sender.close()))
      await simulator.close()
      await rm(folder, { recursive: true })
    },
  }
}

const secrets = createSubscriptionSecrets()

/** A device that the push service knows: what a homeserver sends as pushkey and data, for the sender. */
export function targetAt(rig: WebPushRig, name: string, origin: string): Secret {
  const { p256dh, auth, endpoint } = rig.simulator.subscribe(name, { ...secrets, origin })
  return new Secret(webpush.targetOf?.(p256dh, { endpoint, auth }) ?? '')
}

export function sendTo(sender: Sender, target: Secret, signal = new AbortController().signal): Promise<Outcome> {
  return sender.send(MESSAGE, target, signal)
}
