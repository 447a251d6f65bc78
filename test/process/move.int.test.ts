/** `hushgate move` as an operator runs it: from a gateway on SQLite to one on Redis, killed on the way. */
import { readFile, writeFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { freePort } from '../helpers/free-port.ts'
import { postTo, pushTo, type Answer } from '../helpers/homeserver.ts'
import {
  createHushgateFolder,
  runHushgate,
  startHushgate,
  type HushgateFolder,
  type HushgateProcess,
} from '../helpers/hushgate-process.ts'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { createDeliveries, createKeyring, keyringIn } from '../helpers/delivery.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'
import { until } from '../helpers/received.ts'
import { startRedis, type TestRedis } from '../helpers/redis.ts'

const ANDROID = 'com.example.android'
const DEVICES_AT_ONCE = 100
const WAITING = 3000
/** How many keys there are in Redis when the move is killed: it has some of the facts, one for each push, and then some of the pushes. */
const KILLED_AT = [1000, WAITING + 1000]

let stack: AsyncDisposableStack
let services: PushServices
let folder: HushgateFolder
let redis: TestRedis
let adminPort: number
beforeEach(async () => {
  stack = new AsyncDisposableStack()
  services = stack.use(await startPushServices())
  folder = stack.use(await createHushgateFolder())
  redis = await startRedis()
  stack.defer(() => redis.stop())
  adminPort = await freePort()
  const common = { appsYaml: services.appsYaml, adminPort }
  await folder.configure({ ...common, store: `{ url: "redis://127.0.0.1:${redis.port}" }` })
  await writeFile(folder.at('redis.yaml'), await readFile(folder.at('hushgate.yaml')))
  await folder.configure(common)
})
afterEach(() => stack.disposeAsync())

async function serve(config: string): Promise<HushgateProcess> {
  return stack.use(startHushgate(['serve', '--config', config], { folder: folder.path }))
}

async function stop(gateway: HushgateProcess): Promise<void> {
  gateway.signal('SIGTERM')
  await gateway.ended
}

async function admin(path: string, body?: object): Promise<Answer> {
  const headers = { authorization: `Bearer ${await readFile(folder.at('token'), 'utf8')}` }
  const url = `http://127.0.0.1:${adminPort}/api/v1/${path}`
  const sent = body && {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(body),
  }
  const response = await fetch(url, sent ?? { headers })
  return { status: response.status, json: await response.json() }
}

/** Writes sharded.yaml: the configuration with the Redis, but with more shards. */
async function spread(): Promise<void> {
  const text = await readFile(folder.at('redis.yaml'), 'utf8')
  await writeFile(folder.at('sharded.yaml'), text.replace('store: {', `store: { shards: { ${ANDROID}: 4 },`))
}

const move = ['move', '--config', 'hushgate.yaml', '--to', 'redis.yaml']

it('moves all from SQLite to Redis, killed on the way and repeated, and each push is delivered once', async () => {
  const pushkeys = Array.from({ length: WAITING }, () => newPushkey().fcm)
  const [dead, failed] = [newPushkey('rUNREGISTERED').fcm, newPushkey('s400.rINVALID_ARGUMENT').fcm]
  const requests = Array.from({ length: WAITING / DEVICES_AT_ONCE }, (_, index) => ({
    event_id: `$${index}`,
    prio: 'high',
    devices: pushkeys
      .slice(index * DEVICES_AT_ONCE, (index + 1) * DEVICES_AT_ONCE)
      .map((pushkey) => ({ app_id: ANDROID, pushkey })),
  }))
  const before = await serve('hushgate.yaml')
  const { notify } = await before.running()
  await pushTo(notify, { event_id: '$dead', devices: [{ app_id: ANDROID, pushkey: dead }] })
  await pushTo(notify, { event_id: '$failed', devices: [{ app_id: ANDROID, pushkey: failed }] })
  await before.logged('A pushkey is dead')
  await before.logged('A delivery was given up')
  expect(await admin('pause', { app: ANDROID })).toMatchObject({ status: 200 })
  for (const request of requests) expect((await pushTo(notify, request)).status).toBe(200)

  expect(await runHushgate(move, { folder: folder.path })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('A gateway runs and answers'),
  })
  const letters = (await admin('dead')).json
  await stop(before)

  const client = await redis.client()
  for (const keys of KILLED_AT) {
    const killed = stack.use(startHushgate(move, { folder: folder.path }))
    while ((await client.dbsize()) < keys) await delay(1)
    await killed.end('SIGKILL')
    expect((await killed.ended).signal).toBe('SIGKILL')
  }
  expect(await client.dbsize()).toBeLessThan(2 * WAITING)
  for (const config of ['hushgate.yaml', 'redis.yaml'])
    expect(await runHushgate(['serve', '--config', config], { folder: folder.path })).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('was not finished'),
    })
  // Neither is all of what is held, so nobody is told that it is removed.
  for (const config of ['hushgate.yaml', 'redis.yaml'])
    expect(
      await runHushgate(['forget', '--config', config, '--app', ANDROID, '--pushkey', pushkeys[0] ?? ''], {
        folder: folder.path,
      }),
    ).toMatchObject({ code: 1, stderr: expect.stringContaining('was not finished') })
  await spread()
  expect(
    await runHushgate(['move', '--config', 'hushgate.yaml', '--to', 'sharded.yaml'], { folder: folder.path }),
  ).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('store.shards is another'),
  })

  const finished = await runHushgate([...move, '--json'], { folder: folder.path })
  expect(finished).toMatchObject({ code: 0, stderr: '' })
  expect(JSON.parse(finished.stdout)).toMatchObject({ deliveries: WAITING, deadLetters: 1, unreadable: 0 })
  expect(await runHushgate(['serve', '--config', 'hushgate.yaml'], { folder: folder.path })).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('was moved into another'),
  })

  const after = await serve('redis.yaml')
  const { notify: url } = await after.running()
  expect(await admin('status')).toMatchObject({
    json: { apps: expect.arrayContaining([expect.objectContaining({ app: ANDROID, state: 'paused' })]) },
  })
  expect((await admin('dead')).json).toEqual(letters)
  const known = { event_id: '$again', devices: [{ app_id: ANDROID, pushkey: dead }] }
  expect(await pushTo(url, known)).toMatchObject({ json: { rejected: [dead] } })
  expect(services.received.filter(({ token }) => pushkeys.includes(token))).toEqual([])
  await admin('resume', { app: ANDROID })
  await until('all are delivered', () => services.received.filter(({ status }) => status === 200).length >= WAITING)
  // What a homeserver repeats is known.
  for (const request of requests.slice(0, 3)) expect((await pushTo(url, request)).status).toBe(200)
  await stop(after)
  const delivered = services.received.filter(({ status }) => status === 200).map(({ token }) => token)
  expect(delivered.toSorted()).toEqual(pushkeys.toSorted())
})

