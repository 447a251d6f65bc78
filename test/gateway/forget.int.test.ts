/** `hushgate forget`: what is held about a device goes, and what is said of it beside. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createHushgateFolder, runHushgate, startHushgate } from '../helpers/hushgate-process.ts'
import { freePort } from '../helpers/free-port.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'
import { until } from '../helpers/received.ts'
import { pushTo } from '../helpers/homeserver.ts'

const IOS = 'com.example.ios'

let services: PushServices
let appsYaml: string
beforeAll(async () => {
  services = await startPushServices()
  appsYaml = services.appsYaml.replace('type: apns', 'type: apns\n    coalesce: 10m')
})
afterAll(() => services[Symbol.asyncDispose]())

let folder: Awaited<ReturnType<typeof createHushgateFolder>>
beforeEach(async () => {
  folder = await createHushgateFolder()
  await folder.configure({ appsYaml, adminPort: await freePort() })
})
afterEach(() => folder[Symbol.asyncDispose]())

const forget = (stdin: string, ...args: readonly string[]) =>
  runHushgate(['forget', '--app', IOS, ...args], { folder: folder.path, stdin })

async function notify(url: string, notification: object): Promise<unknown> {
  return (await pushTo(url, notification)).json
}

describe('hushgate forget', () => {
  it('forgets a dead pushkey and its latest badge, beside a running gateway and without one', async () => {
    const { token, apns } = newPushkey('rUnregistered')
    const devices = [{ app_id: IOS, pushkey: apns }]
    const event = { event_id: '$event', devices }
    await using gateway = startHushgate(['serve'], { folder: folder.path })
    const { notify: url } = await gateway.running()
    const isDead = async () => JSON.stringify(await notify(url, event)) === JSON.stringify({ rejected: [apns] })

    await notify(url, { counts: { unread: 1 }, devices })
    await until('the pushkey is known to be dead', isDead)
    const { code, stdout, stderr } = await forget(`${apns}\n`)
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toMatch(
      /^That it is dead: forgotten\nWhat became of its last push: forgotten\nThat pushes were delivered to it: was not remembered\nIts latest badge: forgotten\nWhen its latest push leaves: forgotten\n(?:.*\n)*.*within 24 hours/,
    )
    expect(stdout).not.toContain(apns)
    expect((await forget(apns)).stdout).toMatch(
      /^That it is dead: was not remembered\n.*\n.*\nIts latest badge: was not/,
    )

    // It is tried again, and found dead again.
    await notify(url, { ...event, event_id: '$next' })
    await services.waitFor(token, 2)
    await until('the pushkey is known to be dead again', isDead)
    gateway.signal('SIGTERM')
    await gateway.ended
    const alone = await forget('', '--pushkey', apns)
    expect(alone.stdout).toMatch(/^That it is dead: forgotten\n/)
    const asJson = await forget(apns, '--json')
    expect({ ...asJson, stdout: JSON.parse(asJson.stdout) }).toMatchObject({
      code: 0,
      stderr: '',
      stdout: { forgotten: { death: false, receipt: false, deliveries: 0, deadLetters: 0, unreadable: 0 } },
    })
  })

  it('removes what waits for a device and what was given up, and then knows nothing of the event', async () => {
    const [waits, dead] = [newPushkey('s503.a3600'), newPushkey('s400.rBadMessageId.n1')]
    const event = (id: string, { apns }: typeof dead) => ({
      event_id: id,
      devices: [{ app_id: IOS, pushkey: apns }],
    })
    await using gateway = startHushgate(['serve'], { folder: folder.path })
    const { notify: url } = await gateway.running()
    const listed = async () => (await runHushgate(['dead', 'list'], { folder: folder.path })).stdout
    await notify(url, event('$one', dead))
    await until('it is given up', async () => (await listed()).includes('BadMessageId'))
    expect((await forget(newPushkey().apns)).stdout).toContain('Pushes to it that were given up: 0 removed\n')
    expect((await forget(dead.apns)).stdout).toContain('Pushes to it that were given up: 1 removed\n')
    expect(await listed()).not.toContain('BadMessageId')
    await notify(url, event('$one', dead))
    await services.waitFor(dead.token, 2)

    await notify(url, event('$two', waits))
    await services.waitFor(waits.token, 1)
    await notify(url, event('$three', waits))
    gateway.signal('SIGTERM')
    await gateway.ended
    expect((await forget(waits.apns)).stdout).toContain('Pushes that waited for it: 2 removed\n')
    expect((await forget(waits.apns)).stdout).toContain('Pushes that waited for it: 0 removed\n')
  })

  it.each([
    ['an app that is not configured', 'key', ['--app', 'com.example.other'], /^No app is configured for com\.example/],
    ['no pushkey', ' \n', [], /^No pushkey was given/],
    ['data that is no object', 'key', ['--data', '[1]'], /^--data is no JSON object/],
  ] as const)('of %s says so', async (_, stdin, args, message) => {
    const { code, stdout, stderr } = await forget(stdin, ...args)
    expect({ code, stdout, stderr }).toEqual({ code: 1, stdout: '', stderr: expect.stringMatching(message) })
  })
})
