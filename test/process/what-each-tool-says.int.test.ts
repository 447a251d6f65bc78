/**
 * For each of twelve broken set-ups, ten faults and five devices: what each tool says to an operator who has nothing else, written down in
 * docs/what-each-tool-says.md. With UPDATE_WHAT_EACH_TOOL_SAYS=1 it is written anew.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { createSecureServer } from 'node:http2'
import { once } from 'node:events'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { CLOCK_FILE } from '../../scripts/faults/clock-file.ts'
import { mountSmallDisk } from '../../scripts/faults/small-disk.ts'
import { startSimulators, type Simulators } from '../../src/commands/simulators.ts'
import { createAuthority } from '../../src/simulators/certificate.ts'
import { createServiceAccount } from '../../src/simulators/fcm-authorization.ts'
import { freePort } from '../helpers/free-port.ts'
import { postTo } from '../helpers/homeserver.ts'
import {
  createHushgateFolder,
  startHushgate,
  type HushgateFolder,
  type HushgateProcess,
} from '../helpers/hushgate-process.ts'
import { startProxy } from '../helpers/proxy.ts'
import { newPushkey } from '../helpers/push-services.ts'
import { until } from '../helpers/received.ts'
import { startRedis, type TestRedis } from '../helpers/redis.ts'
import { toolsOf, type Said, type Tools } from '../helpers/what-tools-say.ts'
import { CASES, documentOf, textOf } from './tool-cases.ts'

const FILE = join(import.meta.dirname, '../../docs/what-each-tool-says.md')
const CLOCK = join(import.meta.dirname, '../../scripts/faults/shifted-clock.ts')
const HOUR_MS = 3600_000
const APP = 'com.example.ios'

const said = new Map<string, Said>()

/** Holds it against the words that name the cause. */
function note(kind: keyof typeof CASES, name: string, what: Said): void {
  said.set(name, what)
  const [, named]: readonly [string, { readonly [Tool in keyof Said]?: RegExp }] = Reflect.get(CASES[kind], name)
  for (const [tool, words] of Object.entries(named))
    expect([name, tool, textOf(Reflect.get(what, tool))]).toEqual([name, tool, expect.stringMatching(words)])
}

let stack: AsyncDisposableStack
let simulators: Simulators
let folder: HushgateFolder
beforeAll(async () => {
  stack = new AsyncDisposableStack()
  folder = stack.use(await createHushgateFolder())
  simulators = stack.use(await simulatorsIn(folder))
})
afterAll(() => stack.disposeAsync())
let ofTest: AsyncDisposableStack
beforeEach(() => {
  ofTest = new AsyncDisposableStack()
})
afterEach(() => ofTest.disposeAsync())

function simulatorsIn({ path }: HushgateFolder): Promise<Simulators> {
  return startSimulators({ folder: path, onApplePush: () => {}, onGooglePush: () => {} })
}

const apple = (folderOfKeys: HushgateFolder, from: Simulators = simulators) => ({
  type: 'apns',
  key_file: folderOfKeys.at('AuthKey.p8'),
  key_id: 'SIMULATED1',
  team_id: 'SIMULATED2',
  topic: 'com.example.app',
  endpoint: from.apnsUrl,
  ca_file: folderOfKeys.at('ca.pem'),
})
const google = (folderOfKeys: HushgateFolder) => ({
  type: 'fcm',
  service_account_file: folderOfKeys.at('service-account.json'),
  endpoint: simulators.fcmUrl,
  ca_file: folderOfKeys.at('ca.pem'),
})

interface Running extends Tools {
  readonly gateway: HushgateProcess
  readonly folder: HushgateFolder
  /** Resolves with the status. */
  push(app: string, pushkey: string): Promise<number>
  /** Resolves once the app has had an answer that was none. */
  failed(app: string): Promise<void>
}

interface Settings {
  readonly store?: string
  readonly queue?: string
  readonly settings?: string
  readonly nodeOptions?: readonly string[]
}

async function run(
  apps: object,
  { nodeOptions = [], ...config }: Settings = {},
  prepared?: HushgateFolder,
): Promise<Running> {
  const own = prepared ?? ofTest.use(await createHushgateFolder())
  const adminPort = await freePort()
  await own.configure({ appsYaml: `apps: ${JSON.stringify(apps)}`, adminPort, ...config })
  const gateway = ofTest.use(startHushgate(['serve'], { folder: own.path, nodeOptions }))
  const { notify } = await gateway.running()
  const tools = toolsOf({ folder: own, gateway, adminPort, nodeOptions })
  let events = 0
  return {
    ...tools,
    gateway,
    folder: own,
    async push(app, pushkey) {
      events += 1
      const notification = { event_id: `$${events}`, prio: 'high', devices: [{ app_id: app, pushkey }] }
      return (await postTo(notify, JSON.stringify({ notification }))).status
    },
    failed: (app) => until(`${app} fails`, async () => (await tools.app(app))?.lastFailure !== null),
  }
}

