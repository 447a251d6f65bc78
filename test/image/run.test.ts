/** The image at work: notifications in, pushes out at the simulators, and what becomes of them when its container stops. */
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { freePort } from '../helpers/free-port.ts'
import { metricValue } from '../helpers/gateway.ts'
import { createHushgateFolder, type HushgateFolder } from '../helpers/hushgate-process.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'
import { until } from '../helpers/received.ts'
import { startRedis, type TestRedis } from '../helpers/redis.ts'
import {
  createVolume,
  runContainer,
  startContainer,
  startPlainContainer,
  type Container,
  type ContainerOptions,
  type Volume,
} from './container.ts'

const IOS = 'com.example.ios'
const ANDROID = 'com.example.android'
const ON_THEIR_WAY = 50

let services: PushServices
let redis: TestRedis
let config: HushgateFolder
let volume: Volume
beforeAll(async () => {
  ;[services, redis] = await Promise.all([startPushServices(), startRedis()])
})
afterAll(async () => {
  await Promise.all([services[Symbol.asyncDispose](), redis.stop()])
})
beforeEach(async () => {
  ;[config, volume] = await Promise.all([createHushgateFolder(), createVolume()])
})
afterEach(async () => {
  await Promise.all([config[Symbol.asyncDispose](), volume[Symbol.asyncDispose]()])
})

const onSqlite = (): string => '{ url: "sqlite:/data/hushgate.db" }'
const onRedis = (): string => `{ url: "redis://127.0.0.1:${redis.port}", prefix: ${JSON.stringify(randomUUID())} }`

const mounted = (): ContainerOptions => ({ configFolder: config.path, folders: [services.folder] })
const onVolume = (): ContainerOptions => ({ ...mounted(), volume: volume.name })

async function configure(store: string): Promise<void> {
  await config.configure({ appsYaml: services.appsYaml, store, adminPort: await freePort() })
}

type Device = Readonly<{ app_id: string; pushkey: string }>

const ios = ({ apns }: { readonly apns: string }): Device => ({ app_id: IOS, pushkey: apns })

async function notify(container: Container, ...devices: readonly Device[]): Promise<number> {
  const notification = { event_id: '$event', room_id: '!room:example.org', prio: 'high', devices }
  const { notify: url } = await container.running()
  const body = JSON.stringify({ notification })
  return (await fetch(`${url}/_matrix/push/v1/notify`, { method: 'POST', body })).status
}

/** Deliveries in the store, whatever their state. */
async function left(container: Container): Promise<number> {
  const { admin } = await container.running()
  const text = await (await fetch(`${admin}/metrics`)).text()
  const states = ['waiting', 'delayed', 'active', 'dead']
  const counts = states.map((state) => metricValue(text, 'hushgate_queue_deliveries', { app: IOS, state }))
  return counts.reduce<number>((sum, count = Number.NaN) => sum + count, 0)
}

describe.each([
  ['SQLite on a volume', onSqlite, onVolume],
  ['Redis, without a volume', onRedis, mounted],
] as const)('a container on %s', (_name, store, options) => {
  beforeEach(() => configure(store()))
  const start = (): Container => startContainer(options())

  it('delivers to Apple and to Google', async () => {
    await using container = start()
    const [first, second] = [newPushkey(), newPushkey()]
    expect(await notify(container, ios(first), { app_id: ANDROID, pushkey: second.fcm })).toBe(200)
    await Promise.all([services.waitFor(first.token, 1, 200), services.waitFor(second.token, 1, 200)])
  })

  it('at SIGTERM delivers first, once, what is on its way; the next container finds nothing left over', async () => {
    const keys = Array.from({ length: ON_THEIR_WAY }, () => newPushkey('d50'))
    await using container = start()
    expect(await notify(container, ...keys.map(ios))).toBe(200)
    await Promise.any(keys.map(({ token }) => services.waitFor(token, 1)))
    container.signal('SIGTERM')
    expect(await container.ended).toMatchObject({ code: 0, stderr: '' })
    expect(keys.map(({ token }) => services.of(token).map(({ status }) => status))).toEqual(keys.map(() => [200]))
    await using next = start()
    await next.running()
    expect(await left(next)).toBe(0)
  })

  it('loses nothing when it is killed: the next container delivers what was on its way, under the same name', async () => {
    const keys = Array.from({ length: ON_THEIR_WAY }, () => newPushkey('d200'))
    await using container = start()
    expect(await notify(container, ...keys.map(ios))).toBe(200)
    await Promise.any(keys.map(({ token }) => services.waitFor(token, 1)))
    container.signal('SIGKILL')
    expect(await container.ended).toMatchObject({ code: 137 })
    await using next = start()
    await until('nothing is left', async () => (await left(next)) === 0)
    const pushes = keys.map(({ token }) => services.of(token))
    expect(pushes.filter(({ length }) => length === 0)).toEqual([])
    expect(pushes.some(({ length }) => length > 1)).toBe(true)
    expect(pushes.filter((same) => new Set(same.map(({ headers }) => headers['apns-id'])).size !== 1)).toEqual([])
  })

  it('is well by its own health check, until its gateway answers no more', async () => {
    await using container = start()
    await container.running()
    expect(await container.checkHealth()).toBe(0)
    expect(await container.command('health', '--ready')).toEqual({ code: 0, stdout: 'ready\n' })
    await config.configure({ appsYaml: services.appsYaml, store: store(), adminPort: await freePort() })
    expect(await container.checkHealth()).toBe(1)
  })
})

describe('a container without a volume', () => {
  it.each([
    ['read-only', true, 'cannot be written to (EROFS)'],
    ['with a file system of its own', false, 'is deleted with this container'],
  ])('%s refuses to keep pushes in SQLite, in one sentence', async (_name, isReadOnly, why) => {
    await configure(onSqlite())
    expect(await runContainer({ ...mounted(), isReadOnly })).toMatchObject({
      code: 1,
      stdout: '',
      stderr: `The configuration is refused:\n/etc/hushgate/hushgate.yaml: store.url: the database is to be in /data, which ${why}: mount a volume there, or give a file in another folder, or a Redis\n`,
    })
  })

  it('runs on Redis as any user', async () => {
    await configure(onRedis())
    await using container = startContainer({
      ...mounted(),
      options: ['--user', '1000710000:0', '--group-add', '65532'],
    })
    await container.running()
    expect(await container.checkHealth()).toBe(0)
  })
})

describe('a container that is given a command', () => {
  it('runs it with the mounted configuration', async () => {
    await configure(onSqlite())
    expect(await runContainer(mounted(), 'check')).toMatchObject({
      code: 0,
      stdout: 'configuration is valid: 2 apps\n',
    })
  })

  it('says what is wrong when there is no configuration', async () => {
    expect(await runContainer(mounted())).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('/etc/hushgate/hushgate.yaml does not exist'),
    })
  })
})

it('shows the demonstration where nothing is configured', async () => {
  await using container = startPlainContainer(['--volume=/data'], 'start')
  await container.printed('Stop: Ctrl-C')
  expect(container.stdout()).toMatch(/^curl http:\/\/127\.0\.0\.1:\d+\/_matrix\/push\/v1\/notify /m)
})
