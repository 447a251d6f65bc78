/** What becomes of pushes when the process is told to stop, on both stores. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { metricValue } from '../helpers/gateway.ts'
import { createHushgateFolder, startHushgate, type HushgateFolder } from '../helpers/hushgate-process.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'
import { startStores, STORES, type TestStores } from '../helpers/stores.ts'
import { pushTo } from '../helpers/homeserver.ts'

const IOS = 'com.example.ios'
const ON_THEIR_WAY = 50

let services: PushServices
let stores: TestStores
let folder: HushgateFolder
beforeAll(async () => {
  ;[services, stores] = await Promise.all([startPushServices(), startStores()])
})
afterAll(async () => {
  await Promise.all([services[Symbol.asyncDispose](), stores.stop()])
})
beforeEach(async () => {
  folder = await createHushgateFolder()
})
afterEach(() => folder[Symbol.asyncDispose]())

it('ends when the thread of the database does, so that whoever runs it starts it anew', async () => {
  await folder.configure({ appsYaml: services.appsYaml })
  // What a thread that runs out of memory does; the second message to it is the last.
  await folder.write(
    'end-thread.mjs',
    `import { Worker } from 'node:worker_threads'
    let messages = 0
    const { postMessage } = Worker.prototype
    Worker.prototype.postMessage = function (message) {
      if ((messages += 1) === 2) return void this.terminate()
      return postMessage.call(this, message)
    }`,
  )
  const nodeOptions = ['--import', folder.at('end-thread.mjs')]
  await using gateway = startHushgate(['serve'], { folder: folder.path, nodeOptions })
  const { code, stderr } = await gateway.ended
  expect(code).toBe(70)
  expect(stderr).toContain('"error":"DatabaseThreadEndedError"')
})

describe.each(STORES)('on %s', (store) => {
  beforeEach(() => folder.configure({ appsYaml: services.appsYaml, store: stores.section(store) }))
  const serve = () => startHushgate(['serve'], { folder: folder.path })

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'what is on its way at %s is delivered first, once, and nothing is left over',
    async (signal) => {
      const keys = Array.from({ length: ON_THEIR_WAY }, () => newPushkey('d50'))
      await using gateway = serve()
      const { notify: url } = await gateway.running()
      // One request, so that all are handed out in the same moment; the first to come is told 50 ms later that it was accepted.
      expect(await notify(url, keys)).toBe(200)
      await Promise.any(keys.map(({ token }) => services.waitFor(token, 1)))
      gateway.signal(signal)
      const { code, stderr } = await gateway.ended
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
      expectEachOnce(keys)

      await using next = serve()
      const { notify: nextUrl, admin } = await next.running()
      expect(await left(admin)).toBe(0)
      const last = newPushkey()
      await notify(nextUrl, [last])
      await services.waitFor(last.token, 1)
      expectEachOnce(keys)
    },
  )

  it('a second signal ends the process at once; what was on its way is delivered by the next', async () => {
    const key = newPushkey('hang.n1')
    await using gateway = serve()
    await notify((await gateway.running()).notify, [key])
    const [first] = await services.waitFor(key.token, 1)
    gateway.signal('SIGTERM')
    await gateway.logged('Stopping')
    gateway.signal('SIGTERM')
    // With one signal it would wait for the push service, and end with 0.
    expect(await gateway.ended).toMatchObject({ code: 130, stderr: '' })

    await using next = serve()
    await next.running()
    const [, again] = await services.waitFor(key.token, 2)
    expect(again).toMatchObject({ status: 200, headers: { 'apns-id': first?.headers['apns-id'] } })
  })
})

async function notify(url: string, keys: readonly { readonly apns: string }[]): Promise<number> {
  const devices = keys.map(({ apns }) => ({ app_id: IOS, pushkey: apns }))
  const notification = { event_id: '$event', room_id: '!room:example.org', prio: 'high', devices }
  return (await pushTo(url, notification)).status
}

function expectEachOnce(keys: readonly { readonly token: string }[]): void {
  expect(keys.map(({ token }) => services.of(token).map(({ status }) => status))).toEqual(keys.map(() => [200]))
}

/** Deliveries in the store, whatever their state. */
async function left(admin: string): Promise<number> {
  const text = await (await fetch(`${admin}/metrics`)).text()
  const counts = ['waiting', 'delayed', 'active', 'dead'].map((state) =>
    metricValue(text, 'hushgate_queue_deliveries', { app: IOS, state }),
  )
  return counts.reduce<number>((sum, count = Number.NaN) => sum + count, 0)
}
