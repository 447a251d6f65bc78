/** Attack 5: an endpoint for which the operator's proxy answers 407 or 401, as if it did not know us. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Dial } from '../../src/core/provider.ts'
import { createDial } from '../../src/network/dial.ts'
import { GOOD, sendTo, startWebPushRig, targetAt, type WebPushRig } from './web-push-rig.ts'

const EVIL = 'https://evil.test'

let rig: WebPushRig
beforeEach(async () => {
  rig = await startWebPushRig(['evil.test', 'named.test'])
})
afterEach(() => rig[Symbol.asyncDispose]())

interface StrictProxy extends Disposable {
  readonly dial: Dial
  readonly asked: readonly string[]
  /** The hosts for which it wants to know who we are. */
  readonly refused: Set<string>
}

async function startProxy(status: number, refused: readonly string[]): Promise<StrictProxy> {
  const asked: string[] = []
  const refusedHosts = new Set(refused)
  const server = createServer().on('connect', ({ url = '' }, socket) => {
    const host = url.replace(/:\d+$/, '')
    asked.push(host)
    socket.on('error', () => {})
    if (refusedHosts.has(host)) return void socket.end(`HTTP/1.1 ${status} No\r\n\r\n`)
    socket.write('HTTP/1.1 200 OK\r\n\r\n')
    const service = connect(rig.simulator.port, '127.0.0.1').on('error', () => {})
    socket.pipe(service).pipe(socket)
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port }: Pick<AddressInfo, 'port'> = Object(server.address())
  return {
    dial: createDial({ host: '127.0.0.1', port }),
    asked,
    refused: refusedHosts,
    [Symbol.dispose]: () => void server.close(),
  }
}

describe.each([407, 401])('attack 5: an endpoint for which the proxy answers %i', (status) => {
  it('waits alone, and blocks nobody, before or after the proxy let others through', async () => {
    using proxy = await startProxy(status, ['evil.test'])
    const sender = await rig.open({}, proxy.dial)
    const waits = { kind: 'waits', reason: 'proxy_refused', group: 'evil.test', afterMs: 30_000 }
    expect(await sendTo(sender, targetAt(rig, 'x', EVIL))).toEqual(waits)
    expect(await sendTo(sender, targetAt(rig, 'phone', GOOD))).toEqual({ kind: 'delivered' })
    for (let count = 0; count < 100; count += 1)
      expect(await sendTo(sender, targetAt(rig, `x-${count}`, EVIL))).toMatchObject({ kind: 'waits' })
    expect(proxy.asked.filter((host) => host === 'evil.test')).toHaveLength(1)
    expect(rig.warnings).toEqual([expect.stringContaining('The proxy answers 401 or 407')])
  })

  it('is no proof, however many hosts of that kind there are', async () => {
    const hosts = Array.from({ length: 50 }, (_, index) => `evil${index}.test`)
    using proxy = await startProxy(status, hosts)
    const sender = await rig.open({}, proxy.dial)
    for (const host of hosts)
      expect(await sendTo(sender, targetAt(rig, 'x', `https://${host}`))).toMatchObject({ kind: 'waits' })
  })

  it('is proof where the operator has named the host, and not a second time: others are tried then', async () => {
    using proxy = await startProxy(status, ['named.test'])
    const sender = await rig.open({ allowed_endpoints: ['named.test', '*'] }, proxy.dial)
    const held = targetAt(rig, 'x', 'https://named.test')
    expect(await sendTo(sender, held)).toMatchObject({ kind: 'blocked' })
    // The same delivery comes again as the probe: it steps aside.
    expect(await sendTo(sender, held)).toMatchObject({ kind: 'waits', group: expect.stringContaining('named.test') })
    expect(await sendTo(sender, targetAt(rig, 'phone', GOOD))).toEqual({ kind: 'delivered' })
    // It is let through, and refused once more: that is news.
    proxy.refused.clear()
    rig.clock.pass(30_000)
    expect(await sendTo(sender, held)).toMatchObject({ kind: 'delivered' })
  })
})