it('says what stays in the file and for which apps something waits, and does not have the file deleted then', async () => {
  for (const [keyring, count] of [
    [createKeyring(), 2],
    [keyringIn(await readFile(folder.at('keys'), 'utf8')), 3],
  ] as const) {
    const path = folder.at('hushgate.db')
    await using sqlite = await openSqliteStore({
      path,
      keyring,
      nowMs: Date.now,
      synchronous: 'NORMAL',
      onError: () => {},
    })
    await sqlite.queue.add(createDeliveries(count, { route: 'com.example.gone' }))
  }
  const moved = await runHushgate(move, { folder: folder.path })
  expect(moved).toMatchObject({ code: 2, stderr: '' })
  expect(moved.stdout).toContain('Moved: 3 deliveries')
  expect(moved.stdout).toContain('redis.yaml does not have com.example.gone')
  expect(moved.stdout).toContain('2 cannot be opened')
  expect(moved.stdout).not.toContain('delete it')
  const started = await runHushgate(['serve', '--config', 'hushgate.yaml'], { folder: folder.path })
  expect(started).toMatchObject({ code: 1, stderr: expect.stringContaining('2 pushes could not') })
  expect(started.stderr).not.toContain('delete this file')
})

it('a gateway that starts while Redis is away accepts and sends nothing of it before it knows that all is there', async () => {
  const [waiting, posted] = [newPushkey().fcm, newPushkey().fcm]
  const before = await serve('hushgate.yaml')
  const { notify } = await before.running()
  await admin('pause', { app: ANDROID })
  await pushTo(notify, { event_id: '$waiting', prio: 'high', devices: [{ app_id: ANDROID, pushkey: waiting }] })
  await stop(before)
  expect(await runHushgate(move, { folder: folder.path })).toMatchObject({ code: 0 })
  const client = await redis.client()
  const [markKey = ''] = await client.keys('*:memory:move')
  const mark = (await client.get(markKey)) ?? ''
  expect(mark).toContain('arrived')
  // As a move leaves it that was killed on the way.
  await client.set(markKey, mark.replace('arrived', 'arriving'))
  await client.del(await client.keys('*:memory:paused'))
  await redis.kill()

  const gateway = await serve('redis.yaml')
  const { notify: url } = await gateway.running()
  const request = { event_id: '$posted', prio: 'high', devices: [{ app_id: ANDROID, pushkey: posted }] }
  expect((await postTo(url, JSON.stringify({ notification: request }))).status).toBe(503)
  await redis.start()
  expect(await gateway.logged('Nothing is accepted or sent')).toMatchObject({
    reason: expect.stringContaining('was not finished'),
  })
  expect((await postTo(url, JSON.stringify({ notification: request }))).status).toBe(503)
  const ready = await fetch(`http://127.0.0.1:${adminPort}/readyz`)
  expect(ready.status).toBe(503)
  expect(await ready.text()).toContain('was not finished')
  expect(services.received).toEqual([])

  await (await redis.client()).set(markKey, mark)
  expect((await pushTo(url, request)).status).toBe(200)
  await until('both are delivered', () => services.received.length >= 2)
  expect(services.received.map(({ token }) => token).toSorted()).toEqual([waiting, posted].toSorted())
  await stop(gateway)
})
