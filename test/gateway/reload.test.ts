/** In which order a running gateway takes a new configuration: senders first, then what is accepted. Whole processes: test/process/reload.int.test.ts. */
import { randomUUID } from 'node:crypto'
import { afterEach, beforeEach, expect, it } from 'vitest'
import type { Config } from '../../src/config/config.ts'
import { openGateway, type Gateway } from '../../src/gateway.ts'
import { configFolder, type ConfigFolder } from '../helpers/config-folder.ts'
import { createKeyring } from '../helpers/delivery.ts'
import { metricValue } from '../helpers/gateway.ts'
import { createSteeredProvider, type SteeredProvider } from '../helpers/steered-provider.ts'
import { createGate, until } from '../helpers/received.ts'
import { RecordedLog } from '../helpers/recorded-log.ts'
import { openSqliteStore } from '../../src/store/sqlite/open.ts'
import { pushTo } from '../helpers/homeserver.ts'

let provider: SteeredProvider
let folder: ConfigFolder
let gateway: Gateway
beforeEach(async () => {
  provider = createSteeredProvider()
  folder = await configFolder(provider.kinds)
  const keyring = createKeyring()
  gateway = await openGateway(await load({ old: 'minimal' }), {
    role: 'all',
    version: '0.0.0-test',
    kinds: provider.kinds,
    keyring,
    adminToken: undefined,
    log: new RecordedLog(),
    openStore: () =>
      openSqliteStore({
        path: folder.at('hushgate.db'),
        synchronous: 'NORMAL',
        keyring,
        nowMs: Date.now,
        onError: () => {},
      }),
  })
})
afterEach(async () => {
  await gateway.close()
  await folder[Symbol.asyncDispose]()
})

/** Apps by their name, with their privacy mode and the label of their sender ("full by new"), which is their name where none is given. */
function load(apps: Record<string, string>, settings = 'unknown_app: reject'): Promise<Config> {
  const sections = Object.entries(apps).map(([name, app]) => {
    const [privacy, label = name] = app.split(' by ')
    return `  ${name}: { type: steered, label: "${label}", privacy: ${privacy} }`
  })
  return folder.load(
    `http: { host: 127.0.0.1, port: 0 }\nadmin: { port: 0 }\n${settings}\napps:\n${sections.join('\n')}\n`,
  )
}

/** Resolves with the pushkeys that are rejected. */
async function notify(app: string, pushkey = 'key'): Promise<unknown> {
  const devices = [{ app_id: app, pushkey }]
  const notification = { event_id: `$${randomUUID()}`, room_id: '!room:example.org', devices }
  const { status, json } = await pushTo(gateway.notifyUrl ?? '', notification)
  expect(status).toBe(200)
  return json
}

const happened = (event: string) => until(`"${event}" happens`, () => provider.events.includes(event))

it('a new app is accepted only once its sender is open, and until then everything is as it was', async () => {
  const opening = createGate()
  provider.opening = () => opening.passed
  const reloaded = gateway.reload(await load({ old: 'minimal', new: 'minimal' }, 'unknown_app: drop'))
  expect(await notify('new')).toEqual({ rejected: ['key'] })
  expect(await notify('old', 'meanwhile')).toEqual({ rejected: [] })
  await happened('send meanwhile by old')
  opening.open()
  await reloaded
  expect(await notify('new', 'afterwards')).toEqual({ rejected: [] })
  await happened('send afterwards by new')
  expect(await notify('unknown')).toEqual({ rejected: [] })
})

it('what comes while an old sender finishes is accepted by the new configuration, and goes out in its privacy mode', async () => {
  const answer = createGate()
  provider.answer = async (label) => {
    if (label === 'before') await answer.passed
    return { kind: 'delivered' }
  }
  await gateway.reload(await load({ old: 'full by before' }))
  await notify('old', 'first')
  await happened('send first by before')
  const reloaded = gateway.reload(await load({ old: 'minimal by new', 'added.*': 'minimal' }))
  await happened('open new')
  await until('the new sender takes over', async () => {
    await notify('old', 'meanwhile')
    return provider.events.includes('send meanwhile by new')
  })
  expect(provider.sent.at(-1)).toMatchObject({ push: { detail: 'minimal' } })
  expect(await notify('added.app', 'of an added app')).toEqual({ rejected: [] })
  await happened('send of an added app by added.*')
  expect(provider.events).not.toContain('close before')
  answer.open()
  await reloaded
})

it('a push to an app that is renamed while its old route finishes does not stay with the old name', async () => {
  const answer = createGate()
  await gateway.reload(await load({ 'a.*': 'minimal by glob' }))
  provider.answer = async (label) => {
    if (label === 'glob') await answer.passed
    return { kind: 'delivered' }
  }
  await notify('a.b', 'first')
  await happened('send first by glob')
  const reloaded = gateway.reload(await load({ 'a.b': 'minimal by exact' }))
  await happened('open exact')
  await notify('a.b', 'meanwhile')
  await happened('send meanwhile by exact')
  answer.open()
  await reloaded
})

it('an app that is removed finishes what is on its way, and is unknown from then on', async () => {
  const answer = createGate()
  provider.answer = async () => {
    await answer.passed
    return { kind: 'delivered' }
  }
  await notify('old', 'first')
  await happened('send first by old')
  const reloaded = gateway.reload(await load({ new: 'minimal' }))
  await happened('open new')
  answer.open()
  await reloaded
  expect(provider.events).toEqual(['open old', 'send first by old', 'open new', 'close old'])
  expect(await notify('old')).toEqual({ rejected: ['key'] })
})

it('a sender that does not open leaves all of the old configuration in use, also what was to change beside it', async () => {
  provider.opening = () => Promise.reject(new Error('its key cannot be read'))
  const next = await load({ old: 'full', new: 'minimal' }, 'unknown_app: drop')
  await expect(gateway.reload(next)).rejects.toThrow('its key cannot be read')
  expect(await notify('new')).toEqual({ rejected: ['key'] })
  expect(await notify('old', 'afterwards')).toEqual({ rejected: [] })
  await happened('send afterwards by old')
  const statement = await (await fetch(`${gateway.notifyUrl}/_hushgate/privacy`)).json()
  expect(statement).toMatchObject({ apps: [{ app: 'old', privacy: 'minimal' }] })
})

it('an app that is removed while it is blocked leaves nothing in the metrics, and a credential that does not expire no expiry', async () => {
  provider.answer = async () => ({ kind: 'blocked', reason: 'refused' })
  const scrape = async (): Promise<string> => (await fetch(`${gateway.adminUrl}/metrics`)).text()
  await gateway.reload(await load({ old: 'minimal', kept: 'minimal by 1700000000000' }, 'unknown_app: drop'))
  await notify('old')
  await until(
    'the app is blocked',
    async () => metricValue(await scrape(), 'hushgate_app_blocked', { app: 'old' }) === 1,
  )
  const blocked = await scrape()
  expect(metricValue(blocked, 'hushgate_queue_deliveries', { app: 'old', state: 'waiting' })).toBeDefined()
  expect(metricValue(blocked, 'hushgate_credential_expiry_timestamp_seconds', { app: 'kept' })).toBe(1_700_000_000)
  await gateway.reload(await load({ kept: 'minimal' }, 'unknown_app: drop'))
  const text = await scrape()
  expect(text).not.toContain('app="old"')
  expect(text).not.toMatch(/^hushgate_credential_expiry_timestamp_seconds\{/m)
  expect(text.match(/^hushgate_config_info\{/gm)).toHaveLength(1)
})
