/** `npm start` where nothing is configured: the gateway on SQLite, simulated Apple, Google and a browser, a notification to paste, and a page to click. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { once } from 'node:events'
import type { PrivacyMode } from '../core/privacy-policy.ts'
import type { Gateway } from '../gateway.ts'
import { NOTIFY_PATH } from '../http/notify-server.ts'
import { startDemonstrationServer } from './demonstration/server.ts'
import { Stage } from './demonstration/stage.ts'
import { serve } from './serve.ts'
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

const PORTS = { notify: 5000, admin: 5001, page: 5002 } as const
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
  const ports = [await freePort(PORTS.notify), await freePort(PORTS.admin), await freePort(PORTS.page)] as const
  const [, , pagePort] = ports
  const configPath = join(folder, 'hushgate.yaml')
  const configure = (mode: PrivacyMode): void =>
    writeFileSync(configPath, configuration(mode, ports, simulators.appsYaml + browser.appYaml))
  configure('minimal')
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
      configure(mode)
      reload?.()
    },
  })
  const started = Promise.withResolvers<Gateway | undefined>()
  const onReloadRequested = (request: () => void): void => void (reload = request)
  const options = { configPath, role: 'all', env, version, stdout, stopRequested, onReloadRequested } as const
  const serving = serve({ ...options, onStarted: started.resolve })
  serving.then(() => started.resolve(undefined), started.reject)
  const gateway = await started.promise
  if (gateway === undefined) return
  await using page = await openPage(stage, pagePort, gateway)
  stdout.write(invitation(page.url, gateway, browser.device))
  await serving
}

async function openPage(stage: Stage, port: number, { notifyUrl = '' }: Gateway) {
  const page = await startDemonstrationServer({
    port,
    gatewayUrl: notifyUrl,
    forward: (body) => stage.forward(body),
    act: (action) => stage.act(action),
    state: () => stage.state(),
  })
  stage.begin(notifyUrl, (event) => page.tell(event))
  return page
}

function configuration(mode: PrivacyMode, [notify, admin]: readonly number[], appsYaml: string): string {
  return `# Made by the demonstration. The push services are simulated; a real configuration is in the README.
http: { host: 127.0.0.1, port: ${notify} }
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
Open this in a browser, and click what shall happen:

${pageUrl}/

Or paste this into another terminal, as a homeserver would send it, and see here what Apple, Google and a browser are told:

${curl}

Without curl:

${node}

What it tells its users: ${notifyUrl}/   Metrics: ${adminUrl}/metrics   Stop: Ctrl-C
`
}

function apnsHeaders(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('apns-')))
}

/** This port if nobody has it, else any free one. */
async function freePort(wanted: number): Promise<number> {
  for (const port of [wanted, 0]) {
    const server = createServer()
    const listening = once(server, 'listening')
    server.listen(port, '127.0.0.1')
    try {
      await listening
    } catch {
      continue
    }
    const address = server.address()
    server.close()
    await once(server, 'close')
    if (typeof address === 'object' && address !== null) return address.port
  }
  return wanted
}
