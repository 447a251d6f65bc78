/** A running process takes a new configuration, or refuses it, and no push is lost over it. */
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { copyFile, mkdir, readFile, rename, symlink } from 'node:fs/promises'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { metricValue } from '../helpers/gateway.ts'
import {
  createHushgateFolder,
  startHushgate,
  type HushgateFolder,
  type HushgateProcess,
} from '../helpers/hushgate-process.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'
import { pushTo } from '../helpers/homeserver.ts'

const RELOADED = 'The configuration was reloaded'
const REFUSED = 'The new configuration is refused'
const BLOCKED = 'The push service refuses our credential'

let services: PushServices
/** The key that the simulated APNs knows. */
let goodKeyFile: string
let folder: HushgateFolder
let gateway: HushgateProcess | undefined
beforeAll(async () => {
  services = await startPushServices()
  goodKeyFile = /key_file: "(.+)"/.exec(services.appsYaml)?.[1] ?? ''
})
afterAll(() => services[Symbol.asyncDispose]())
beforeEach(async () => {
  folder = await createHushgateFolder()
})
afterEach(async () => {
  await gateway?.[Symbol.asyncDispose]()
  await folder[Symbol.asyncDispose]()
})

const withKeyFile = (path: string) => services.appsYaml.replace(goodKeyFile, path)
const configure = (settings: string, appsYaml = services.appsYaml) => folder.configure({ appsYaml, settings })

async function serve(): Promise<HushgateProcess & { readonly url: string; readonly adminUrl: string }> {
  const started = startHushgate(['serve'], { folder: folder.path })
  gateway = started
  const { notify, admin } = await started.running()
  return { ...started, url: notify, adminUrl: admin }
}

/** Resolves with the token by which the push is found again. */
async function push(url: string, script = ''): Promise<string> {
  const { token, apns } = newPushkey(script)
  const devices = [{ app_id: 'com.example.ios', pushkey: apns }]
  const notification = { event_id: `$${randomUUID()}`, room_id: '!room:example.org', prio: 'high', devices }
  expect((await pushTo(url, notification)).status).toBe(200)
  return token
}

/** What Apple is told of a push that is sent now. */
async function pushed(url: string): Promise<unknown> {
  const [arrived] = await services.waitFor(await push(url), 1, 200)
  return arrived?.body
}

function wrongKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return String(privateKey.export({ type: 'pkcs8', format: 'pem' }))
}

describe('SIGHUP', () => {
  it('reloads, and each push that is on its way or comes meanwhile is delivered once', async () => {
    await configure('')
    const running = await serve()
    const tokens: string[] = []
    for (let reloads = 0; reloads < 3; reloads += 1) {
      const more = Array.from({ length: 30 }, () => push(running.url, 'd50'))
      await Promise.any(more)
      // Another option of the app: its connection to APNs is opened anew.
      await configure(reloads % 2 === 0 ? 'privacy: event_id_only' : '')
      running.signal('SIGHUP')
      tokens.push(...(await Promise.all([...more, ...Array.from({ length: 30 }, () => push(running.url, 'd50'))])))
      await running.logged(RELOADED, reloads + 1)
    }
    expect(await pushed(running.url)).toMatchObject({ room_id: '!room:example.org' })
    for (const token of tokens) await services.waitFor(token, 1)
    expect(tokens.filter((token) => services.of(token).length !== 1)).toEqual([])
  })

  it('reloads when no file changed', async () => {
    await configure('')
    const running = await serve()
    running.signal('SIGHUP')
    expect(await running.logged(RELOADED)).toMatchObject({ level: 'info', apps: 2 })
  })

  it('tells which settings wait for a restart', async () => {
    await configure('')
    const running = await serve()
    await configure('log: { format: text }')
    running.signal('SIGHUP')
    expect(await running.logged('This setting takes effect after a restart')).toMatchObject({ setting: 'log.format' })
  })

  it('takes another log level at once', async () => {
    await configure('')
    const running = await serve()
    await configure('log: { level: debug }')
    running.signal('SIGHUP')
    await running.logged(RELOADED)
    await push(running.url)
    const accepted = await running.logged('A push was accepted')
    const delivered = await running.logged('A delivery was handled')
    expect(delivered).toMatchObject({ level: 'debug', device: accepted['device'], push: accepted['push'] })
  })
})

