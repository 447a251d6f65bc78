/** A simulated browser behind a push service of its own, subscribed to a sample web app: for `simulate` and the demonstration. */
import { writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { isJsonObject, type JsonObject } from '../core/json.ts'
import { createAuthority } from '../simulators/certificate.ts'
import { describeDeclarative } from '../simulators/declarative-notification.ts'
import { parseScript } from '../simulators/script.ts'
import { createSubscriptionSecrets, type SubscriptionSecrets } from '../simulators/webpush-encryption.ts'
import { startWebPushSimulator, type ReceivedWebPush, type WebPushSimulator } from '../simulators/webpush.ts'
import type { Seen } from './demonstration/comparison.ts'
import { createVapidKey } from './keygen.ts'
import { describePush } from './simulators.ts'

export interface SimulatedBrowser extends AsyncDisposable {
  /** The app's lines of the `apps` section. */
  readonly appYaml: string
  readonly pushServiceUrl: string
  /** As a homeserver names it in a notification. */
  readonly device: JsonObject
  readonly pushService: Pick<WebPushSimulator, 'answerAll'>
}

export interface SimulatedBrowserOptions {
  /** Where the key and the certificate are put; it is there. */
  readonly folder: string
  readonly onPush: (push: ReceivedWebPush) => void
  /** Default: any free one. */
  readonly port?: number | undefined
}

const APP = 'com.example.web'

export async function startSimulatedBrowser({
  folder,
  onPush,
  port,
}: SimulatedBrowserOptions): Promise<SimulatedBrowser> {
  const path = (name: string): string => resolve(join(folder, name))
  const authority = createAuthority()
  writeFileSync(path('web-ca.pem'), authority.certificate)
  writeFileSync(path('vapid.pem'), createVapidKey(), { mode: 0o600 })
  const secrets = createSubscriptionSecrets()
  // A name that is a script is the same browser, so that its endpoint can be changed by hand.
  const scripted = (name: string): SubscriptionSecrets | undefined =>
    parseScript(name) === undefined ? undefined : secrets
  const simulator = await startWebPushSimulator({ authority, onPush, port, secretsOf: scripted })
  const { p256dh, auth, endpoint } = simulator.subscribe('browser', secrets)
  const appYaml = `  ${APP}:
    type: webpush
    vapid_private_key_file: ${JSON.stringify(path('vapid.pem'))}
    vapid_subject: mailto:ops@example.com
    allow_private_endpoints: [${new URL(endpoint).hostname}]
    ca_file: ${JSON.stringify(path('web-ca.pem'))}
`
  return {
    appYaml,
    pushServiceUrl: simulator.url,
    pushService: simulator,
    device: { app_id: APP, pushkey: p256dh, data: { endpoint, auth } },
    [Symbol.asyncDispose]: () => simulator.close(),
  }
}

/** What the browser read, below what its push service could see. */
export function describeBrowserPush(who: string, push: ReceivedWebPush): string {
  const { headers, opened } = seenByBrowser(who, push)
  const { shown } = push
  const shows = shown === undefined ? {} : { 'shows by itself': describeDeclarative(shown) }
  return describePush(who, { ...headers, ...shows }, opened)
}

/** What its push service could see, and what the browser read. */
export function seenByBrowser(who: string, { headers, body, payload = 'null', status }: ReceivedWebPush): Seen {
  const { ttl = '', urgency = '', topic } = headers
  const seen = { ttl, urgency, ...(topic === undefined ? {} : { topic }), encrypted: `${body.length} bytes` }
  const opened: unknown = JSON.parse(payload)
  return { who, status, headers: seen, body: {}, opened: isJsonObject(opened) ? opened : {} }
}