/** All tools of an app that was pushed to and does not deliver. */
async function askAll(running: Running, app: string, pushkey: string): Promise<Said> {
  const [check, status, find, api] = await Promise.all([
    running.check(app),
    running.status(app),
    running.find(pushkey, app),
    running.api(app),
  ])
  return { check, status, find, api, log: running.log(app) }
}

/** All tools of a store. */
async function askOfStore(running: Running): Promise<Said> {
  const [check, status, api] = await Promise.all([
    running.check('store'),
    running.status('store'),
    running.api('store'),
  ])
  return { check, status, api, log: running.log('store') }
}

const SET_UP = 'Twelve broken set-ups'
const FAULT = 'Ten faults'
const DEVICE = 'Five devices'

describe('broken set-ups', () => {
  it('credentials, names and certificates that are wrong', async () => {
    const authority = createAuthority()
    const account = createServiceAccount('simulated-project', new URL('/token', simulators.fcmUrl).href)
    await folder.write(
      'revoked.json',
      JSON.stringify({
        ...JSON.parse(await readFile(folder.at('service-account.json'), 'utf8')),
        client_email: account.client_email.replace('push@', 'gone@'),
      }),
    )
    const expired = authority.issue({
      commonName: 'Apple Push Services',
      uid: 'com.example.app',
      notAfter: new Date(Date.now() - 48 * HOUR_MS),
    })
    await folder.write('expired.pem', expired.cert + expired.key)
    await folder.write('apple-ca.pem', authority.certificate)
    const strict = createSecureServer({
      ...authority.issue({ commonName: 'api.push.apple.com', hosts: ['127.0.0.1'] }),
      ca: authority.certificate,
      requestCert: true,
      rejectUnauthorized: true,
    })
    strict.on('sessionError', () => {}).listen(0, '127.0.0.1')
    await once(strict, 'listening')
    ofTest.defer(() => void strict.close())
    const address = strict.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const apps = {
      'wrong-key-id': { ...apple(folder), key_id: 'SIMULATEDX' },
      'wrong-team': { ...apple(folder), team_id: 'SIMULATEDX' },
      'wrong-topic': { ...apple(folder), topic: 'com.example.other' },
      'expired-certificate': {
        type: 'apns',
        cert_file: folder.at('expired.pem'),
        topic: 'com.example.app',
        endpoint: `https://127.0.0.1:${port}`,
        ca_file: folder.at('apple-ca.pem'),
      },
      'wrong-project': { ...google(folder), project_id: 'another-project' },
      'revoked-service-account': { ...google(folder), service_account_file: folder.at('revoked.json') },
      'dns-failing': { ...apple(folder), endpoint: 'https://push.invalid' },
    }
    const running = await run(apps)
    for (const app of Object.keys(apps)) {
      const { apns } = newPushkey()
      await running.push(app, apns)
      await running.failed(app)
      note(SET_UP, app, await askAll(running, app, apns))
    }
  })

  it('a clock that is off', async () => {
    const own = ofTest.use(await createHushgateFolder())
    await own.write(CLOCK_FILE, String(-2 * HOUR_MS))
    const running = await run({ [APP]: apple(folder) }, { nodeOptions: ['--import', CLOCK] }, own)
    const { apns } = newPushkey()
    await running.push(APP, apns)
    await running.failed(APP)
    note(SET_UP, 'clock-off', await askAll(running, APP, apns))
  })

  it('a proxy that refuses', async () => {
    const proxy = ofTest.use(await startProxy({ connectPorts: [1] }))
    const running = await run({ [APP]: apple(folder) }, { settings: `proxy: http://127.0.0.1:${proxy.port}` })
    const { apns } = newPushkey()
    await running.push(APP, apns)
    await running.failed(APP)
    note(SET_UP, 'proxy-refusing', await askAll(running, APP, apns))
  })

  it.each([
    ['redis-evicting', { 'maxmemory-policy': 'allkeys-lru', maxmemory: '100mb' }, 'may evict what is stored'],
    ['redis-without-persistence', { appendonly: 'no' }, 'loses what is stored'],
  ])('%s', async (name, settings, danger) => {
    const running = await run({ [APP]: apple(folder) }, { store: urlOf(await redisWith(settings)) })
    // The log says it a moment after the others know.
    await running.gateway.logged(danger)
    note(SET_UP, name, await askOfStore(running))
  })

  it('a disk that is full', async () => {
    const disk = ofTest.use(await mountSmallDisk())
    const running = await run(
      { [APP]: apple(folder) },
      { store: JSON.stringify({ url: `sqlite:${join(disk.path, 'hushgate.db')}` }) },
    )
    await disk.fill()
    await until('it refuses', async () => (await running.push(APP, newPushkey().apns)) === 503)
    note(SET_UP, 'disk-full', await askOfStore(running))
  })
})

