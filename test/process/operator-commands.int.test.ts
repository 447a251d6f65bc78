/** What an operator asks of a running gateway, each command as the process that is started: status, find, send, apps, rejections, dead. */
import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { freePort } from '../helpers/free-port.ts'
import {
  createHushgateFolder,
  runHushgate,
  startHushgate,
  type HushgateFolder,
  type HushgateProcess,
} from '../helpers/hushgate-process.ts'
import type { Ended } from '../helpers/logged-process.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'
import { pushTo } from '../helpers/homeserver.ts'
import { until } from '../helpers/received.ts'

const IOS = 'com.example.ios'
const ANDROID = 'com.example.android'

let services: PushServices
let folder: HushgateFolder
let gateway: HushgateProcess
let url: string
let adminPort: number
beforeAll(async () => {
  services = await startPushServices()
})
afterAll(() => services[Symbol.asyncDispose]())
beforeEach(async () => {
  folder = await createHushgateFolder()
  adminPort = await freePort()
  await folder.configure({ appsYaml: services.appsYaml, adminPort, settings: 'log: { level: debug }' })
  gateway = startHushgate(['serve'], { folder: folder.path })
  url = (await gateway.running()).notify
})
afterEach(async () => {
  await gateway[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

const run = (args: readonly string[], stdin = ''): Promise<Ended> => runHushgate(args, { folder: folder.path, stdin })

async function push(app_id: string, pushkey: string): Promise<void> {
  const devices = [{ app_id, pushkey }]
  expect((await pushTo(url, { event_id: `$${randomUUID()}`, prio: 'high', devices })).status).toBe(200)
}

/** Asks until it says that. */
async function findUntil(pushkey: string, said: RegExp): Promise<string> {
  let stdout = ''
  await until(`find says ${said}`, async () => {
    ;({ stdout } = await run(['find'], pushkey))
    return said.test(stdout)
  })
  return stdout
}

describe('hushgate find', () => {
  it('tells five devices with different fates apart, by pushkey on standard input', async () => {
    const ids = { ok: newPushkey(), dead: newPushkey('rUnregistered'), failed: newPushkey('s400.rBadMessageId') }
    const waits = newPushkey('s503.a600')
    for (const { apns } of Object.values(ids)) await push(IOS, apns)
    await push(ANDROID, waits.fcm)
    const delivered = await findUntil(ids.ok.apns, /delivered/)
    expect(delivered).toMatch(/^com\.example\.ios, device [0-9a-f]{8}$/m)
    expect(delivered).toMatch(/push service's name +[0-9a-f-]{36}$/m)
    expect(delivered).toContain('→ The push service took the last push')
    expect(await findUntil(ids.dead.apns, /dead since/)).toMatch(/push service's word +Unregistered[^]*→ .*is dead/)
    expect(await findUntil(ids.failed.apns, /given up/)).toMatch(/BadMessageId[^]*dead retry --id/)
    expect(await findUntil(waits.fcm, /waiting +1/)).toMatch(/retry[^]*→ It waits/)
    const never = await run(['find'], newPushkey().apns)
    expect(never).toMatchObject({ code: 2, stdout: expect.stringContaining('Nothing is known of this device') })
  })

  it('finds by the device of a log line what the pushkey finds, and one grep tells the story of its push', async () => {
    const { apns } = newPushkey()
    await push(IOS, apns)
    const accepted = await gateway.logged('A push was accepted')
    const handled = await gateway.logged('A delivery was handled')
    expect(handled).toMatchObject({ device: accepted['device'], push: accepted['push'], result: 'delivered' })
    const byPushkey = await findUntil(apns, /delivered to, 30 days +yes/)
    expect(byPushkey).toContain(`device ${String(accepted['device'])}`)
    const byDevice = await run(['find', String(accepted['device'])])
    expect(byDevice).toMatchObject({ code: 0, stdout: expect.stringContaining('last attempt') })
    const json: unknown = JSON.parse((await run(['find', '--json', '--app', IOS], apns)).stdout)
    expect(json).toMatchObject({ devices: [{ app: IOS, receipt: { result: 'delivered', attempt: 1 } }] })
    expect(JSON.stringify(json)).not.toContain(apns)
  })

  it('takes no pushkey as an argument, which would be in the history of the shell', async () => {
    const refused = await run(['find', newPushkey().apns])
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('standard input') })
  })
})

describe('hushgate status', () => {
  it('shows each app, and says which needs somebody', async () => {
    const fine = await run(['status'])
    expect(fine).toMatchObject({ code: 0, stdout: expect.stringMatching(/^com\.example\.ios +apns +open/m) })
    await push(IOS, newPushkey('s403.rInvalidProviderToken').apns)
    await gateway.logged('The push service refuses our credential')
    const blocked = await run(['status'])
    expect(blocked.code).toBe(2)
    expect(blocked.stdout).toMatch(/^com\.example\.ios +apns +blocked .*InvalidProviderToken$/m)
    expect(blocked.stdout).toContain('→ com.example.ios delivers nothing')
    expect(JSON.parse((await run(['status', '--json'])).stdout)).toMatchObject({ apps: [{ state: 'blocked' }, {}] })
  })

  it('says where it looked when no gateway runs', async () => {
    gateway.signal('SIGTERM')
    await gateway.ended
    const refused = await run(['status'])
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining(`127.0.0.1:${adminPort}`) })
  })
})

describe('hushgate send', () => {
  it('sends a test push past the queue, and shows what the push service answers', async () => {
    const { token, apns } = newPushkey()
    const sent = await run(['send', '--app', IOS], apns)
    expect(sent).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^delivered \(\d+ ms\)\nThe push service calls it \S+\n$/),
    })
    await services.waitFor(token, 1, 200)
    const refused = await run(['send', '--app', IOS, '--json'], newPushkey('rUnregistered').apns)
    expect(refused.code).toBe(2)
    expect(JSON.parse(refused.stdout)).toMatchObject({ result: 'rejected', reason: 'Unregistered', serviceId: null })
    expect(await run(['send', '--app', 'unknown'], apns)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('No app'),
    })
  })
})

