/** A gateway as it ships, in a process of its own, with an app of each push service, and simulated push services. */
import { generateKeyPairSync } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'
import { startSimulators } from '../../src/commands/simulators.ts'
import { createAuthority } from '../../src/simulators/certificate.ts'
import { startWebPushSimulator } from '../../src/simulators/webpush.ts'
import {
  createHushgateFolder,
  logLines,
  startHushgate,
  type HushgateProcess,
  type LogLine,
} from '../../test/helpers/hushgate-process.ts'
import { RelayedApp, RELAY_ORIGIN, WebPushHomeserver } from '../../test/helpers/relayed-device.ts'
import { LAUNCH_OPTIONS } from '../launch-options.ts'
import type { Places } from './cases.ts'

export interface Stall {
  /** By the clock, when it ended. */
  readonly atMs: number
  readonly ms: number
  /** Of it, on a processor. */
  readonly ranMs: number
  /** Of it, until a processor was free for the thread, or for another one that it may have slept for. */
  readonly waitedMs: number
}

export interface Watched {
  readonly peakRssBytes: number
  /** When it was last looked. */
  readonly rssBytes: number
  readonly stalls: readonly Stall[]
}

export interface FuzzedGateway extends AsyncDisposable {
  readonly notify: URL
  readonly admin: URL
  readonly places: Places
  /** What was seen since this was asked last. */
  watched(): Watched
  /** Ends it as an operator does; resolves with what went wrong, in sentences. */
  stop(): Promise<string[]>
}

/** It is so: nobody has these pushkeys. */
const ALARM = /^Most pushkeys of this app were called dead/
/** What a machine that is too slow to store says; it comes with answers 503, which are counted. */
const SLOW_STORE =
  /^(?:Notifications are refused with 503: )?the store (?:did not answer within 900 ms|does not answer|is not writable)$/
/** And of many devices, where those who ask went away meanwhile or are too many. */
const MANY_DEVICES =
  /^Notifications are refused with 503: (?:nobody waits for the answer any more|too many requests for many devices at once)$/
/** Of the worker, which asks the same store: a store that fails in any other way says so in a line of its own. */
const TRIED_AGAIN = 'A delivery is tried again after an error of our own'
/** As watch-stalls.ts names its lines. */
const WATCHED = 'Watched'
/** Of a device that the simulator takes pushes for. */
const DEVICE_TOKEN = '00'.repeat(32)
const PRELOAD = join(import.meta.dirname, 'watch-stalls.ts')

export async function startFuzzedGateway(): Promise<FuzzedGateway> {
  await using stack = new AsyncDisposableStack()
  const folder = stack.use(await createHushgateFolder())
  const { appsYaml } = stack.use(
    await startSimulators({ folder: folder.path, onApplePush: () => {}, onGooglePush: () => {} }),
  )
  const authority = createAuthority()
  const browsers = await startWebPushSimulator({ authority, onPush: () => {} })
  stack.defer(() => browsers.close())
  await writeFile(folder.at('web-ca.pem'), authority.certificate)
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  await writeFile(folder.at('vapid.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
  await folder.configure({ appsYaml: `apps: ${JSON.stringify(appsOf(parse(appsYaml).apps))}` })
  const child = stack.use(
    startHushgate(['serve'], {
      folder: folder.path,
      nodeOptions: [...LAUNCH_OPTIONS.nodeArguments, '--import', PRELOAD],
      under: ['/usr/bin/env', ...Object.entries(LAUNCH_OPTIONS.environment).map((entry) => entry.join('='))],
    }),
  )
  const { notify, admin } = await child.running()
  const token = (await readFile(folder.at('token'), 'utf8')).trim()
  const homeserver = new WebPushHomeserver()
  const endpoint = await new RelayedApp().trade(notify, 'fuzz.full', DEVICE_TOKEN, homeserver.vapid)
  const owned = stack.move()
  let seen = 0
  return {
    notify: new URL(notify),
    admin: new URL(admin),
    places: {
      token,
      webPushPort: browsers.port,
      endpoint: endpoint.replace(notify, ''),
      vapid: homeserver.authorization(),
    },
    watched() {
      const reports = logLines(child.stdout()).filter(({ msg }) => msg === WATCHED)
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- watch-stalls.ts writes them
      const fresh = reports.slice(seen) as unknown as Watched[]
      seen = reports.length
      return {
        peakRssBytes: fresh.at(-1)?.peakRssBytes ?? 0,
        rssBytes: fresh.at(-1)?.rssBytes ?? 0,
        stalls: fresh.flatMap(({ stalls }) => stalls),
      }
    },
    stop: () => stop(child),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

/** The samples of the simulators, with each mode of privacy. */
function appsOf(samples: Readonly<Record<string, object>>): object {
  const { 'com.example.ios': ios, 'com.example.android': android } = samples
  const web = {
    type: 'webpush',
    vapid_private_key_file: 'vapid.pem',
    vapid_subject: 'mailto:ops@example.org',
    privacy: 'full',
    // So that nothing is asked outside of this machine.
    allowed_endpoints: ['localhost', '127.0.0.1'],
    allow_private_endpoints: ['localhost', '127.0.0.1'],
    ca_file: 'web-ca.pem',
  }
  return {
    // As docs/openapi.json names them.
    'com.example.ios': { ...ios, webpush_relay: RELAY_ORIGIN },
    'com.example.web': web,
    'fuzz.ios': { ...ios, default_payload_allow: ['cs', 'aps.alert.loc-args', '__proto__', 'constructor'] },
    'fuzz.android': android,
    'fuzz.full': { ...ios, privacy: 'full', webpush_relay: RELAY_ORIGIN },
    'fuzz.ids': { ...android, privacy: 'event_id_only', badge_pushes: 'send', payload_style: 'hedwig' },
    'fuzz.web': web,
  }
}

async function stop(child: HushgateProcess): Promise<string[]> {
  child.signal('SIGTERM')
  const { code, signal, stdout, stderr } = await child.ended
  const faults = code === 0 ? [] : [`the gateway ended with ${code ?? signal}`]
  if (stderr !== '') faults.push(`the gateway printed: ${stderr.slice(-2000)}`)
  const mistakes = logLines(stdout).filter((line) => isMistake(line))
  return [...faults, ...mistakes.map(({ msg, error }) => `the log says: ${String(msg)} (${String(error)})`)]
}

export function isMistake({ level, msg, error }: LogLine): boolean {
  if (level !== 'error' && level !== 'fatal') return false
  if (msg === TRIED_AGAIN) return error !== 'StoreUnavailableError'
  return ![ALARM, SLOW_STORE, MANY_DEVICES].some((sentence) => sentence.test(String(msg)))
}
