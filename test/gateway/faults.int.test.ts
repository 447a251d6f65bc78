/** What is left of a thousand notifications when processes are killed under them: all of them, on both stores. */
import { EventEmitter } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, describe, expect, it, type TestContext } from 'vitest'
import { startSimulators, type Simulators } from '../../src/commands/simulators.ts'
import { freePort } from '../helpers/free-port.ts'
import { metricValue } from '../helpers/gateway.ts'
import {
  createHushgateFolder,
  startHushgate,
  type HushgateFolder,
  type HushgateProcess,
} from '../helpers/hushgate-process.ts'
import { newPushkey } from '../helpers/push-services.ts'
import { until, untilNoneIsLeft } from '../helpers/received.ts'
import { startRedis } from '../helpers/redis.ts'

const NOTIFICATIONS = 1000
/** Every fourth goes to FCM. */
const FCM_SHARE = 4
/** Most pushes of one app on their way at once, and so the most that one kill can repeat. */
const CONCURRENCY = 50
/** Long enough that a process killed at the arrival of a push has not heard the answer. */
const ANSWER_DELAY_MS = 50
/** As many conversations at once as a homeserver may have with us. */
const SENDERS = 8
const RETRY_MS = 100
/** So many into its portion a fault strikes. */
const STRIKE_AT = 30
const APPS = 2

interface Notice {
  readonly token: string
  readonly body: string
}

interface Arrival {
  readonly token: string
  readonly apnsId: string | undefined
  readonly collapseId: string | undefined
  readonly atMs: number
}

let simulators: Simulators
let simulatorsFolder: HushgateFolder
let arrivals: Arrival[] = []
const arriving = new EventEmitter()
const arrived = (arrival: Omit<Arrival, 'atMs'>): void => {
  arrivals.push({ ...arrival, atMs: Date.now() })
  arriving.emit('push')
}

beforeAll(async () => {
  simulatorsFolder = await createHushgateFolder()
  simulators = await startSimulators({
    folder: simulatorsFolder.path,
    onApplePush: ({ token, headers }) =>
      arrived({
        token: Buffer.from(token, 'hex').toString(),
        apnsId: headers['apns-id'],
        collapseId: headers['apns-collapse-id'],
      }),
    onGooglePush: ({ token }) => arrived({ token, apnsId: undefined, collapseId: undefined }),
  })
})
afterAll(async () => {
  await simulators[Symbol.asyncDispose]()
  await simulatorsFolder[Symbol.asyncDispose]()
})
beforeEach(() => {
  arrivals = []
})

function createNotice(number: number): Notice {
  const { token, apns, fcm } = newPushkey(`d${ANSWER_DELAY_MS}`)
  const isFcm = number % FCM_SHARE === 0
  const device = isFcm ? { app_id: 'com.example.android', pushkey: fcm } : { app_id: 'com.example.ios', pushkey: apns }
  const notification = { event_id: `$event-${number}`, room_id: '!room:example.org', prio: 'high', devices: [device] }
  return { token, body: JSON.stringify({ notification }) }
}

/** Sends as a homeserver does: the same again until it is told 200. Emits `accepted` at each 200. */
class Sender extends EventEmitter {
  /** Answers other than 200, and connections that were refused. */
  refused = 0
  readonly #url: string

  constructor(url: string) {
    super()
    this.#url = url
  }

