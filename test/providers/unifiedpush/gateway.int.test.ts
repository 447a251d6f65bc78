/**
 * UnifiedPush as a self-hoster has it: the push server's host passes one path on to Hushgate, and apps find it there. Discovery and pushes are those of Element X
 * and FluffyChat, by their sources (docs/facts/apps.md#unifiedpush).
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { check } from '../../../src/commands/check.ts'
import { providers } from '../../../src/providers/index.ts'
import { createAuthority } from '../../../src/simulators/certificate.ts'
import { startHttpsFront, type HttpsFront } from '../../../src/simulators/https-front.ts'
import { startWebPushSimulator, type WebPushSimulator } from '../../../src/simulators/webpush.ts'
import { metricValue, startGateway, type TestGateway } from '../../helpers/gateway.ts'
import { until } from '../../helpers/received.ts'
import { textSink } from '../../helpers/text-sink.ts'

const ELEMENT_X = 'io.element.android.x'
const FLUFFY = 'chat.fluffy.fluffychat.DEVICEID'
const NOTIFY = '/_matrix/push/v1/notify'
let folder: string
let server: WebPushSimulator
/** The reverse proxy at the push server's host, as far as apps ask it. */
let front: HttpsFront
let gateway: TestGateway

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hushgate-unifiedpush-'))
  const authority = createAuthority()
  await writeFile(join(folder, 'ca.pem'), authority.certificate)
  server = await startWebPushSimulator({ authority, hosts: ['ntfy.fake.test'] })
  gateway = await startGateway({ appsYaml: appsYaml(), folder })
  front = await startHttpsFront({
    authority,
    names: ['localhost', 'ntfy.fake.test'],
    async answer({ method, url }) {
      if (url !== NOTIFY) return { status: 404 }
      const answer = await fetch(gateway.url + url, { method })
      return { status: answer.status, body: await answer.text() }
    },
  })
})
afterAll(async () => {
  await front.close()
  await gateway.close()
  await server.close()
  await rm(folder, { recursive: true })
})

function appsYaml(endpoint = server.url, host = 'ntfy.fake.test'): string {
  return `apps:
  unifiedpush:
    type: unifiedpush
    privacy: event_id_only
    catch_all: true
    allowed_endpoints: [${host}]
    endpoint: ${endpoint}
    ca_file: ca.pem
`
}

const register = (name: string, keys = false) =>
  server.subscribe(name, { origin: 'https://ntfy.fake.test', isPlain: !keys, needsNoVapid: true })
const of = (name: string) => server.received.filter((push) => push.name === name)
const arrived = (name: string, count = 1) => until(`${count} came for ${name}`, () => of(name).length >= count)
const push = (eventId: string, appId: string, pushkey: string, data: object = {}) =>
  gateway.notify({
    event_id: eventId,
    room_id: '!room:example.org',
    type: 'm.room.message',
    sender: '@alice:example.org',
    content: { body: 'hello' },
    counts: { unread: 2 },
    prio: 'high',
    devices: [{ app_id: appId, pushkey, pushkey_ts: 1_700_000_000, data: { format: 'event_id_only', ...data } }],
  })

describe('an app that looks for a gateway at the host of its endpoint', () => {
  it('finds one, as Element X and as FluffyChat ask', async () => {
    const answer = await fetch(`${gateway.url}${NOTIFY}`)
    expect(answer.status).toBe(200)
    const found: { gateway?: unknown; unifiedpush?: { gateway?: unknown } } = JSON.parse(await answer.text())
    expect(found.unifiedpush?.gateway).toBe('matrix')
    expect(found.gateway).toBe('matrix')
  })

  it('is told of by check --online, which asks the same', async () => {
    const online = async (endpoint: string) => {
      const [stdout, stderr] = [textSink(), textSink()]
      const path = join(folder, 'checked.yaml')
      await writeFile(path, `store: { url: "sqlite:./checked.db" }\n${appsYaml(endpoint)}`)
      const code = await check({ path, env: {}, kinds: providers, stdout, stderr, online: true })
      return { code, text: stdout.text() }
    }
    expect(await online(front.url)).toMatchObject({ code: 0, text: expect.stringContaining('unifiedpush: accepted') })
    // A push server without the path.
    expect(await online(server.url)).toMatchObject({
      code: 1,
      text: expect.stringContaining(`https://ntfy.fake.test${NOTIFY} does not answer as a Matrix gateway (405)`),
    })
  })
})