describe('a change of the configuration file', () => {
  it('is noticed by itself, and told to those who ask what is passed on', async () => {
    await configure('')
    const running = await serve()
    const toldOf = async (privacy: string) => {
      const app = expect.objectContaining({ app: 'com.example.ios', privacy })
      expect(await (await fetch(new URL('/_hushgate/privacy', running.url))).json()).toMatchObject({
        apps: expect.arrayContaining([app]),
      })
      return (await fetch(new URL('/', running.url))).text()
    }
    expect(await pushed(running.url)).not.toHaveProperty('room_id')
    expect(await toldOf('minimal')).toContain('Apple learns <em>that</em> something came, not <em>what</em>')
    await configure('privacy: event_id_only')
    await running.logged(RELOADED)
    expect(await pushed(running.url)).toHaveProperty('room_id', '!room:example.org')
    expect(await toldOf('event_id_only')).toContain('Apple learns <em>which</em> message in which room it is about')
  })

  it('with mistakes is refused with each of them in the log, the old one stays in use, and the mended one is taken', async () => {
    await configure('')
    const running = await serve()
    const isFresh = async () =>
      metricValue(await (await fetch(`${running.adminUrl}/metrics`)).text(), 'hushgate_config_last_reload_successful')
    await configure('privacy: event_id_only\nunknown_app: perhaps', services.appsYaml.replace('topic:', 'topik:'))
    const { level, mistakes } = await running.logged(REFUSED)
    expect(level).toBe('error')
    expect(String(mistakes).replaceAll(folder.path, 'DIR').split('\n')).toEqual([
      expect.stringMatching(/^DIR\/hushgate.yaml:\d+: unknown_app: expected one of "drop", "reject"/),
      expect.stringMatching(/^DIR\/hushgate.yaml:\d+: apps\["com.example.ios"\].topic: is missing/),
      expect.stringMatching(/^DIR\/hushgate.yaml:\d+: apps\["com.example.ios"\].topik: unknown key/),
    ])
    expect(await isFresh()).toBe(0)
    expect(await pushed(running.url)).not.toHaveProperty('room_id')
    await configure('privacy: event_id_only')
    await running.logged(RELOADED)
    expect(await isFresh()).toBe(1)
    expect(await pushed(running.url)).toHaveProperty('room_id')
  })
})

describe('a change of a key', () => {
  it('is noticed by itself: pushes wait while it is one that Apple does not know', async () => {
    await copyFile(goodKeyFile, folder.at('AuthKey.p8'))
    await configure('', withKeyFile('AuthKey.p8'))
    const running = await serve()
    await pushed(running.url)
    await folder.write('AuthKey.p8', wrongKey())
    await running.logged(RELOADED)
    const token = await push(running.url)
    await running.logged(BLOCKED)
    await copyFile(goodKeyFile, folder.at('AuthKey.p8'))
    await services.waitFor(token, 1, 200)
  })

  it('to something that is no key is refused, and the old one stays in use', async () => {
    await copyFile(goodKeyFile, folder.at('AuthKey.p8'))
    await configure('', withKeyFile('AuthKey.p8'))
    const running = await serve()
    await folder.write('AuthKey.p8', 'half a key')
    expect(await running.logged(REFUSED)).toMatchObject({ mistakes: expect.stringContaining('key_file') })
    await pushed(running.url)
  })

  it('by which Kubernetes swaps the folder behind ..data is noticed', async () => {
    await mkdir(folder.at('secret/..1'), { recursive: true })
    await mkdir(folder.at('secret/..2'))
    await folder.write('secret/..1/AuthKey.p8', wrongKey())
    await folder.write('secret/..2/AuthKey.p8', await readFile(goodKeyFile, 'utf8'))
    await symlink('..1', folder.at('secret/..data'))
    await symlink('..data/AuthKey.p8', folder.at('secret/AuthKey.p8'))
    await configure('', withKeyFile('secret/AuthKey.p8'))
    const running = await serve()
    const token = await push(running.url)
    await running.logged(BLOCKED)
    await symlink('..2', folder.at('secret/..data_tmp'))
    await rename(folder.at('secret/..data_tmp'), folder.at('secret/..data'))
    await running.logged(RELOADED)
    await services.waitFor(token, 1, 200)
  })
})