  async send(notices: readonly Notice[]): Promise<void> {
    const waiting = [...notices]
    const converse = async (): Promise<void> => {
      for (let notice = waiting.pop(); notice !== undefined; notice = waiting.pop()) {
        while (!(await isAccepted(notice.body, this.#url))) {
          this.refused += 1
          await sleep(RETRY_MS)
        }
        this.emit('accepted')
      }
    }
    await Promise.all(Array.from({ length: SENDERS }, converse))
  }
}

async function isAccepted(body: string, url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/_matrix/push/v1/notify`, { method: 'POST', body })
    await response.arrayBuffer()
    return response.status === 200
  } catch {
    return false
  }
}

/** Resolves in the very moment in which the event has come `count` times from now on, before anything else happens. */
function nth(emitter: EventEmitter, event: string, count: number): Promise<void> {
  return new Promise((resolve) => {
    let left = count
    const listener = (): void => {
      left -= 1
      if (left > 0) return
      emitter.off(event, listener)
      resolve()
    }
    emitter.on(event, listener)
  })
}

async function allArrived(notices: readonly Notice[]): Promise<void> {
  const missing = new Set(notices.map(({ token }) => token))
  let seen = 0
  const left = (): number => {
    for (; seen < arrivals.length; seen += 1) missing.delete(arrivals[seen]?.token ?? '')
    return missing.size
  }
  const sentence = (): string => `${missing.size} of ${notices.length} notifications were lost after a 200`
  await untilNoneIsLeft(arriving, 'push', left, sentence)
}

/** Nothing waits, is on its way, or was given up. */
async function everythingIsSettled(admin: string): Promise<void> {
  await until('nothing is left in the queues', async () => {
    const text = await (await fetch(`${admin}/metrics`)).text()
    const left = ['com.example.ios', 'com.example.android'].flatMap((app) =>
      ['waiting', 'delayed', 'active', 'dead'].map((state) =>
        metricValue(text, 'hushgate_queue_deliveries', { app, state }),
      ),
    )
    return left.every((count) => count === 0)
  })
}

/** The number of repeated pushes. */
function expectEachToBeThereAndRepeatedUnderItsName(notices: readonly Notice[]): number {
  const byToken = Map.groupBy(arrivals, ({ token }) => token)
  expect(byToken.size).toBe(notices.length)
  for (const pushes of byToken.values())
    expect(new Set(pushes.map(({ apnsId, collapseId }) => `${apnsId} ${collapseId}`)).size).toBe(1)
  const ofApple = arrivals.filter(({ apnsId }) => apnsId !== undefined)
  const names = new Set(ofApple.map(({ apnsId }) => apnsId))
  expect(names.size).toBe(new Set(ofApple.map(({ token }) => token)).size)
  return arrivals.length - notices.length
}

/** Kills something in the middle of things and brings it back; resolves with the time of the kill. */
type Fault = () => Promise<number>

/** Sends a portion of the notifications for each fault, which strikes while that portion is on its way; all arrive. */
async function sendUnderFaults(
  context: TestContext,
  sender: Sender,
  faults: readonly Fault[],
  adminUrl: () => Promise<string>,
): Promise<void> {
  const startedAtMs = Date.now()
  const notices = Array.from({ length: NOTIFICATIONS }, (_, number) => createNotice(number))
  const portion = Math.ceil(NOTIFICATIONS / faults.length)
  let killedAtMs = 0
  for (const [index, fault] of faults.entries()) {
    const sending = sender.send(notices.slice(index * portion, (index + 1) * portion))
    ;[killedAtMs] = await Promise.all([fault(), sending])
  }
  await allArrived(notices)
  await everythingIsSettled(await adminUrl())
  const repeated = expectEachToBeThereAndRepeatedUnderItsName(notices)
  // Mostly how long a process takes to start: a figure for whoever reads the report, since the machine may have other things to do.
  const recoveryMs = (arrivals.at(-1)?.atMs ?? 0) - killedAtMs
  const seconds = ((Date.now() - startedAtMs) / 1000).toFixed(1)
  await context.annotate(
    `${repeated} repeated, ${sender.refused} refused and sent again; the last came ${recoveryMs} ms after the last kill; ${seconds} s in all`,
  )
  expect(sender.refused).toBeGreaterThan(0)
  expect(repeated).toBeGreaterThan(0)
  expect(repeated).toBeLessThanOrEqual(faults.length * CONCURRENCY * APPS)
}

describe('of 1,000 notifications, each answered 200', () => {
  it('on Redis all are delivered though the worker is killed five times and Redis twice', async (context) => {
    await using folder = await createHushgateFolder()
    // With everysec, Redis holds a write that it confirmed back from its file while an fsync runs, for 2 s at most (its aof.c).
    const redis = await startRedis({ settings: { appendfsync: 'always' } })
    context.onTestFinished(() => redis.stop())
    await folder.configure({
      appsYaml: simulators.appsYaml,
      store: `{ url: "redis://127.0.0.1:${redis.port}" }`,
      queue: `concurrency: ${CONCURRENCY}`,
    })
    const start = (role: string): HushgateProcess => startHushgate(['serve', '--role', role], { folder: folder.path })
    await using http = start('http')
    let worker = start('worker')
    context.onTestFinished(() => worker[Symbol.asyncDispose]())
    await worker.running()
    const sender = new Sender((await http.running()).notify)

    const killWorker: Fault = async () => {
      await nth(arriving, 'push', STRIKE_AT)
      worker.signal('SIGKILL')
      const killedAtMs = Date.now()
      expect(await worker.ended).toMatchObject({ signal: 'SIGKILL' })
      worker = start('worker')
      await worker.running()
      return killedAtMs
    }
    const killRedis: Fault = async () => {
      const { refused } = sender
      await nth(sender, 'accepted', STRIKE_AT)
      await redis.kill()
      const killedAtMs = Date.now()
      await until('one was refused', () => sender.refused > refused)
      await redis.start()
      return killedAtMs
    }
    const faults = [killWorker, killWorker, killRedis, killWorker, killRedis, killWorker, killWorker]
    await sendUnderFaults(context, sender, faults, async () => (await worker.running()).admin)
  })

  it('on SQLite all are delivered though the whole process is killed five times', async (context) => {
    await using folder = await createHushgateFolder()
    await folder.configure({
      appsYaml: simulators.appsYaml,
      queue: `concurrency: ${CONCURRENCY}`,
      notifyPort: await freePort(),
    })
    const start = (): HushgateProcess => startHushgate(['serve'], { folder: folder.path })
    let gateway = start()
    context.onTestFinished(() => gateway[Symbol.asyncDispose]())
    const sender = new Sender((await gateway.running()).notify)

    const kill: Fault = async () => {
      await nth(arriving, 'push', STRIKE_AT)
      gateway.signal('SIGKILL')
      const killedAtMs = Date.now()
      expect(await gateway.ended).toMatchObject({ signal: 'SIGKILL' })
      gateway = start()
      await gateway.running()
      return killedAtMs
    }
    const faults = [kill, kill, kill, kill, kill]
    await sendUnderFaults(context, sender, faults, async () => (await gateway.running()).admin)
  })
})
