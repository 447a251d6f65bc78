/** Hushgate running the sygnal.yaml of the recorded cases, in front of simulated push services, with a fresh store for each case. */
import { generateKeyPairSync } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import type { RouteConfig, Config } from '../../src/config/config.ts'
import { openRoutes, type Routes } from '../../src/config/routes.ts'
import { openKeys } from '../../src/config/keys.ts'
import { loadConfig } from '../../src/config/load.ts'
import { sygnalReader } from '../../src/config/sygnal/source.ts'
import { isJsonObject, type JsonObject } from '../../src/core/json.ts'
import { openGateway, type Gateway } from '../../src/gateway.ts'
import { createLog } from '../../src/log.ts'
import { openConfiguredStore } from '../../src/commands/open-configured-store.ts'
import { providers } from '../../src/providers/index.ts'
import { startApnsSimulator } from '../../src/simulators/apns.ts'
import { createAuthority } from '../../src/simulators/certificate.ts'
import { startFcmSimulator } from '../../src/simulators/fcm.ts'
import { startWebPushSimulator } from '../../src/simulators/webpush.ts'
import { metricValue } from '../helpers/gateway.ts'
import { until } from '../helpers/received.ts'
import type { GoldenCase } from './cases.ts'
import type { OurPush, OurResult } from './compare.ts'

export interface Rig extends AsyncDisposable {
  /** As the sygnal.yaml has them. */
  readonly routes: Routes
  run(golden: GoldenCase): Promise<OurResult>
}

const TOPICS = [
  'com.example.app',
  'com.example.app.voip',
  'com.example.glob',
  'com.example.q',
  'com.example.amb',
  'com.example.certapp',
  'com.example.explicit',
]
/** Whom the recorded requests subscribe: our simulator needs the private key. */
const RECORDED_P256DH = 'BMNt3lBL4s424LDPvr47GomK7momIiZb8sP8ZyKYJmaG6G6evKFUlFsX0iOYzP2xAltXmOOa0i25-KOUhm8O0Co'
const RECORDED_AUTH = 'vDlOt4XayUVDT372cjF-VA'
const NOTIFY_PATH = '/_matrix/push/v1/notify'

