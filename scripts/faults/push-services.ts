/** Simulated APNs, FCM and Web Push whose faults can be set, and the apps' configuration with good and with bad credentials. */
import { generateKeyPairSync, type KeyObject, type KeyPairKeyObjectResult } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createVapidKey } from '../../src/commands/keygen.ts'
import type { JsonObject } from '../../src/core/json.ts'
import { startApnsSimulator, type ApnsSimulator } from '../../src/simulators/apns.ts'
import { createAuthority, type Authority } from '../../src/simulators/certificate.ts'
import { createServiceAccount } from '../../src/simulators/fcm-authorization.ts'
import { startFcmSimulator, type FcmSimulator } from '../../src/simulators/fcm.ts'
import { startWebPushSimulator, type WebPushSimulator } from '../../src/simulators/webpush.ts'
import type { Arrival } from './accounting.ts'
import { ANSWERS, OWN_FAULTS, WIRE_FAULTS, type PushServiceFault } from './faults.ts'
import { APPS, type Notice, type Service } from './notices.ts'
import type { Timing } from './schedule.ts'
import { startWire, type Wire } from './wire.ts'

export interface PushServices extends AsyncDisposable {
  readonly arrivals: readonly Arrival[]
  appsYaml(timing: Timing, credentials: 'good' | 'bad'): string
  /** What a homeserver posts. */
  bodyOf(notice: Notice): string
  begin(fault: PushServiceFault): Promise<void>
  end(fault: PushServiceFault): Promise<void>
}

const TOPIC = 'com.example.app'
const KEY = { keyId: 'SIMULATED1', teamId: 'SIMULATED2' } as const
const PROJECT = 'simulated-project'
const TIMING_YAML: Readonly<Record<Timing, string>> = {
  immediate: '',
  coalesce: ', coalesce: 2s',
  release_every: ', release_every: 2s',
}

interface Simulators {
  readonly apns: ApnsSimulator
  readonly fcm: FcmSimulator
  readonly webpush: WebPushSimulator
}

