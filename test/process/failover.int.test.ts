/** A gateway on Redis with Sentinel, as it is unless the operator says otherwise: whichever replica takes over, it has all that was answered 200. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, it } from 'vitest'
import { createHushgateFolder, startHushgate } from '../helpers/hushgate-process.ts'
import { postTo } from '../helpers/homeserver.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'
import { until } from '../helpers/received.ts'
import { startSentinel, startWithReplicas, type TestRedis, type TestSentinel } from '../helpers/redis.ts'

const IOS = 'com.example.ios'
/** Pushes wait in Redis for so long, while it loses what it loses. */
const RELEASE_EVERY = '8s'
const POST_EVERY_MS = 20

let stack: AsyncDisposableStack
let services: PushServices
let master: TestRedis
let replicas: readonly [TestRedis, TestRedis]
let sentinel: TestSentinel
let url: string

beforeEach(async () => {
  stack = new AsyncDisposableStack()
  services = stack.use(await startPushServices())
  ;({ master, replicas } = await startWithReplicas(stack))
  sentinel = await startSentinel(master.port)
  stack.defer(() => sentinel.stop())
  await sentinel.knowsOthers(2, 0)

  const folder = stack.use(await createHushgateFolder())
  const appsYaml = services.appsYaml.replace(`${IOS}:\n`, `${IOS}:\n    release_every: ${RELEASE_EVERY}\n`)
  if (!appsYaml.includes(RELEASE_EVERY)) throw new Error(`there is no ${IOS}`)
  await folder.configure({ appsYaml, store: `{ url: "redis+sentinel://127.0.0.1:${sentinel.port}/main" }` })
  url = (await stack.use(startHushgate(['serve'], { folder: folder.path })).running()).notify
})
afterEach(() => stack.disposeAsync())

/** Posts new events one after the other until it is told to stop; what was answered 200 is in `taken`. */
function startPosting() {
  const taken: string[] = []
  const stopping = new AbortController()
  const run = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const { token, apns } = newPushkey()
      const event = { event_id: `$${token}`, room_id: '!room:example.org', type: 'm.room.message' }
      const notification = { ...event, devices: [{ app_id: IOS, pushkey: apns }] }
      if ((await postTo(url, JSON.stringify({ notification }))).status === 200) taken.push(token)
      await sleep(POST_EVERY_MS)
    }
  }
  const running = Promise.all(Array.from({ length: 4 }, run))
  const stop = async (): Promise<readonly string[]> => {
    stopping.abort()
    await running
    return taken
  }
  return { taken, stop }
}

async function isMaster(redis: TestRedis): Promise<boolean> {
  try {
    return (await (await redis.client()).info('replication')).includes('role:master')
  } catch {
    // Sentinel ends the connections of a node that becomes another.
    return false
  }
}

it('loses nothing in a planned failover', async () => {
  const { taken, stop } = startPosting()
  await until('pushes are taken', () => taken.length > 50)
  await sentinel.failOver()
  await until('a replica has taken over', async () => (await Promise.all(replicas.map(isMaster))).includes(true))
  const before = taken.length
  await until('pushes are taken again', () => taken.length > before + 50)
  for (const token of await stop()) await services.waitFor(token, 1, 200)
})

it('loses nothing where its master is killed while one replica lags', async () => {
  const [lagging, other] = replicas
  const { taken, stop } = startPosting()
  await until('pushes are taken', () => taken.length > 50)
  lagging.freeze()
  // What is posted now the lagging one has not.
  await sleep(500)
  await master.kill()
  // Not before: it would read what the master had sent it, and might then be the one that takes over.
  await until('the other has taken over', () => isMaster(other))
  lagging.thaw()
  const before = taken.length
  await until('pushes are taken again', () => taken.length > before + 50)
  for (const token of await stop()) await services.waitFor(token, 1, 200)
})
