/** The outbound proxy is killed under load and comes back half a minute later. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  APPS,
  SERVICES,
  startEveryPushService,
  type Arrival,
  type EveryPushService,
  type Notice,
} from '../helpers/every-push-service.ts'
import { metricValue, startGateway, type TestGateway } from '../helpers/gateway.ts'
import { logLines } from '../helpers/hushgate-process.ts'
import { startProxy } from '../helpers/proxy.ts'
import { startStores, STORES, type TestStores } from '../helpers/stores.ts'

/** Between notifications, each of them for every app. */
const PACE_MS = 50
/** Long enough that a proxy that is killed takes some answers with it. */
const ANSWER_DELAY_MS = 100
const WARM_NOTICES = 60
const OUTAGE_MS = 30_000
const LEAST_BACKLOG = 500
/** An app that no connection comes about for tries every 2 s; it must not wait for the half minute between probes of one that is blocked. */
const RECOVERY_MS = 25_000
/** What had passed the proxy when it was killed may still arrive, on a busy machine too. */
const ECHO_MS = 10_000

let services: EveryPushService
let stores: TestStores
beforeAll(async () => {
  ;[services, stores] = await Promise.all([startEveryPushService(), startStores()])
})
afterAll(async () => {
  await Promise.all([services[Symbol.asyncDispose](), stores.stop()])
})

interface Load {
  readonly accepted: readonly Notice[]
  stop(): Promise<void>
}

function startLoad(gateway: TestGateway): Load {
  const accepted: Notice[] = []
  const stopping = new AbortController()
  const sendAll = async (): Promise<void> => {
    for (let dueMs = performance.now(); !stopping.signal.aborted; dueMs += PACE_MS) {
      await sleep(Math.max(0, dueMs - performance.now()))
      const notice = services.notice(ANSWER_DELAY_MS)
      expect((await gateway.notify(notice.notification)).status).toBe(200)
      accepted.push(notice)
    }
  }
  const sending = sendAll()
  return {
    accepted,
    async stop() {
      stopping.abort()
      await sending
    },
  }
}

async function deadLetters(gateway: TestGateway): Promise<number> {
  const text = await gateway.metrics()
  return SERVICES.map(
    (service) => metricValue(text, 'hushgate_queue_deliveries', { app: APPS[service], state: 'dead' }) ?? 0,
  ).reduce((sum, count) => sum + count)
}

describe.concurrent.each(STORES)('with the proxy killed for 30 s under load, on %s', (store) => {
  it('nothing is lost, and delivery resumes soon after its return', async (context) => {
    await using proxy = await startProxy()
    await using gateway = await startGateway({
      store: stores.section(store),
      appsYaml: services.appsYaml,
      settings: `proxy: http://127.0.0.1:${proxy.port}`,
    })
    const load = startLoad(gateway)
    const ours = (): Arrival[] => {
      const tokens = new Set(load.accepted.map(({ token }) => token))
      return services.arrivals.filter(({ token }) => tokens.has(token))
    }
    while (load.accepted.length < WARM_NOTICES) await sleep(PACE_MS)
    await proxy.kill()
    const killedAtMs = Date.now()
    await sleep(OUTAGE_MS)
    while (load.accepted.length < WARM_NOTICES + LEAST_BACKLOG) await sleep(PACE_MS)
    const backlog = [...load.accepted]
    const during = ours().filter(({ atMs }) => atMs > killedAtMs + ECHO_MS)
    await proxy.start()
    const backAtMs = Date.now()
    await services.allArrived(backlog)
    const recoveryMs = Date.now() - backAtMs
    await load.stop()
    await services.allArrived(load.accepted)

    const firstsMs = SERVICES.map((service) => {
      const first = ours().find((arrival) => arrival.service === service && arrival.atMs >= backAtMs)
      return (first?.atMs ?? Infinity) - backAtMs
    })
    const repeated = ours().length - load.accepted.length * SERVICES.length
    await context.annotate(
      `${backlog.length} notifications before its return; the first came to ${SERVICES.join(', ')} after ${firstsMs.join(', ')} ms, the last of them after ${recoveryMs} ms; ${repeated} repeated`,
    )
    expect(during).toEqual([])
    expect(Math.max(...firstsMs)).toBeLessThan(RECOVERY_MS)
    expect(repeated).toBeGreaterThan(0)
    expect(await deadLetters(gateway)).toBe(0)
    const pauses = logLines(gateway.log()).filter(({ msg }) => String(msg).startsWith('Deliveries wait'))
    expect(new Set(pauses.map(({ app }) => app))).toEqual(new Set(Object.values(APPS)))
  })
})
