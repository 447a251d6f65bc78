/** A gateway that has much to do gives sending a thread of its own, and no push is lost, or sent twice, over it. */
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { providers } from '../../src/providers/index.ts'
import { startGateway } from '../helpers/gateway.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'
import { until } from '../helpers/received.ts'

const MOVED = 'from now on a thread of its own encrypts and sends Web Push'
/** Apple's stand-in goes to the thread as Web Push does. */
const kinds = { ...providers, apns: { ...providers.apns, encryptsWhenSending: true } }
/** Requests under way at once, so that the gateway never waits for the next. */
const AT_ONCE = 50

let services: PushServices
beforeAll(async () => {
  services = await startPushServices()
})
afterAll(() => services[Symbol.asyncDispose]())

it('moves while pushes are on their way, and each comes once', async () => {
  await using gateway = await startGateway({ appsYaml: services.appsYaml, mayStartThread: true, kinds })
  const { token, apns } = newPushkey()
  const devices = [{ app_id: 'com.example.ios', pushkey: apns }]
  const moved = new AbortController()
  let accepted = 0
  const post = async (): Promise<void> => {
    const notification = { event_id: `$${randomUUID()}`, room_id: '!r:example.org', devices }
    const { status } = await gateway.notify(notification)
    if (status === 200) accepted += 1
  }
  const posting = Array.from({ length: AT_ONCE }, async () => {
    while (!moved.signal.aborted) await post()
  })
  await until('sending has moved', () => gateway.log().includes(MOVED))
  moved.abort()
  await Promise.all(posting)
  for (let after = 0; after < 5; after += 1) await post()
  const arrived = await services.waitFor(token, accepted)
  expect(new Set(arrived.map(({ headers }) => headers['apns-id'])).size).toBe(accepted)
  expect(arrived).toHaveLength(accepted)
  expect(gateway.log()).not.toMatch(/"level":"?(error|50)/)
})
