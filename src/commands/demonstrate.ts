/** `npm start` where nothing is configured: the gateway on SQLite, simulated Apple, Google and a browser, a notification to paste, and a page to click. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PrivacyMode } from '../core/privacy-policy.ts'
import type { Gateway } from '../gateway.ts'
import { NOTIFY_PATH } from '../http/notify-server.ts'
import { onFreePorts, type Ports } from './demonstration/ports.ts'
import { startDemonstrationServer } from './demonstration/server.ts'
import { Stage } from './demonstration/stage.ts'
import { serve, type ServeOptions } from './serve.ts'
import type { JsonObject } from '../core/json.ts'
import { seenByBrowser, startSimulatedBrowser } from './simulated-browser.ts'
import { startSimulators } from './simulators.ts'

export interface DemonstrateOptions {
  readonly folder: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly version: string
  readonly stdout: NodeJS.WritableStream
  readonly stopRequested: Promise<string>
}

const PAGE_PORT = 5002
const IPHONE = { app_id: 'com.example.ios', pushkey: '5e'.repeat(32) }
const ANDROID = { app_id: 'com.example.android', pushkey: 'demonstration-token' }

export async function demonstrate({ folder, env, version, stdout, stopRequested }: DemonstrateOptions): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  let stage: Stage | undefined
  await using simulators = await startSimulators({
    folder,
    onApplePush: ({ headers, payload = {}, status }) =>
      stage?.seen({ who: 'Apple', status, headers: apnsHeaders(headers), body: payload }),
    onGooglePush: ({ message = {}, status }) => stage?.seen({ who: 'Google', status, headers: {}, body: message }),
  })
  await using browser = await startSimulatedBrowser({
    folder,
    onPush: (push) => stage?.seen(seenByBrowser('Browser', push)),
  })
  const configPath = join(folder, 'hushgate.yaml')
  const configure = (mode: PrivacyMode, ports: Ports): void =>
    writeFileSync(configPath, configuration(mode, ports, simulators.appsYaml + browser.appYaml))
  stdout.write(
    `There is no hushgate.yaml here, so this is a demonstration with simulated push services (${configPath}).\n`,
  )
  let reload: (() => void) | undefined
  stage = new Stage({
    stdout,
    devices: { Apple: IPHONE, Google: ANDROID, Browser: browser.device },
    mortalApp: IPHONE.app_id,
    apple: simulators.apple,
    setMode(mode) {
      configure(mode, serving.ports)
      reload?.()
    },
  })
  const onReloadRequested = (request: () => void): void => void (reload = request)
  const options = { configPath, role: 'all', env, version, stdout, stopRequested, onReloadRequested } as const
  const serving = await onFreePorts(async (ports) => {
    configure('minimal', ports)
    return { ports, ...(await startServing(options)) }
  })
  const { gateway, ended } = serving
  if (gateway === undefined) return
  await using page = await openPage(stage, gateway)
  stdout.write(invitation(page.url, gateway, browser.device))
  await ended
}

/** Resolves when it runs, or when it was told to stop before that: then without a gateway. */
async function startServing(options: ServeOptions) {
  const started = Promise.withResolvers<Gateway | undefined>()
  const ended = serve({ ...options, onStarted: started.resolve })
  ended.then(() => started.resolve(undefined), started.reject)
  return { ended, gateway: await started.promise }
}

async function openPage(stage: Stage, { notifyUrl = '' }: Gateway) {
  const page = await startDemonstrationServer({
    port: PAGE_PORT,
    gatewayUrl: notifyUrl,
    forward: (body) => stage.forward(body),
    act: (action) => stage.act(action),
    state: () => stage.state(),
  })
  stage.begin(notifyUrl, (event) => page.tell(event))
  return page
}

function configuration(mode: PrivacyMode, { http, admin }: Ports, appsYaml: string): string {
  return `# Made by the demonstration. The push services are simulated; a real configuration is in the README.
http: { host: 127.0.0.1, port: ${http} }
admin: { host: 127.0.0.1, port: ${admin} }
store: { url: "sqlite:./hushgate.db" }
log: { format: text }
operator: { name: You, contact: "mailto:you@example.org" }
privacy: ${mode}
${appsYaml}`
}

/** A page to click, and two lines for a shell: one for curl, and one for the Node that runs this, as not every machine has curl. */
function invitation(pageUrl: string, { notifyUrl = '', adminUrl }: Gateway, browser: JsonObject): string {
  const devices = [IPHONE, ANDROID, browser]
  const event = { room_id: '!family:example.org', type: 'm.room.message', sender: '@alice:example.org' }
  const content = { msgtype: 'm.text', body: 'See you at eight' }
  // Past the demonstration, so that it can show what was sent.
  const url = `${pageUrl}${NOTIFY_PATH}`
  // The event ID differs each time, or the second paste would be recognised as the same event and sent once.
  const notificationOf = (eventId: string): string =>
    JSON.stringify({ notification: { event_id: eventId, ...event, content, counts: { unread: 2 }, devices } })
  const curl = `curl ${url} -d '${notificationOf("$event-'$(date +%s%N)'")}'`
  const body = notificationOf('EVENT_ID').replace('"EVENT_ID"', '"$event-"+Date.now()')
  const node = `'${process.execPath}' -e 'fetch("${url}",{method:"POST",body:JSON.stringify(${body})}).then(r=>r.text()).then(console.log)'`
  return `
Open this in a browser, and click on what is to happen:

${pageUrl}/

Or paste this into another terminal, as a homeserver would send it, and see here what Apple, Google and a browser are told:

${curl}

Without curl:

${node}

What this gateway tells its users: ${notifyUrl}/   Metrics: ${adminUrl}/metrics   Stop: Ctrl-C
`
}

function apnsHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('apns-')))
}