/** `folder`: for keys and certificates. */
export async function startPushServices(folder: string): Promise<PushServices> {
  await using stack = new AsyncDisposableStack()
  const arrivals: Arrival[] = []
  const authority = createAuthority()
  const { privateKey, publicKey } = newKey()
  const simulators = await startSimulators(authority, publicKey, (arrival) => arrivals.push(arrival))
  for (const simulator of Object.values(simulators)) stack.defer(() => simulator.close())
  const stranger = createAuthority()
  const [apns, fcm, webpush] = await Promise.all(
    [simulators.apns, simulators.fcm, simulators.webpush].map(({ port }) => startWire(port, stranger)),
  )
  if (apns === undefined || fcm === undefined || webpush === undefined) throw new Error('there are three')
  const wires: Readonly<Record<Service, Wire>> = { apns, fcm, webpush }
  for (const wire of Object.values(wires)) stack.use(wire)
  await writeFiles(folder, {
    'ca.pem': authority.certificate,
    'good.p8': pem(privateKey),
    'bad.p8': pem(newKey().privateKey),
    'good.json': JSON.stringify(simulators.fcm.createServiceAccount(PROJECT)),
    // Nobody has been told to trust it.
    'bad.json': JSON.stringify(createServiceAccount(PROJECT, simulators.fcm.tokenUri)),
    'vapid.pem': createVapidKey(),
  })
  const owned = stack.move()
  return {
    arrivals,
    appsYaml: (timing, credentials) => appsYaml(folder, wires, timing, credentials),
    bodyOf: (notice) => {
      const device = deviceOf(notice, simulators.webpush, wires.webpush.port)
      return JSON.stringify({
        notification: { ...notice.event, devices: [{ app_id: APPS[notice.service], ...device }] },
      })
    },
    begin: (fault) => begin(fault, simulators, wires[fault.kind]),
    async end({ kind }) {
      const simulator = simulators[kind]
      simulator.answerAll(undefined)
      simulator.setFault(undefined)
      await wires[kind].end()
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  }
}

async function startSimulators(
  authority: Authority,
  publicKey: KeyObject,
  add: (arrival: Arrival) => void,
): Promise<Simulators> {
  const apns = await startApnsSimulator({
    authority,
    keys: [{ ...KEY, publicKey, topics: [TOPIC] }],
    onPush: ({ token, headers, status }) =>
      add({
        token: Buffer.from(token, 'hex').toString(),
        id: headers['apns-id'],
        collapseId: headers['apns-collapse-id'],
        status,
        atMs: Date.now(),
      }),
  })
  const fcm = await startFcmSimulator({
    authority,
    onPush: ({ token, status }) => add({ token, id: undefined, collapseId: undefined, status, atMs: Date.now() }),
  })
  const webpush = await startWebPushSimulator({
    authority,
    onPush: ({ name, headers, status }) =>
      add({ token: name, id: undefined, collapseId: headers['topic'], status, atMs: Date.now() }),
  })
  return { apns, fcm, webpush }
}

function appsYaml(
  folder: string,
  wires: Readonly<Record<Service, Wire>>,
  timing: Timing,
  credentials: 'good' | 'bad',
): string {
  const at = (name: string): string => JSON.stringify(join(folder, name))
  const common = `ca_file: ${at('ca.pem')}${TIMING_YAML[timing]}`
  const key = `key_file: ${at(`${credentials}.p8`)}, key_id: ${KEY.keyId}, team_id: ${KEY.teamId}, topic: ${TOPIC}`
  const account = `service_account_file: ${at(`${credentials}.json`)}`
  // Another key of Web Push is no bad credential: browsers that subscribed with this one are refused for ten minutes each.
  const vapid = `vapid_private_key_file: ${at('vapid.pem')}, vapid_subject: "mailto:ops@example.org"`
  return `apps:
  ${APPS.apns}: { type: apns, endpoint: "https://127.0.0.1:${wires.apns.port}", ${key}, ${common} }
  ${APPS.fcm}: { type: fcm, endpoint: "https://127.0.0.1:${wires.fcm.port}", ${account}, ${common} }
  ${APPS.webpush}: { type: webpush, ${vapid}, allow_private_endpoints: [localhost], ${common} }
`
}

function deviceOf({ service, token }: Notice, browsers: WebPushSimulator, port: number): JsonObject {
  if (service === 'fcm') return { pushkey: token }
  if (service === 'apns') return { pushkey: Buffer.from(token).toString('base64') }
  const { p256dh, auth, endpoint } = browsers.subscribe(token, { origin: `https://localhost:${port}` })
  return { pushkey: p256dh, data: { endpoint, auth } }
}

async function begin(fault: PushServiceFault, simulators: Simulators, wire: Wire): Promise<void> {
  const ofWire = WIRE_FAULTS.find((name) => name === fault.name)
  if (ofWire !== undefined) return wire.begin(ofWire)
  const answer = ANSWERS[fault.name]
  if (answer !== undefined) return simulators[fault.kind].answerAll(answer)
  if (fault.name === 'goaway') return goAway(simulators, fault.kind)
  if (fault.kind === 'apns') simulators.apns.setFault(OWN_FAULTS.apns.find((name) => name === fault.name))
  else if (fault.kind === 'fcm') simulators.fcm.setFault(OWN_FAULTS.fcm.find((name) => name === fault.name))
  else simulators.webpush.setFault(OWN_FAULTS.webpush.find((name) => name === fault.name))
}

/** Apple sends two frames (docs/facts/apns.md). */
function goAway({ apns, fcm, webpush }: Simulators, service: Service): void {
  if (service === 'apns') apns.goaway(2)
  else if (service === 'fcm') fcm.goaway()
  else webpush.goaway()
}

function newKey(): KeyPairKeyObjectResult {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}

function pem(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }).toString()
}

async function writeFiles(folder: string, files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text, { mode: 0o600 })
}
