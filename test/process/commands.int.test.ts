/** The commands, each as the process that an operator starts. */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { generateKeyPairSync } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { freePort } from '../helpers/free-port.ts'
import {
  createHushgateFolder,
  follow,
  runHushgate,
  startHushgate,
  type HushgateFolder,
} from '../helpers/hushgate-process.ts'
import type { Ended } from '../helpers/logged-process.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'
import { pushTo } from '../helpers/homeserver.ts'

const IOS = 'com.example.ios'
const ANDROID = 'com.example.android'

let services: PushServices
let folder: HushgateFolder
beforeAll(async () => {
  services = await startPushServices()
})
afterAll(() => services[Symbol.asyncDispose]())
beforeEach(async () => {
  folder = await createHushgateFolder()
  await folder.configure({ appsYaml: services.appsYaml, adminPort: await freePort() })
})
afterEach(() => folder[Symbol.asyncDispose]())

const run = (...args: readonly string[]): Promise<Ended> => runHushgate(args, { folder: folder.path })
const serve = () => startHushgate(['serve'], { folder: folder.path })
const succeeded = (stdout: unknown) => ({ code: 0, signal: null, stdout, stderr: '' })

async function notify(url: string, pushkeys: readonly string[]): Promise<unknown> {
  const devices = pushkeys.map((pushkey) => ({ app_id: IOS, pushkey }))
  return (await pushTo(url, { event_id: `$${randomUUID()}`, prio: 'high', devices })).json
}

describe('hushgate dead', () => {
  const listed = new RegExp(
    `^\\S+  ${IOS}  device [0-9a-f]{8}  accepted \\S+Z  given up \\S+Z  attempts 1  BadMessageId\n1 given up\n$`,
  )

  it('lists, retries and drops what was given up, through the running gateway', async () => {
    await using gateway = serve()
    const { notify: url } = await gateway.running()
    const { token, apns } = newPushkey('s400.rBadMessageId.n2')
    await notify(url, [apns])
    await gateway.logged('A delivery was given up')
    expect(await run('dead', 'list')).toEqual(succeeded(expect.stringMatching(listed)))
    expect(await run('dead', 'list', '--app', ANDROID)).toEqual(succeeded('0 given up\n'))
    expect(await run('dead', 'retry', '--reason', 'BadMessageId')).toEqual(succeeded('1 put back into the queue\n'))
    await services.waitFor(token, 2)
    await gateway.logged('A delivery was given up', 2)
    expect(await run('dead', 'drop', '--app', IOS)).toEqual(succeeded('1 dropped\n'))
    expect(await run('dead', 'list')).toEqual(succeeded('0 given up\n'))
  })

  it('does the same on the store when no gateway runs', async () => {
    const { token, apns } = newPushkey('s400.rBadMessageId.n1')
    {
      await using gateway = serve()
      await notify((await gateway.running()).notify, [apns])
      await gateway.logged('A delivery was given up')
      gateway.signal('SIGTERM')
      await gateway.ended
    }
    const list = await run('dead', 'list')
    expect(list).toEqual(succeeded(expect.stringMatching(listed)))
    expect(list.stdout).not.toContain(apns)
    expect(await run('dead', 'retry', '--all')).toEqual(succeeded('1 put back into the queue\n'))
    await using next = serve()
    await next.running()
    await services.waitFor(token, 1, 200)
  })

  it('says so when the running gateway has another token', async () => {
    await using gateway = serve()
    await gateway.running()
    await folder.write('token', 'another-token-that-is-long-enough')
    expect(await run('dead', 'list')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining('another token'),
    })
  })
})

describe('hushgate rejections', () => {
  it.each([
    ['--confirm', /^Confirmed: /, true],
    ['--discard', /^Discarded: /, false],
  ])('%s releases what the breaker holds back', async (verdict, said, isRejected) => {
    await using gateway = serve()
    const { notify: url } = await gateway.running()
    const keys = Array.from({ length: 20 }, () => newPushkey('rDeviceTokenNotForTopic').apns)
    await notify(url, keys)
    await gateway.logged('Most pushkeys of this app were called dead')
    expect(await run('rejections', IOS, verdict)).toEqual(succeeded(expect.stringMatching(said)))
    expect(await run('rejections', IOS, verdict)).toEqual(succeeded(`No rejections of ${IOS} are held back\n`))
    expect(JSON.parse((await run('rejections', IOS, verdict, '--json')).stdout)).toEqual({ released: 0 })
    expect(await notify(url, keys.slice(0, 1))).toEqual({ rejected: isRejected ? keys.slice(0, 1) : [] })
  })

  it('wants a verdict', async () => {
    expect(await run('rejections', IOS)).toMatchObject({ code: 1, stderr: 'Say --confirm or --discard\n' })
  })
})

