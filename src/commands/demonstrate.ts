/** `npm start` where nothing is configured: the gateway on SQLite, simulated Apple, Google and a browser, and a notification to paste. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { once } from 'node:events'
import { NOTIFY_PATH } from '../http/notify-server.ts'
import { serve } from './serve.ts'
import type { JsonObject } from '../core/json.ts'
import { describeBrowserPush, startSimulatedBrowser } from './simulated-browser.ts'
import { describePush, startSimulators } from './simulators.ts'

export interface DemonstrateOptions {
  readonly folder: string
  readonly env: Readonly<Record<string, string | undefined>>
  readonly version: string
  readonly stdout: NodeJS.WritableStream
  readonly stopRequested: Promise<string>
}

const PORTS = { notify: 5000, admin: 5001 } as const

export async function demonstrate({ folder, env, version, stdout, stopRequested }: DemonstrateOptions): Promise<void> {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  await using simulators = await startSimulators({
    folder,
    onApplePush: ({ headers, payload }) => stdout.write(describePush('Apple', apnsHeaders(headers), payload)),
    onGooglePush: ({ message }) => stdout.write(describePush('Google', {}, message)),
  })
  await using browser = await startSimulatedBrowser({
    folder,
    onPush: (push) => stdout.write(describeBrowserPush('Browser', push)),
  })
  const [notifyPort, adminPort] = [await freePort(PORTS.notify), await freePort(PORTS.admin)]
  const configPath = join(folder, 'hushgate.yaml')
  writeFileSync(
    configPath,
    `# Made by the demonstration. The push services are simulated; a real configuration is in the README.
http: { host: 127.0.0.1, port: ${notifyPort} }
admin: { host: 127.0.0.1, port: ${adminPort} }
store: { url: "sqlite:./hushgate.db" }
log: { format: text }
${simulators.appsYaml}${browser.appYaml}`,
  )
  stdout.write(
    `There is no hushgate.yaml here, so this is a demonstration with simulated push services (${configPath}).\n`,
  )
  await serve({
    configPath,
    role: 'all',
    env,
    version,
    stdout,
    stopRequested,
    onReloadRequested: () => {},
    onStarted: ({ notifyUrl, adminUrl }) => stdout.write(invitation(notifyUrl ?? '', adminUrl, browser.device)),
  })
}

/** Two lines for a shell: one for curl, and one for the Node that runs this, as not every machine has curl. */
function invitation(notifyUrl: string, adminUrl: string, browser: JsonObject): string {
  const devices = [
    { app_id: 'com.example.ios', pushkey: '5e'.repeat(32) },
    { app_id: 'com.example.android', pushkey: 'demonstration-token' },
    browser,
  ]
  const event = { room_id: '!family:example.org', type: 'm.room.message', sender: '@alice:example.org' }
  const content = { msgtype: 'm.text', body: 'See you at eight' }
  const url = `${notifyUrl}${NOTIFY_PATH}`
  // The event ID differs each time, or the second paste would be recognised as the same event and sent once.
  const notificationOf = (eventId: string): string =>
    JSON.stringify({ notification: { event_id: eventId, ...event, content, counts: { unread: 2 }, devices } })
  const curl = `curl ${url} -d '${notificationOf("$event-'$(date +%s%N)'")}'`
  const body = notificationOf('EVENT_ID').replace('"EVENT_ID"', '"$event-"+Date.now()')
  const node = `'${process.execPath}' -e 'fetch("${url}",{method:"POST",body:JSON.stringify(${body})}).then(r=>r.text()).then(console.log)'`
  return `
Paste this into another terminal, as a homeserver would send it, and see here what Apple, Google and a browser are told:

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
