/** The whole gateway behind an HTTP proxy: a real one (tinyproxy), and for its bad days one that does what it is told. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { check } from '../../src/commands/check.ts'
import { providers } from '../../src/providers/index.ts'
import { textSink } from '../helpers/text-sink.ts'
import { APPS, SERVICES, startEveryPushService, type EveryPushService } from '../helpers/every-push-service.ts'
import { metricValue, startGateway, type TestGateway, type TestGatewayOptions } from '../helpers/gateway.ts'
import { startProxy } from '../helpers/proxy.ts'
import { until } from '../helpers/received.ts'
import { startFakeProxy, type ProxyAnswer } from '../network/fake-proxy.ts'

let services: EveryPushService

beforeAll(async () => {
  services = await startEveryPushService()
})
afterAll(() => services[Symbol.asyncDispose]())

function gatewayBehind(proxy: string, more: Partial<TestGatewayOptions> = {}): Promise<TestGateway> {
  return startGateway({ appsYaml: services.appsYaml, settings: `proxy: ${proxy}`, ...more })
}

function portOf(address: string): number {
  return Number(address.split(':').at(-1))
}

async function attempts(gateway: TestGateway, app: string, reason: string): Promise<number> {
  return metricValue(await gateway.metrics(), 'hushgate_push_service_refusals_total', { app, reason }) ?? 0
}

describe('behind a proxy', () => {
  it('each push service, and each that gives tokens for one, is reached through it, over few connections', async () => {
    const { addresses } = services
    await using proxy = await startProxy({ connectPorts: Object.values(addresses).map(portOf) })
    await using gateway = await gatewayBehind(`http://127.0.0.1:${proxy.port}`)
    for (let round = 0; round < 10; round += 1) {
      const notice = services.notice()
      await gateway.notify(notice.notification)
      await services.allArrived([notice])
    }
    const asked = Map.groupBy(proxy.asked(), (address) => address)
    expect(new Set(asked.keys())).toEqual(new Set(Object.values(addresses)))
    // A push may come while the connection of the one before is still busy with its answer.
    for (const address of Object.values(addresses)) expect(asked.get(address)?.length).toBeLessThanOrEqual(3)
  })

  it('user and password are given percent-decoded', async () => {
    await using proxy = await startProxy({ basicAuth: 'gate secret' })
    await using gateway = await gatewayBehind(`http://g%61te:s%65cret@127.0.0.1:${proxy.port}`)
    const notice = services.notice()
    await gateway.notify(notice.notification)
    await services.allArrived([notice])
    expect(gateway.log()).not.toContain('secret')
  })

  it('a wrong password blocks the apps, loses nothing, and a reload with the right one lets all go', async () => {
    await using proxy = await startProxy({ basicAuth: 'gate secret' })
    await using gateway = await gatewayBehind(`http://gate:wrong@127.0.0.1:${proxy.port}`)
    const notices = Array.from({ length: 5 }, () => services.notice())
    for (const { notification } of notices)
      expect(await gateway.notify(notification)).toEqual({ status: 200, json: { rejected: [] } })
    const blocked = async (): Promise<(number | undefined)[]> => {
      const text = await gateway.metrics()
      return SERVICES.map((service) => metricValue(text, 'hushgate_app_blocked', { app: APPS[service] }))
    }
    await until('each app is blocked', async () => (await blocked()).every((value) => value === 1))
    expect(gateway.log()).toMatch(/"reason":"proxy refused: 401"/)
    expect(gateway.log()).toMatch(/"reason":"oauth proxy refused: 401"/)
    expect(gateway.log()).not.toContain('wrong')
    const before = services.arrivals.length
    await writeFile(join(gateway.folder, 'proxy-url'), `http://gate:secret@127.0.0.1:${proxy.port}\n`)
    expect(await gateway.reload({ settings: 'proxy_file: proxy-url' })).toEqual([])
    await services.allArrived(notices)
    expect(services.arrivals.length - before).toBe(notices.length * SERVICES.length)
    await until('no app is blocked', async () => (await blocked()).every((value) => value === 0))
  })

  it('a refusal of one host blocks the app that needs it, and no other; of a host that a stranger named, none', async () => {
    const { addresses } = services
    await using proxy = await startProxy({ connectPorts: [portOf(addresses.apns)] })
    await using gateway = await gatewayBehind(`http://127.0.0.1:${proxy.port}`)
    const notice = services.notice()
    await gateway.notify(notice.notification)
    await services.allArrived([notice], ['apns'])
    await until('the others were tried', async () => {
      const text = await gateway.metrics()
      const areBlocked = [APPS.fcm, APPS.hms].map((app) => metricValue(text, 'hushgate_app_blocked', { app }))
      const ofStrangers = [APPS.webpush, APPS.unifiedpush].map((app) => attempts(gateway, app, 'proxy refused: 403'))
      return areBlocked.every((value) => value === 1) && (await Promise.all(ofStrangers)).every((count) => count > 0)
    })
    for (const app of [APPS.webpush, APPS.unifiedpush, APPS.apns])
      expect(metricValue(await gateway.metrics(), 'hushgate_app_blocked', { app })).toBe(0)
  })

  it('a host in NO_PROXY is reached without it, at its port alone', async () => {
    const { addresses } = services
    await using proxy = await startProxy()
    const env = { NO_PROXY: `example.org,127.0.0.0/8,${addresses.webpush}` }
    await using gateway = await gatewayBehind(`http://127.0.0.1:${proxy.port}`, { env })
    const notice = services.notice()
    await gateway.notify(notice.notification)
    await services.allArrived([notice])
    expect(new Set(proxy.asked())).toEqual(new Set([addresses.fcm, addresses.hmsOauth, addresses.unifiedpush]))
  })

  it.each<[string, ProxyAnswer, string]>([
    ['accepts and never answers', 'nothing', 'proxy timed out'],
    ['cannot get through', 502, 'proxy 502'],
    ['hangs up', 'hang up', 'proxy ECONNRESET'],
  ])('a proxy that %s delays the pushes, until it is well again', async (_what, answer, reason) => {
    await using proxy = await startFakeProxy(answer)
    await using gateway = await gatewayBehind(`http://127.0.0.1:${proxy.port}`)
    const notice = services.notice()
    await gateway.notify(notice.notification)
    await until('each app has tried', async () => {
      const tried = await Promise.all([
        attempts(gateway, APPS.apns, reason),
        attempts(gateway, APPS.fcm, `oauth ${reason}`),
        attempts(gateway, APPS.hms, `oauth ${reason}`),
        attempts(gateway, APPS.unifiedpush, reason),
        attempts(gateway, APPS.webpush, reason),
      ])
      return tried.every((count) => count > 0)
    })
    expect(gateway.log()).not.toContain('refuses our credential')
    proxy.answer = 'tunnel'
    await services.allArrived([notice])
  })
})

describe('hushgate check --online', () => {
  async function answers(proxy: string): Promise<string> {
    await using gateway = await gatewayBehind(proxy)
    const [stdout, stderr] = [textSink(), textSink()]
    const path = join(gateway.folder, 'hushgate.yaml')
    await check({ path, env: {}, kinds: providers, stdout, stderr, online: true })
    return stdout.text()
  }

  it('asks through the proxy', async () => {
    await using proxy = await startProxy({ basicAuth: 'gate secret' })
    const all = await answers(`http://gate:secret@127.0.0.1:${proxy.port}`)
    // Web Push has nobody to ask. Push servers are asked where apps look for a gateway, and nobody is there.
    expect(all.match(/accepted/g)).toHaveLength(SERVICES.length - 1)
    expect(all).toContain(`${APPS.unifiedpush}: localhost does not answer`)
    const { webpush: _nobody, unifiedpush: _elsewhere, ...asked } = services.addresses
    expect(new Set(proxy.asked())).toEqual(new Set([...Object.values(asked), 'localhost:443']))
    const refused = await answers(`http://gate:wrong@127.0.0.1:${proxy.port}`)
    expect(refused).toContain(`${APPS.apns}: proxy refused: 401`)
    for (const app of [APPS.fcm, APPS.hms]) expect(refused).toContain(`${app}: oauth proxy refused: 401`)
  })

  it('says that the proxy is not there', async () => {
    const proxy = await startProxy()
    await proxy[Symbol.asyncDispose]()
    const all = await answers(`http://127.0.0.1:${proxy.port}`)
    expect(all).toContain(`${APPS.apns}: proxy ECONNREFUSED`)
    for (const app of [APPS.fcm, APPS.hms]) expect(all).toContain(`${app}: oauth proxy ECONNREFUSED`)
  })
})
