/** What the notify port takes at most, as it is configured. */
import { afterEach, describe, expect, it } from 'vitest'
import { NOTIFY_PATH, type NotifyLimits } from '../../src/http/notify-server.ts'
import { createTestNotifyServer } from '../helpers/notify-server.ts'
import { openConnection } from '../helpers/raw-http.ts'
import { RecordedLog } from '../helpers/recorded-log.ts'

const LIMITS: NotifyLimits = { bodyLimitBytes: 64_000, bodyMemoryBytes: 100_000, maxDevices: 2, maxConnections: 5 }

let server: ReturnType<typeof createTestNotifyServer>
let url = ''
let log: RecordedLog
async function open(limits: Partial<NotifyLimits> = {}): Promise<void> {
  log = new RecordedLog()
  server = createTestNotifyServer({ limits: { ...LIMITS, ...limits }, log })
  url = await server.listen({ host: '127.0.0.1', port: 0 })
}
afterEach(() => server.close())

const head = (bytes: number) => `POST ${NOTIFY_PATH} HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n\r\n`
const bodyFor = (devices: number) =>
  JSON.stringify({
    notification: { event_id: '$e', devices: Array.from({ length: devices }, () => ({ app_id: 'a', pushkey: 'p' })) },
  })

describe('the notify port', () => {
  it.each([
    [2, 200, { rejected: [] }],
    [3, 413, { errcode: 'M_TOO_LARGE', error: '"notification.devices" has more than 2 devices' }],
  ])('answers a request for %i devices, where 2 may be in one, with %i', async (devices, status, json) => {
    await open()
    const response = await fetch(url + NOTIFY_PATH, { method: 'POST', body: bodyFor(devices) })
    expect([response.status, await response.json()]).toEqual([status, json])
  })

  it('closes a connection at once that is one too many, serves those that are there, and says so once', async () => {
    await open({ maxConnections: 2 })
    const [one, other] = [await openConnection(url), await openConnection(url)]
    for (let attempt = 0; attempt < 3; attempt += 1) await (await openConnection(url)).closed
    one.write(head(bodyFor(1).length) + bodyFor(1))
    expect(await one.answer()).toMatchObject({ status: 200 })
    expect(log.messages('warn')).toEqual([
      'Connections are closed at once: there are as many as http.max_connections allows',
    ])
    one.destroy()
    other.destroy()
  })

  it('refuses the largest of the bodies that are being sent where they take too much memory, closes its connection, and says so once', async () => {
    await open()
    const [large, larger, small] = [await openConnection(url), await openConnection(url), await openConnection(url)]
    large.write(head(60_000) + 'x'.repeat(45_000))
    larger.write(head(60_000) + 'x'.repeat(50_000))
    small.write(head(60_000) + 'x'.repeat(10_000))
    expect(await larger.answer()).toMatchObject({ status: 503, body: expect.stringContaining('"M_UNKNOWN"') })
    await larger.closed
    large.write('x'.repeat(15_000))
    expect(await large.answer()).toMatchObject({ status: 400 })
    expect(log.messages('warn')).toEqual([
      'Requests are refused with 503: what is being sent takes all of http.body_memory, or half of it and the body is large',
    ])
    large.destroy()
    small.destroy()
  })

  it('answers a body that is too large before it is there, and drops the rest of it, so that a proxy reads the answer; of one that is far too large it closes the connection', async () => {
    await open()
    const [large, far] = [await openConnection(url), await openConnection(url)]
    large.write(head(65_000))
    expect(await large.answer()).toMatchObject({ status: 413 })
    large.write('x'.repeat(65_000))
    large.write(head(bodyFor(1).length) + bodyFor(1))
    expect(await large.answer()).toMatchObject({ status: 200 })
    large.destroy()
    far.write(head(5 * LIMITS.bodyLimitBytes))
    expect(await far.answer()).toMatchObject({ status: 413 })
    await far.closed
  })
})