describe('a push through UnifiedPush', () => {
  it('comes to stock apps as they read it, without keys and without VAPID', async () => {
    await push('$x', ELEMENT_X, register('element').endpoint)
    await push('$fluffy', FLUFFY, register('fluffy').endpoint, { client_name: 'FluffyChat-1', data_message: true })
    await arrived('element')
    await arrived('fluffy')
    const [element, fluffy] = [of('element')[0], of('fluffy')[0]]
    expect(JSON.parse(element?.payload ?? '')).toEqual({
      notification: { event_id: '$x', room_id: '!room:example.org', counts: { unread: 2 } },
    })
    expect(JSON.parse(fluffy?.payload ?? '')).toEqual({
      notification: {
        event_id: '$fluffy',
        room_id: '!room:example.org',
        counts: { unread: 2 },
        devices: [{ data: { client_name: 'FluffyChat-1' } }],
      },
    })
    expect(element?.headers).not.toHaveProperty('authorization')
    expect(element).toMatchObject({ status: 201, headers: { ttl: '86400', urgency: 'normal' } })
  })

  it('is encrypted for an app that registers keys', async () => {
    const { endpoint, p256dh, auth } = register('keys', true)
    await push('$keys', ELEMENT_X, endpoint, { p256dh, auth })
    await arrived('keys')
    expect(JSON.parse(of('keys')[0]?.payload ?? '')).toMatchObject({ notification: { event_id: '$keys' } })
    expect(of('keys')[0]?.body.toString('latin1')).not.toContain('$keys')
  })

  it('of the test of Element X comes each time that it is asked for', async () => {
    const phone = register('test')
    for (const count of [1, 2]) {
      const devices = [
        { app_id: ELEMENT_X, pushkey: phone.endpoint, data: { default_payload: { cs: 'A_FAKE_SECRET' } } },
      ]
      await gateway.notify({ event_id: '$THIS_IS_A_FAKE_EVENT_ID', room_id: '!room:domain', devices })
      await arrived('test', count)
    }
  })

  it('that is answered 429 is sent again after the pause, and nobody else waits', async () => {
    await push('$busy', ELEMENT_X, register('xs429.a1.n1-phone').endpoint)
    await arrived('xs429.a1.n1-phone')
    await push('$other', ELEMENT_X, register('not-busy').endpoint)
    await arrived('not-busy')
    expect(
      metricValue(await gateway.metrics(), 'hushgate_retries_total', { app: 'unifiedpush', provider: 'unifiedpush' }),
    ).toBe(1)
  })

  it.each(['xs404-gone', 'xs410-gone'])('to an endpoint that is gone has it rejected: %s', async (name) => {
    const { endpoint } = register(name)
    await push(`$${name}`, ELEMENT_X, endpoint)
    await until('the pushkey is known to be dead', async () => {
      const devices = [
        { app_id: ELEMENT_X, pushkey: endpoint, pushkey_ts: 1_700_000_000, data: { format: 'event_id_only' } },
      ]
      const { json } = await gateway.notify({ counts: { unread: 1 }, devices })
      return JSON.stringify(json) === JSON.stringify({ rejected: [endpoint] })
    })
  })

  it('to a host that is not one of ours is as one for an unknown app: dropped, and nothing is sent', async () => {
    const before = server.received.length
    expect((await push('$evil', ELEMENT_X, 'https://evil.fake.test/wp/x')).json).toEqual({ rejected: [] })
    expect((await push('$token', ELEMENT_X, 'token')).json).toEqual({ rejected: [] })
    expect(metricValue(await gateway.metrics(), 'hushgate_devices_received_total', { app: '_unknown' })).toBe(2)
    expect(server.received.length).toBe(before)
  })
})