describe('hushgate render', () => {
  const body = JSON.stringify({
    notification: {
      event_id: '$secret-event',
      room_id: '!secret-room:example.org',
      sender: '@secret-sender:example.org',
      type: 'm.room.message',
      content: { body: 'secret content' },
      counts: { unread: 2 },
      devices: [
        { app_id: IOS, pushkey: newPushkey().apns },
        { app_id: ANDROID, pushkey: newPushkey().fcm },
        { app_id: 'com.example.other', pushkey: 'somebody' },
      ],
    },
  })

  it('shows what each party sees of a notification, from a file or standard input, and sends and makes nothing', async () => {
    await folder.write('notification.json', body)
    const before = await readdir(folder.path)
    const { code, stdout, stderr } = await run('render', 'notification.json')
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    expect(stdout).toContain(`The homeserver sent ${Buffer.byteLength(body)} bytes`)
    const [, apple = '', google = '', other = ''] = stdout.split(/^Device \d$/m)
    for (const [app, shown] of [
      [IOS, apple],
      [ANDROID, google],
    ] as const)
      for (const party of ['app', 'store', 'log, metrics', 'push service'])
        expect(shown).toMatch(new RegExp(`^  ${party} .*${party === 'push service' ? 'bytes' : app}`, 'm'))
    expect(apple).toMatch(/^ +apns-topic: com\.example\.app$/m)
    expect(lastJson(apple)).toEqual({
      aps: { alert: { 'loc-key': 'Notification' }, 'mutable-content': 1, sound: 'default', badge: 2 },
    })
    expect(lastJson(google)).toEqual({ android: { priority: 'high' }, data: { sync: '1' } })
    expect(other).toContain('not configured: dropped')
    expect(stdout).not.toContain('secret')
    expect(await readdir(folder.path)).toEqual(before)

    const fromStandardInput = await runHushgate(['render'], { folder: folder.path, stdin: body })
    expect(withoutTimes(fromStandardInput.stdout)).toBe(withoutTimes(stdout))
  })

  it('shows an example also where nothing is configured, and says so', async () => {
    await using empty = await createHushgateFolder()
    const before = await readdir(empty.path)
    const { code, stdout, stderr } = await runHushgate(['render', '--example', 'message'], { folder: empty.path })
    expect({ code, stderr }).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('There is no configuration here'),
    })
    expect(stdout.match(/^ {2}app .*\((\w+), privacy: minimal/gm)).toHaveLength(3)
    expect(await readdir(empty.path)).toEqual(before)
    // Whoever asks about a notification of his own asks about his own apps.
    const own = await runHushgate(['render'], { folder: empty.path, stdin: body })
    expect(own).toMatchObject({ code: 1, stderr: expect.stringContaining('hushgate.yaml does not exist') })
  })

  it('ends without a word when nobody reads on, as with | head', async () => {
    const main = join(import.meta.dirname, '../../src/main.ts')
    const args = [main, 'render', '--example', 'message']
    const child = spawn(process.execPath, args, { cwd: folder.path, env: {} })
    const rendering = follow(child)
    child.stdout.destroy()
    expect(await rendering.ended).toMatchObject({ code: 0, stderr: '' })
  })

  it('shows what an app with another policy passes on', async () => {
    await folder.configure({ appsYaml: services.appsYaml, settings: 'privacy: event_id_only' })
    const { stdout } = await runHushgate(['render'], { folder: folder.path, stdin: body })
    expect(lastJson(stdout.split(/^Device \d$/m)[1] ?? '')).toMatchObject({
      event_id: '$secret-event',
      room_id: '!secret-room:example.org',
      unread_count: 2,
    })
    expect(stdout).not.toMatch(/secret-sender|secret content/)
  })

  it('shows when a push would leave, and IDs that are none', async () => {
    const settings = 'type: apns\n    coalesce: 30s\n    release_every: 2s\n    placeholder_ids: true'
    await folder.configure({ appsYaml: services.appsYaml.replace('type: apns', settings) })
    const { stdout } = await runHushgate(['render'], { folder: folder.path, stdin: body })
    const [, apple = '', google = ''] = stdout.split(/^Device \d$/m)
    expect(apple).toContain(
      'leaves        on the next tick, every 2 s, together with others; if one for this device left in the last 30 s, at the end of that time\n',
    )
    expect(google).toContain('leaves        at once\n')
    expect(lastJson(apple)).toMatchObject({ room_id: expect.stringMatching(/:placeholder\.invalid$/) })
    expect(stdout).not.toContain('secret')
  })

  it('says of each party what the ledger says of what this device gets', async () => {
    await folder.configure({ appsYaml: services.appsYaml, settings: 'privacy: full' })
    const { notification } = JSON.parse(body)
    const [device] = notification.devices
    const shownFor = async (data: object): Promise<string> => {
      const stdin = JSON.stringify({ notification: { ...notification, devices: [{ ...device, data }] } })
      return (await runHushgate(['render'], { folder: folder.path, stdin })).stdout
    }
    const shown = await shownFor({})
    expect(shown).toMatch(/push service .*\n( +of .*\n)* +of .*room_id, sender,.*: the value as it was sent/)
    const sealed = await shownFor({ hushgate_key: 'none' })
    expect(sealed).toContain('its hushgate_key is not valid')
    expect(sealed).not.toMatch(/of .*(room_id|sender)/)
  })

  it('shows of a browser what its push service cannot open, and what the browser opens', async () => {
    const vapid = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
    await folder.write('vapid.pem', String(vapid.export({ type: 'pkcs8', format: 'pem' })))
    const web =
      '{ type: webpush, vapid_private_key_file: vapid.pem, vapid_subject: "mailto:ops@example.org", privacy: full }'
    await folder.configure({ appsYaml: `apps: { com.example.web: ${web} }` })
    const { notification } = JSON.parse(body)
    const stdin = JSON.stringify({
      notification: { ...notification, devices: [{ app_id: 'com.example.web', pushkey: 'p256dh' }] },
    })
    const { stdout } = await runHushgate(['render'], { folder: folder.path, stdin })
    const [before = '', device = ''] = stdout.split(/^ {2}device .*$/m)
    expect(before.split('push service')[1]).toMatch(/urgency: normal/)
    expect(before.split('push service')[1]).not.toMatch(/secret|of .*sender/)
    expect(device).toContain('@secret-sender:example.org')
  })

  it('says what the gateway would answer to a request that means nothing', async () => {
    const { code, stdout } = await runHushgate(['render'], { folder: folder.path, stdin: '[]' })
    expect({ code, stdout }).toEqual({ code: 1, stdout: expect.stringContaining('400 M_BAD_JSON') })
  })

  it('of a file that is not there says so', async () => {
    expect(await run('render', 'other.json')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^other\.json .*ENOENT/),
    })
  })
})