async function redisWith(settings: Readonly<Record<string, string>>): Promise<TestRedis> {
  const redis = await startRedis({ settings })
  ofTest.defer(() => redis.stop())
  return redis
}

function urlOf({ port }: TestRedis): string {
  return `{ url: "redis://127.0.0.1:${port}" }`
}

describe('faults', () => {
  it('of a push service', async () => {
    const apps = {
      'answers-429': apple(folder),
      'answers-503': apple(folder),
      hangs: apple(folder),
      'refuses-connections': { ...apple(folder), endpoint: `https://127.0.0.1:${await freePort()}` },
      'tls-fails': { ...apple(folder), ca_file: folder.at('other-ca.pem') },
    }
    await folder.write('other-ca.pem', createAuthority().certificate)
    const scripts = new Map([
      ['answers-429', 's429.rTooManyRequests.a600'],
      ['answers-503', 's503.a600'],
      ['hangs', 'hang'],
    ])
    const running = await run(apps)
    const pushkeys = new Map(Object.keys(apps).map((app) => [app, newPushkey(scripts.get(app)).apns]))
    for (const [app, pushkey] of pushkeys) await running.push(app, pushkey)
    for (const [app, pushkey] of pushkeys) {
      await running.failed(app)
      note(FAULT, app, await askAll(running, app, pushkey))
    }
  })

  it('a credential that is revoked while it runs', async () => {
    const own = ofTest.use(await createHushgateFolder())
    const services = ofTest.use(await simulatorsIn(own))
    const running = await run({ [APP]: apple(own, services) }, {}, own)
    await running.push(APP, newPushkey().apns)
    await until('one is delivered', async () => typeof (await running.app(APP))?.lastDeliveredAtMs === 'number')
    services.apple.answerAll('s403.rInvalidProviderToken')
    const { apns } = newPushkey()
    await running.push(APP, apns)
    await running.failed(APP)
    note(FAULT, 'credential-revoked', await askAll(running, APP, apns))
  })

  it('a Redis that is away', async () => {
    const redis = await redisWith({})
    const running = await run({ [APP]: apple(folder) }, { store: urlOf(redis) })
    await redis.kill()
    await running.gateway.logged('nothing can be stored')
    expect(await running.push(APP, newPushkey().apns)).toBe(503)
    note(FAULT, 'redis-away', await askOfStore(running))
  })

  it('a Redis that is full', async () => {
    const redis = await redisWith({})
    const running = await run({ [APP]: apple(folder) }, { store: urlOf(redis) })
    await (await redis.client()).config('SET', 'maxmemory', '1mb')
    await running.gateway.logged('nothing can be stored')
    expect(await running.push(APP, newPushkey().apns)).toBe(503)
    note(FAULT, 'redis-full', await askOfStore(running))
  })

  it('a process that is frozen', async () => {
    const running = await run({ [APP]: apple(folder) })
    running.gateway.signal('SIGSTOP')
    note(FAULT, 'process-frozen', await askAll(running, APP, newPushkey().apns))
    running.gateway.signal('SIGCONT')
  })

  it('a queue at its high water', async () => {
    const running = await run({ [APP]: apple(folder) }, { queue: 'high_water: 3' })
    await until('it refuses', async () => (await running.push(APP, newPushkey('s503.a600').apns)) === 503)
    note(FAULT, 'high-water', {
      check: await running.check(APP),
      status: await running.status(APP),
      api: await running.api(APP),
      log: running.log(APP),
    })
  })
})

async function attempted(running: Running, pushkey: string, app: string): Promise<boolean> {
  return (await running.find(pushkey, app)).some((line) => line.startsWith('last attempt'))
}

describe('devices', () => {
  it('five with different fates', async () => {
    const running = await run({ [APP]: apple(folder), 'com.example.android': google(folder) })
    const cases: readonly (readonly [string, string, string])[] = [
      ['delivered', APP, newPushkey().apns],
      ['dead', APP, newPushkey('rUnregistered').apns],
      ['waits', 'com.example.android', newPushkey('s503.a600').fcm],
      ['given-up', APP, newPushkey('s400.rBadMessageId').apns],
      ['unknown-app', 'com.example.mistyped', newPushkey().apns],
    ]
    for (const [name, app, pushkey] of cases) {
      await running.push(app, pushkey)
      if (name !== 'unknown-app') await until('it was attempted', () => attempted(running, pushkey, app))
      const [find, status, device] = await Promise.all([
        running.find(pushkey, app),
        running.status(app),
        running.deviceOf(pushkey, app),
      ])
      const unknown = name === 'unknown-app' ? { unknown: await running.unknownApps() } : {}
      note(DEVICE, name, { find, status, ...unknown, log: running.log(app, device) })
    }
  })
})

it('is what the document says', async () => {
  const text = documentOf(said)
  if (process.env['UPDATE_WHAT_EACH_TOOL_SAYS'] !== undefined) await writeFile(FILE, text)
  expect(text).toBe(await readFile(FILE, 'utf8'))
})