describe('with a mistake in hushgate.yaml', () => {
  it('the running gateway is still asked, and the mistake is told', async () => {
    const { apns } = newPushkey('s400.rBadMessageId')
    await push(IOS, apns)
    await gateway.logged('A delivery was given up')
    await folder.configure({ appsYaml: services.appsYaml, adminPort, settings: 'quene: {}' })
    await gateway.logged('The new configuration is refused')
    for (const [code, ...args] of [
      [0, 'dead', 'list'],
      // It says that the newest configuration is not in use.
      [2, 'status'],
      [0, 'rejections', 'list'],
    ] as const) {
      const asked = await run(args)
      expect([args, asked.code]).toEqual([args, code])
      expect(asked.stderr).toMatch(/quene: unknown key[^]*the running gateway is asked/)
    }
    expect(await run(['find'], apns)).toMatchObject({ code: 0, stdout: expect.stringContaining('BadMessageId') })
    gateway.signal('SIGTERM')
    await gateway.ended
    expect(await run(['dead', 'list'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('The configuration is refused'),
    })
  })
})

describe('dead letters, rejections and unknown apps', () => {
  it('nothing is retried or dropped without a filter, unless all are meant; a dry run changes nothing', async () => {
    await push(IOS, newPushkey('s400.rBadMessageId').apns)
    await gateway.logged('A delivery was given up')
    for (const action of ['retry', 'drop'])
      expect(await run(['dead', action])).toMatchObject({ code: 1, stderr: expect.stringContaining('--all') })
    expect(await run(['dead', 'drop', '--all', '--dry-run'])).toMatchObject({ code: 0, stdout: '1 would be dropped\n' })
    expect(JSON.parse((await run(['dead', 'list', '--json'])).stdout)).toMatchObject({
      dead: [{ device: expect.any(String) }],
    })
    expect(await run(['dead', 'drop', '--all'])).toMatchObject({ code: 0, stdout: '1 dropped\n' })
  })

  it('an app_id that is not configured is named, and no rejections are held back', async () => {
    expect(await run(['apps', 'unknown'])).toMatchObject({ code: 0 })
    await push('com.example.mistyped', newPushkey().apns)
    expect(await run(['apps', 'unknown'])).toMatchObject({
      code: 2,
      stdout: expect.stringContaining('com.example.mistyped'),
    })
    expect(await run(['rejections', 'list'])).toMatchObject({ code: 0, stdout: 'No rejections are held back\n' })
  })
})
