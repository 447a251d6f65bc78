/** Stock apps with UnifiedPush and ntfy, or what stands in for it: from the app's question for a gateway to what its subscriber reads, over a kill of either side, on both stores. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  createHushgateFolder,
  startHushgate,
  type HushgateFolder,
  type HushgateProcess,
} from '../helpers/hushgate-process.ts'
import { NTFY } from '../helpers/ntfy.ts'
import { NOTIFY_PATH, startPushServerHost, unifiedPushApp, type PushServerHost } from '../helpers/push-server.ts'
import { until } from '../helpers/received.ts'
import { STOCK_APPS } from '../helpers/stock-apps.ts'
import { startStores, STORES, type TestStores } from '../helpers/stores.ts'

const ROOM_ID = '!room:hush.test'
const TEST_EVENT_ID = '$THIS_IS_A_FAKE_EVENT_ID'

describe(`${NTFY.name} behind a proxy that passes one path to Hushgate`, () => {
  let stores: TestStores
  beforeAll(async () => {
    stores = await startStores()
  })
  afterAll(() => stores.stop())

  describe.each(STORES)('on %s', (store) => {
    let host: PushServerHost
    let folder: HushgateFolder
    let gateway: HushgateProcess
    const startGateway = async (): Promise<void> => {
      gateway = startHushgate(['serve'], { folder: folder.path })
      host.passTo((await gateway.running()).notify)
    }
    beforeAll(async () => {
      host = await startPushServerHost(NTFY.start)
      folder = await createHushgateFolder()
      await folder.configure({
        appsYaml: `apps: ${JSON.stringify({ unifiedpush: unifiedPushApp(host.caFile) })}`,
        store: stores.section(store),
      })
      await startGateway()
    })
    afterAll(async () => {
      await gateway[Symbol.asyncDispose]()
      await folder[Symbol.asyncDispose]()
      await host[Symbol.asyncDispose]()
    })

    describe.each(STOCK_APPS)('$name', (app) => {
      const topic = `up${store}${app.name.replaceAll(/\W/g, '')}`.padEnd(14, '0')
      const endpoint = (): string => `${host.url}/${topic}?up=1`
      const events: string[] = []

      it('finds it at the host of its endpoint', async () => {
        const found = await app.gatewayFor(endpoint(), (url) => host.ask('GET', url))
        expect(found).toBe(`${host.url}${NOTIFY_PATH}`)
      })

      it('reads which event there is, and the push server no more than that', async () => {
        await push('$first')
        await allArrived()
        const [message = ''] = await host.messages(topic)
        expect(app.read(message)).toMatchObject({ eventId: '$first', roomId: ROOM_ID })
        expect(message).toHaveLength(1024)
        for (const text of ['alice', 'hello']) expect(message).not.toContain(text)
      })

      it('gets what was accepted while the push server was away', async () => {
        await host.server.kill()
        await pushInVain('$away')
        await host.server.start()
        await allArrived()
      })

      it('gets it also after the gateway was killed meanwhile, and what the homeserver repeats once', async () => {
        await host.server.kill()
        await pushInVain('$killed')
        await gateway.end('SIGKILL')
        await host.server.start()
        await startGateway()
        await allArrived()
        events.pop()
        await push('$killed')
        await push('$after')
        await allArrived()
      })

      it('gets its test push each time', async () => {
        await push(TEST_EVENT_ID)
        await allArrived()
        await push(TEST_EVENT_ID)
        await allArrived()
      })

      /** As Synapse posts it for a pusher of this app; its test push comes from the phone, which knows no `pushkey_ts`. */
      async function push(eventId: string): Promise<void> {
        events.push(eventId)
        const registered = eventId === TEST_EVENT_ID ? {} : { pushkey_ts: 1_700_000_000 }
        const device = { app_id: app.appId, pushkey: endpoint(), data: app.data, tweaks: {}, ...registered }
        const notification = {
          event_id: eventId,
          room_id: ROOM_ID,
          sender: '@alice:hush.test',
          content: { body: 'hello' },
          counts: { unread: 1 },
          prio: 'high',
          devices: [device],
        }
        const answer = await host.ask('POST', `${host.url}${NOTIFY_PATH}`, { notification })
        expect({ ...answer, body: JSON.parse(answer.body) }).toEqual({ status: 200, body: { rejected: [] } })
      }

      /** Resolves when the gateway has tried, and was told that the push server is away. */
      async function pushInVain(eventId: string): Promise<void> {
        const refusals = (): number => host.answers.filter(({ status }) => status === 502).length
        const before = refusals()
        await push(eventId)
        await until('it was tried in vain', () => refusals() > before)
      }

      /** Each once, in the order of their acceptance. */
      async function allArrived(): Promise<void> {
        await until(`${events.length} messages for ${topic}`, async () => {
          return (await host.messages(topic)).length >= events.length
        })
        const read = (await host.messages(topic)).map((message) => app.read(message)?.eventId)
        expect(read).toEqual(events)
      }
    })
  })
})