describe('hushgate check', () => {
  it('says that nothing is wrong, and asks each push service with --online', async () => {
    expect(await run('check')).toEqual(succeeded('configuration is valid: 2 apps\n'))
    expect(await run('check', '--online')).toEqual(
      succeeded(`configuration is valid: 2 apps\nstore: nothing is wrong\n${IOS}: accepted\n${ANDROID}: accepted\n`),
    )
  })

  it('lists each mistake on its own line', async () => {
    await folder.configure({ appsYaml: services.appsYaml.replace('topic:', 'topik:'), settings: 'privacy: none' })
    const { code, stdout, stderr } = await run('check')
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr.trim().split('\n')).toHaveLength(3)
    for (const place of [': privacy: ', `: apps["${IOS}"].topic: `, `: apps["${IOS}"].topik: `])
      expect(stderr).toContain(place)
  })
})

describe('hushgate keygen', () => {
  it('makes keys and a token that a gateway starts with', async () => {
    const store = (await run('keygen', 'store')).stdout
    const encryption = (await run('keygen', 'encryption')).stdout
    // A new key goes above the others (the key file says so).
    await folder.write('keys', store.replace(/^encryption /m, `${encryption}encryption `))
    await folder.write('token', (await run('keygen', 'token')).stdout)
    expect(encryption).toMatch(/^encryption \S+ \S+\n$/)
    await using gateway = serve()
    await gateway.running()
  })

  it('of something else is refused', async () => {
    expect(await run('keygen', 'house')).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('store, encryption, token'),
    })
  })
})

describe('hushgate', () => {
  it('schema prints the JSON Schema of the configuration', async () => {
    const { code, stdout } = await run('schema')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ title: 'Hushgate configuration', required: ['apps'] })
  })

  it('--version prints the version of the package', async () => {
    const manifest: unknown = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'))
    const { code, stdout } = await run('--version')
    expect(code).toBe(0)
    expect(manifest).toMatchObject({ version: stdout.trim() })
  })

  it('refuses a command that does not exist, by its name, and starts nothing', async () => {
    expect(await run('srve')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringContaining("unknown command 'srve'"),
    })
  })
})

/** The message that a push service is shown, the last line of its block. */
function lastJson(text: string): unknown {
  return JSON.parse(text.trim().split('\n').at(-1) ?? '')
}

function withoutTimes(text: string): string {
  return text.replaceAll(/apns-expiration: \d+/g, '')
}
