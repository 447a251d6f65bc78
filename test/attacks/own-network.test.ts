/** Attack 11: names and addresses that lead into the operator's own network. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DialError } from '../../src/core/errors.ts'
import { createDial } from '../../src/network/dial.ts'
import { startFakeProxy } from '../network/fake-proxy.ts'
import { sendTo, startWebPushRig, targetAt, type WebPushRig } from './web-push-rig.ts'

let rig: WebPushRig
beforeEach(async () => {
  rig = await startWebPushRig([])
})
afterEach(() => rig[Symbol.asyncDispose]())

describe('attack 11: a name that looks like an address of the private network', () => {
  it.each(['192.168.1.evil.test', '192.168.1.7.nip.test', '192.168.1.x'])(
    '%s is not what allow_private_endpoints: ["192.168.1.*"] allows',
    async (host) => {
      const dialled: string[] = []
      const sender = await rig.open({ allow_private_endpoints: ['192.168.1.*'] }, async (to, _port, _signal, how) => {
        dialled.push(to)
        // Whether a private address is taken for it.
        return new Promise((_resolve, reject) => {
          how?.lookup?.('localhost', { all: true }, (error) => reject(error ?? new DialError('it may be private')))
        })
      })
      expect(await sendTo(sender, targetAt(rig, 'x', `https://${host}`))).toMatchObject({
        kind: 'retry',
        reason: expect.not.stringContaining('may be private'),
      })
      expect(dialled).toEqual([host])
    },
  )

  it('192.168.1.7 itself is', async () => {
    const dialled: string[] = []
    const sender = await rig.open({ allow_private_endpoints: ['192.168.1.*'] }, async (host) => {
      dialled.push(host)
      throw new Error('no further')
    })
    await sendTo(sender, targetAt(rig, 'x', 'https://192.168.1.7'))
    expect(await sendTo(sender, targetAt(rig, 'x', 'https://192.168.2.7'))).toMatchObject({ kind: 'rejected' })
    expect(dialled).toEqual(['192.168.1.7'])
  })
})

describe('attack 11: behind a proxy', () => {
  it.each([
    'https://localhost:6379',
    'https://a.localhost',
    'https://redis:6379',
    'https://metadata.google.internal',
    'https://printer.local.',
    'https://1.1.1.1',
    'https://[2606:4700:4700::1111]',
  ])('%s is not asked for, and its pushes are dropped', async (origin) => {
    await using proxy = await startFakeProxy(502)
    const sender = await rig.open({}, createDial({ host: '127.0.0.1', port: proxy.port }))
    const dropped = { kind: 'dropped', reason: 'not for the proxy' }
    expect(await sendTo(sender, targetAt(rig, 'x', origin))).toEqual(dropped)
    expect(await sendTo(sender, targetAt(rig, 'y', origin))).toEqual(dropped)
    expect(proxy.asked).toEqual([])
    // Of many, one is said, and nothing of whom it names.
    expect(rig.warnings).toHaveLength(1)
    expect(rig.warnings.join()).not.toContain(new URL(origin).hostname)
  })

  it('what the operator has named is asked for, wherever it is', async () => {
    await using proxy = await startFakeProxy(502)
    const options = { allow_private_endpoints: ['localhost', '10.0.0.*'] }
    const sender = await rig.open(options, createDial({ host: '127.0.0.1', port: proxy.port }))
    for (const origin of ['https://localhost:6379', 'https://10.0.0.1'])
      await sendTo(sender, targetAt(rig, 'x', origin))
    expect(proxy.asked.map(({ authority }) => authority)).toEqual(['localhost:6379', '10.0.0.1:443'])
  })

  it('and without allowed_endpoints only the push services of browsers are', async () => {
    await using proxy = await startFakeProxy(502)
    const sender = await rig.open({}, createDial({ host: '127.0.0.1', port: proxy.port }), false)
    expect(await sendTo(sender, targetAt(rig, 'x', 'https://evil.test'))).toMatchObject({ kind: 'dropped' })
    await sendTo(sender, targetAt(rig, 'x', 'https://fcm.googleapis.com'))
    expect(proxy.asked.map(({ authority }) => authority)).toEqual(['fcm.googleapis.com:443'])
  })
})