export async function startRig(sygnalYaml: string): Promise<Rig> {
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-golden-'))
  const authority = createAuthority()
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const pushes: OurPush[] = []
  const apns = await startApnsSimulator({
    authority,
    keys: [{ keyId: 'RIGKEY1234', teamId: 'RIGTEAM567', publicKey, topics: TOPICS }],
    onPush: ({ token, headers, body }) =>
      pushes.push({ service: 'apns', token: Buffer.from(token, 'hex').toString(), headers, json: parsed(body) }),
  })
  const fcm = await startFcmSimulator({
    authority,
    onPush: ({ token, body }) => pushes.push({ service: 'fcm', token, headers: {}, json: parsed(body) }),
  })
  const webpush = await startWebPushSimulator({
    authority,
    hosts: ['push.fake.test', 'updates.push.fake.test'],
    onPush: ({ name, origin, headers, payload }) => {
      // All endpoints lead to the simulator; the case of one that nobody listens on is not to find it there.
      if (!origin.endsWith(':9'))
        pushes.push({ service: 'webpush', token: name, headers, json: parsed(payload ?? 'null') })
    },
  })
  const subscriber = webpush.subscribe('subscriber')
  const certificate = authority.issue({ commonName: 'Apple Push Services', uid: 'com.example.certapp' })
  await mkdir(join(folder, 'keys'))
  const files = {
    'ca.pem': authority.certificate,
    'keys/AuthKey_RIGKEY1234.p8': privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    'keys/apnscert.pem': certificate.cert + certificate.key,
    'keys/service_account.json': JSON.stringify(fcm.createServiceAccount('rig-project')),
    'keys/vapid.pem': generateKeyPairSync('ec', { namedCurve: 'P-256' })
      .privateKey.export({ type: 'pkcs8', format: 'pem' })
      .toString(),
    'sygnal.yaml': sygnalYaml,
  }
  for (const [name, content] of Object.entries(files)) await writeFile(join(folder, name), content)
  const endpoints = { apns: apns.url, fcm: fcm.url, webpush: webpush.url }
  const redirect = (app: RouteConfig): RouteConfig => {
    const more = {
      endpoint: Reflect.get(endpoints, app.provider),
      ca_file: join(folder, 'ca.pem'),
      ...(app.provider === 'webpush'
        ? { allow_private_endpoints: ['push.fake.test', '*.push.fake.test'] }
        : { sandbox_endpoint: apns.url }),
    }
    return { ...app, options: Object.assign(Object.create(null), app.options, more) }
  }
  const load = async (store: string): Promise<Config> => {
    const config = await loadConfig({
      path: join(folder, 'sygnal.yaml'),
      env: {},
      kinds: providers,
      readAs: sygnalReader({ workingDirectory: folder, storeUrl: `sqlite:${store}` }),
    })
    const local = { host: '127.0.0.1', port: 0 }
    return {
      ...config,
      http: { ...config.http, ...local },
      admin: { ...config.admin, ...local },
      routes: config.routes.map(redirect),
    }
  }

  // Made once: the cases run side by side.
  const first = await load(join(folder, 'first.db'))
  await openKeys(first)

  return {
    routes: await openRoutes(first.routes, providers),
    async run(golden) {
      const store = join(folder, `${golden.name}.db`)
      const config = await load(store)
      const { keyring, adminToken } = await openKeys(config)
      const log = createLog(
        { level: 'fatal', format: 'json' },
        new Writable({ write: (_chunk, _encoding, done) => done() }),
      )
      const ports = { role: 'all', version: 'test', kinds: providers, keyring, adminToken, log } as const
      await using gateway = await openGateway(config, {
        ...ports,
        openStore: () => openConfiguredStore(config, keyring, log),
      })
      const request = bodyOf(golden)
      for (const name of endpointNames(request)) webpush.subscribe(name, { ...subscriber, name })
      const body = Buffer.from(
        request
          .toString('latin1')
          .replaceAll(RECORDED_P256DH, subscriber.p256dh)
          .replaceAll(RECORDED_AUTH, subscriber.auth),
        'latin1',
      )
      const { method, path, headers } = golden.request
      const hasBody = method !== 'GET' && method !== 'HEAD'
      const response = await sendAsHomeserversDo(gateway.notifyUrl + path, {
        method,
        headers,
        ...(hasBody ? { body } : {}),
      })
      const text = await response.text()
      const isAccepted = response.status === 200 && path.startsWith(NOTIFY_PATH) && method === 'POST'
      if (isAccepted) await handled(golden.name, gateway)
      return {
        status: response.status,
        contentType: response.headers.get('content-type') ?? '',
        body: text,
        rejected: isAccepted
          ? (await nextRejected(gateway, body)).map((key) => (key === subscriber.p256dh ? RECORDED_P256DH : key))
          : undefined,
        pushes: pushes.filter(({ token }) => belongsTo(golden, request, token)),
      }
    },
    async [Symbol.asyncDispose]() {
      await Promise.all([apns.close(), fcm.close(), webpush.close()])
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** A busy machine may not store it within the second that a homeserver waits: then it is answered 503 and sent again. No recorded answer is a 503. */
async function sendAsHomeserversDo(url: string, init: RequestInit): Promise<Response> {
  for (;;) {
    const response = await fetch(url, init)
    if (response.status !== 503) return response
    await response.body?.cancel()
  }
}

function bodyOf({ request }: GoldenCase): Buffer {
  if (request.body_b64 !== undefined) return Buffer.from(request.body_b64, 'base64')
  return request.json === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(request.json))
}

function endpointNames(body: Buffer): string[] {
  return [...body.toString('latin1').matchAll(/https:\/\/[^"]*\/wp\/([^"/?]+)"/g)].map(([, name = '']) => name)
}

/** Tokens are unique to a case, and spelled in its request: as text, in base64, or in hex. */
function belongsTo(golden: GoldenCase, request: Buffer, token: string): boolean {
  if (token === '') return false
  if (golden.pushes.some((push) => push.token === token)) return true
  const text = request.toString()
  return [token, Buffer.from(token).toString('base64'), Buffer.from(token).toString('hex')].some((spelling) =>
    text.includes(spelling),
  )
}

/** Every delivery of the case was attempted, or dropped for a reason. */
async function handled(name: string, gateway: Gateway): Promise<void> {
  await until(`the deliveries of ${name} are handled`, async () => {
    const text = await (await fetch(`${gateway.adminUrl}/metrics`)).text()
    const sum = (metric: string, labels: Record<string, string> = {}): number =>
      text
        .split('\n')
        .filter((line) => line.startsWith(`${metric}{`))
        .reduce((total, line) => total + (metricValue(line, metric, labels) ?? 0), 0)
    const dropped = ['duplicate', 'superseded', 'pushkey_dead', 'dropped'].reduce(
      (total, outcome) => total + sum('hushgate_outcomes_total', { outcome }),
      0,
    )
    return sum('hushgate_attempts_total') + dropped >= sum('hushgate_devices_received_total', { intake: 'queued' })
  })
}

/** The same devices with another event. */
async function nextRejected(gateway: Gateway, body: Buffer): Promise<readonly string[]> {
  // It skips a byte order mark.
  const json: unknown = JSON.parse(new TextDecoder().decode(body))
  const notification = isJsonObject(json) && isJsonObject(json['notification']) ? json['notification'] : {}
  const next: JsonObject = { notification: { ...notification, event_id: '$the-next-event' } }
  const response = await fetch(gateway.notifyUrl + NOTIFY_PATH, { method: 'POST', body: JSON.stringify(next) })
  const answer: unknown = await response.json()
  return isJsonObject(answer) && Array.isArray(answer['rejected']) ? answer['rejected'].map(String) : []
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
