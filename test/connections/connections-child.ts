/**
 * Hushgate in a network of its own, set up as an operator would, and traced. Prints as JSON what each process looked up and connected to.
 * Started by connections.int.test.ts, which says what is to be seen.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { connectionsIn, tracer } from './connections.ts'
import { createHushgateFolder, startHushgate, type HushgateProcess } from '../helpers/hushgate-process.ts'
import { ADDRESSES, COLLECTOR, REDIS, startPushServices } from './internet.ts'
import { createOwnNetwork } from './own-network.ts'
import { startOtlpCollector } from '../helpers/otlp-collector.ts'
import { startRedis } from '../helpers/redis.ts'
import { startFakeProxy } from '../network/fake-proxy.ts'

/** What one process did. */
export interface Observed {
  readonly code: number | null
  readonly asked: readonly string[]
  readonly connected: readonly string[]
}

const IDLE_MS = 60_000
/** Opens what nobody configured, in each way that there is, also in a thread. */
const STRAY = `
import { createSocket } from 'node:dgram'
import { lookup, Resolver } from 'node:dns'
import { connect } from 'node:net'
import { Worker } from 'node:worker_threads'
lookup('telemetry.example.com', () => {})
const waiting = connect(443, '203.0.113.1')
setTimeout(() => waiting.destroy(), 100)
const inThread = "const waiting = require('node:net').connect(443, '203.0.113.4'); setTimeout(() => waiting.destroy(), 100)"
new Worker(inThread, { eval: true, execArgv: [] })
connect(443, '2001:db8::1').on('error', () => {})
connect('/run/stray.socket').on('error', () => {})
createSocket('udp4').unref().send('x', 123, '203.0.113.2')
const resolver = new Resolver()
resolver.setServers(['203.0.113.3'])
resolver.resolve4('example.com', () => {})
resolver.cancel()
`
const NOTIFICATION = {
  event_id: '$event',
  room_id: '!room:example.org',
  devices: [{ app_id: 'com.example.android', pushkey: 'device' }],
}
const SYGNAL =
  'apps: { com.example.android: { type: gcm, api_version: v1, project_id: p, service_account_file: FIRST12345.json } }'
/** None of them is sent anything that it does not read. */
const COMMANDS = [
  'check',
  'check --online',
  'render',
  'schema',
  'keygen store',
  'import sygnal.yaml',
  'health',
  'dead list',
  'forget --app com.example.android --pushkey device',
]

const network = await createOwnNetwork(ADDRESSES)
const folder = await createHushgateFolder()
const services = await startPushServices(folder.path)

/** What an operator configures besides the apps. */
let store: string | undefined
let settings: string | undefined

const scenarios: Readonly<Record<string, () => Promise<unknown>>> = {
  sqlite: () => serve(liveAndIdle),
  redis: () => withRedis(() => serve(liveAndIdle)),
  commands: () => withRedis(runCommands),
  async proxy() {
    await using proxy = await startFakeProxy('tunnel', ADDRESSES)
    settings = `proxy: http://127.0.0.1:${proxy.port}`
    return await serve(live) // before the proxy goes
  },
  async traced() {
    await using proxy = await startFakeProxy('tunnel', ADDRESSES)
    await using _collector = await startOtlpCollector({ host: ADDRESSES[COLLECTOR], port: 4318 })
    settings = `proxy: http://127.0.0.1:${proxy.port}\ntracing: { otlp_url: "http://${COLLECTOR}:4318" }`
    return await serve(live)
  },
  async stray() {
    await folder.write('stray.mjs', STRAY)
    return serve(async (gateway) => void (await gateway.running()), ['--import', folder.at('stray.mjs')])
  },
}
const [, , scenario = ''] = process.argv
process.stdout.write(JSON.stringify(await scenarios[scenario]?.()))
await services.close()
network.close()

async function withRedis<T>(use: () => Promise<T>): Promise<T> {
  const redis = await startRedis({ settings: { bind: ADDRESSES[REDIS], port: 6379, 'protected-mode': 'no' } })
  store = `{ url: "redis://${REDIS}" }`
  const used = await use()
  await redis.stop()
  return used
}

function configure(version: 0 | 1): Promise<void> {
  return folder.configure({ appsYaml: services.appsYaml[version], adminPort: 5001, store, settings })
}

async function observe(
  args: readonly string[],
  use: (hushgate: HushgateProcess) => Promise<void>,
  nodeOptions: readonly string[] = [],
): Promise<Observed> {
  const trace = folder.at('trace')
  const stdin = JSON.stringify({ notification: NOTIFICATION })
  network.takeAsked()
  await using hushgate = startHushgate(args, { folder: folder.path, under: tracer(trace), nodeOptions, stdin })
  try {
    await use(hushgate)
  } catch (error) {
    throw new Error(`this was printed:\n${hushgate.stdout()}`, { cause: error })
  }
  // The tracer holds the streams of what it traces, so it has ended as well.
  const { code } = await hushgate.ended
  return { code, asked: network.takeAsked(), connected: await connectionsIn(trace) }
}

/** A gateway, until it has been used. */
async function serve(
  use: (gateway: HushgateProcess) => Promise<void>,
  nodeOptions?: readonly string[],
): Promise<Observed> {
  await configure(0)
  const useAndEnd = async (gateway: HushgateProcess): Promise<void> => {
    await use(gateway)
    gateway.signal('SIGTERM')
  }
  return observe(['serve'], useAndEnd, nodeOptions)
}

/** What a gateway goes through: outcomes, an access token that is refused, other credentials. */
async function live(gateway: HushgateProcess): Promise<void> {
  const { notify, admin } = await gateway.running()
  await services.push(notify)
  await services.push(notify, 's404', 404)
  await services.push(notify, 's410', 410)
  await services.push(notify, 's503.a1.n1')
  const tokenRequests = services.tokenRequests()
  services.revokeTokens()
  await services.push(notify)
  if (services.tokenRequests() < tokenRequests + 2)
    throw new Error('Google and Huawei were not both asked for an access token')
  const pages = [`${notify}/`, `${notify}/_hushgate/privacy`, `${admin}/healthz`, `${admin}/readyz`, `${admin}/metrics`]
  for (const page of pages) if (!(await fetch(page)).ok) throw new Error(`${page} does not answer`)
  await configure(1)
  gateway.signal('SIGHUP')
  await gateway.logged('The configuration was reloaded')
  await services.push(notify)
}

async function liveAndIdle(gateway: HushgateProcess): Promise<void> {
  await live(gateway)
  await delay(IDLE_MS)
  const { notify } = await gateway.running()
  await services.push(notify)
}

/** Each where no gateway runs. */
async function runCommands(): Promise<Record<string, Observed>> {
  await configure(0)
  await folder.write('sygnal.yaml', SYGNAL)
  const observed: Record<string, Observed> = {}
  for (const command of COMMANDS) observed[command] = await observe(command.split(' '), async () => {})
  return observed
}
