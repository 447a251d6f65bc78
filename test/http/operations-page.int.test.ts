/** The operations page in a real browser: what an operator sees of a gateway that works, and does there. UPDATE_IMAGES=1 writes the pictures of docs/images. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { AXE, barriers } from '../helpers/axe.ts'
import { startChromium, type Chromium, type Page, type PageOptions } from '../helpers/chromium.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { newPushkey, startPushServices, type PushServices } from '../helpers/push-services.ts'
import { until } from '../helpers/received.ts'

const IMAGES = join(import.meta.dirname, '../../docs/images')
const IOS = 'com.example.ios'
const ANDROID = 'com.example.android'

let services: PushServices
let gateway: TestGateway
let chromium: Chromium
beforeAll(async () => {
  ;[services, chromium] = await Promise.all([startPushServices(), startChromium()])
  gateway = await startGateway({ appsYaml: services.appsYaml })
})
afterAll(async () => {
  await Promise.all([gateway.close(), chromium[Symbol.asyncDispose]()])
  await services[Symbol.asyncDispose]()
})

const token = (): string => readFileSync(join(gateway.folder, 'token'), 'utf8').trim()

async function push(script = '', app = IOS): Promise<void> {
  const { apns, fcm } = newPushkey(script)
  const devices = [{ app_id: app, pushkey: app === IOS ? apns : fcm }]
  expect((await gateway.notify({ event_id: `$${apns}`, room_id: '!room', devices })).status).toBe(200)
}

/** Resolves when the page shows this. */
async function sees(page: Page, text: string | RegExp): Promise<void> {
  const shown = typeof text === 'string' ? `.includes(${JSON.stringify(text)})` : `.search(${text}) >= 0`
  await page.evaluate(`new Promise((resolve) => {
    const look = () => document.body.innerText${shown} && resolve()
    new MutationObserver(look).observe(document, { subtree: true, childList: true, characterData: true, attributes: true })
    look()
  })`)
}

const click = (page: Page, selector: string, text: string) =>
  page.evaluate(
    `[...document.querySelectorAll(${JSON.stringify(selector)})].find((each) => each.textContent === ${JSON.stringify(text)}).click()`,
  )

async function signIn(page: Page, given = token()): Promise<void> {
  await page.evaluate(
    `document.getElementById('token').value = ${JSON.stringify(given)}; document.getElementById('sign-in').requestSubmit()`,
  )
}

async function open(part = '', options: Partial<PageOptions> = {}): Promise<Page> {
  const page = await chromium.open(`${gateway.adminUrl}/${part}`, { width: 1280, height: 800, ...options })
  await sees(page, 'Admin token')
  return page
}

it('shows nothing without the token', async () => {
  const page = await open()
  await signIn(page, 'wrong')
  await sees(page, 'The token is not the one of this gateway.')
  expect(await page.evaluate('document.body.innerText')).not.toContain(IOS)
})

it('shows how each app does, while it does it, and asks nobody but the gateway', async () => {
  const page = await open()
  await signIn(page)
  await sees(page, 'Every app can deliver.')
  await push()
  await sees(page, /Last delivered/)
  expect(page.problems).toEqual([])
  expect(page.requests.filter((url) => !url.startsWith(`${gateway.adminUrl}/`))).toEqual([])
})

it('pauses an app once the operator is sure, and resumes it', async () => {
  const page = await open()
  await signIn(page)
  await sees(page, IOS)
  await click(page, `#app-${CSS(IOS)}-apns button`, 'Pause')
  await sees(page, `Pause ${IOS}?`)
  await click(page, 'dialog button', 'Cancel')
  await click(page, `#app-${CSS(IOS)}-apns button`, 'Pause')
  await click(page, 'dialog button', 'Pause')
  await sees(page, '1 of 2 apps does not deliver.')
  await sees(page, `${IOS} is paused.`)
  await push()
  await click(page, `#app-${CSS(IOS)}-apns button`, 'Resume')
  await sees(page, `${IOS} delivers again.`)
  await sees(page, 'Every app can deliver.')
})

it('says on the card of an app that its new pushes are refused, as long as too many wait', async () => {
  const page = await open()
  await signIn(page)
  await sees(page, 'Every app can deliver.')
  expect(await page.evaluate('document.body.innerText')).not.toContain('queue.high_water')
  await gateway.reload({ settings: 'queue: { encryption_key_file: keys, high_water: 2 }' })
  await gateway.admin('/api/v1/pause', { app: IOS })
  await push()
  await push()
  await sees(page, 'New pushes to it are refused with 503: as many wait as queue.high_water allows.')
  const cardOf = (card: string) => page.evaluate(`document.getElementById('app-${card}').innerText`)
  expect(await cardOf(`${IOS}-apns`)).toContain('queue.high_water')
  expect(await cardOf(`${ANDROID}-fcm`)).not.toContain('queue.high_water')
  await gateway.admin('/api/v1/resume', { app: IOS })
  // That it is there no more.
  await sees(page, /^(?![^]*queue\.high_water)/)
  await gateway.reload({ settings: '' })
})

it('shows what failed and was given up, counts before it changes anything, and puts it back', async () => {
  await push('s413-PayloadTooLarge')
  const page = await open('#failures')
  await signIn(page)
  await sees(page, 'PayloadTooLarge')
  await click(page, 'nav a', 'Dead letters')
  await sees(page, 'Each of them')
  await click(page, 'main .card > .row button', 'Drop')
  await sees(page, '1 delivery will be removed for good')
  await click(page, 'dialog button', 'Drop')
  await sees(page, '1 were removed.')
  await sees(page, 'There is none.')
})

it('names the apps that homeservers push to and nobody has configured, and the configuration without secrets', async () => {
  await push('', 'com.example.forgotten')
  const page = await open('#unknown')
  await signIn(page)
  await sees(page, 'com.example.forgotten')
  await click(page, 'nav a', 'Configuration')
  await sees(page, 'callMaxAgeMs')
  expect(page.problems).toEqual([])
})

it('sends a test push and finds the device, by its pushkey and by what the log calls it', async () => {
  const { apns } = newPushkey()
  const page = await open('#device')
  await signIn(page)
  await sees(page, 'Send a test push')
  const type = (id: string, text: string) =>
    page.evaluate(`document.getElementById(${JSON.stringify(id)}).value = ${JSON.stringify(text)}`)
  await click(page, 'main button', 'Find')
  await sees(page, 'Which device?')
  await type('device', apns)
  await click(page, 'main button', 'Send a test push')
  await sees(page, 'A test push needs the pushkey and the app_id.')
  await type('app', IOS)
  await click(page, 'main button', 'Send a test push')
  await sees(page, /delivered .* after [0-9]+ ms/)
  await click(page, 'main button', 'Find')
  await sees(page, 'Nothing is known of this device')

  const devices = [{ app_id: IOS, pushkey: apns }]
  expect((await gateway.notify({ event_id: `$${apns}`, room_id: '!room', devices })).status).toBe(200)
  await until('what became of the push is kept', async () => {
    const { json } = await gateway.admin('/api/v1/find', { appId: IOS, pushkey: apns })
    return JSON.stringify(json).includes('"attempt":1')
  })
  await click(page, 'main button', 'Find')
  await sees(page, 'attempt 1')
  const name = await page.evaluate("document.querySelector('#found code').textContent")
  await type('device', String(name))
  await click(page, 'main button', 'Find')
  await sees(page, `${IOS}, device ${String(name)}`)
  expect(page.problems).toEqual([])
})

it('shows whose rejections are held back and since when, and takes the word of the operator', async () => {
  for (let device = 0; device < 21; device += 1) await push('rUnregistered')
  const page = await open('#rejections')
  await signIn(page)
  await sees(page, /Since 5 min ago, and it goes on/)
  await click(page, 'main button', 'They are wrong')
  await sees(page, `${IOS}: Are they alive?`)
  await click(page, 'dialog button', 'Cancel')
  await sees(page, 'They are dead')
  await click(page, 'nav a', 'Apps')
  await sees(page, 'most pushkeys were called dead')
  await click(page, '.card a', 'Rejections held back')
  await sees(page, 'They are wrong')
  await click(page, 'main button', 'They are wrong')
  await click(page, 'dialog button', 'They are wrong')
  await sees(page, `${IOS}: these pushkeys count as alive again.`)
  await sees(page, 'There is none.')
  expect((await gateway.admin('/api/v1/rejections')).json).toEqual({ suspected: [] })
})

it('says that no canary push arrives any more, on top and on the card of the app', async () => {
  const { apns } = newPushkey('s400.rBadMessageId')
  let laterMs = 0
  await using other = await startGateway({ appsYaml: services.appsYaml, nowMs: () => Date.now() + laterMs })
  writeFileSync(join(other.folder, 'canary'), apns)
  await other.reload({ settings: `canary: [{ app: ${IOS}, pushkey_file: canary, every: 1h }]` })
  const page = await chromium.open(`${other.adminUrl}/`, DESK)
  await sees(page, 'Admin token')
  await signIn(page, readFileSync(join(other.folder, 'token'), 'utf8').trim())
  await sees(page, 'Canary push every 1 h: none has arrived yet.')
  laterMs = 4 * 3_600_000
  await sees(page, `${IOS}: no canary push arrives.`)
  await sees(page, 'Canary push every 1 h: none has arrived.')
  expect(page.problems).toEqual([])
})

// From here on there is one, so that it is in what is looked at below, and in the picture.
it('shows on the card of an app when its last canary push arrived, and nothing where there are none', async () => {
  writeFileSync(join(gateway.folder, 'canary'), newPushkey().apns)
  await gateway.reload({ settings: `canary: [{ app: ${IOS}, pushkey_file: canary, every: 1h }]` })
  const page = await open()
  await signIn(page)
  await sees(page, /Canary push every 1 h: the last arrived .*, after [0-9.]+ m?s\./)
  expect(await page.evaluate(`document.getElementById('app-${ANDROID}-fcm').innerText`)).not.toContain('Canary')
})

/** Each part by its name in the navigation, with what it shows when it is there. */
const PARTS = [
  ['Apps', 'The store'],
  ['Failures', 'Recent failures'],
  ['Dead letters', 'Dead letters'],
  ['Rejections', 'Rejections held back'],
  ['Device', 'Send a test push'],
  ['Unknown apps', 'app_ids that homeservers push to'],
  ['Configuration', 'Configuration in use'],
] as const
const PHONE = { width: 360, height: 740 }
const DESK = { width: 1280, height: 800 }

describe.each([
  ['on a phone, light', { ...PHONE, isDark: false }],
  ['on a phone, dark', { ...PHONE, isDark: true }],
  ['on a desk, light', { ...DESK, isDark: false }],
  ['on a desk, dark', { ...DESK, isDark: true }],
] as const)('%s', (_where, options) => {
  beforeAll(async () => {
    await push('s413-PayloadTooLarge')
    await gateway.admin('/api/v1/pause', { app: ANDROID })
  })
  afterAll(() => gateway.admin('/api/v1/resume', { app: ANDROID }))

  it('no part of the page has a barrier for who hears it or uses the keyboard', async () => {
    const page = await open('', { ...options, script: AXE })
    expect(['sign in', await barriers(page)]).toEqual(['sign in', []])
    await signIn(page)
    await sees(page, ANDROID)
    for (const [part, shown] of PARTS) {
      await click(page, 'nav a', part)
      await sees(page, shown)
      await page.evaluate('document.querySelectorAll("details").forEach((each) => { each.open = true })')
      expect([part, await barriers(page)]).toEqual([part, []])
    }
    await click(page, 'nav a', 'Apps')
    await sees(page, 'The store')
    await click(page, `#app-${CSS(IOS)}-apns button`, 'Pause')
    expect(['question', await barriers(page)]).toEqual(['question', []])
    await page.evaluate("document.querySelector('dialog').append(document.createElement('input'))")
    expect(await barriers(page)).toEqual(['label: <input>'])
  })
})

it.each([360, 1280])('fits a screen of %i pixels in each of its parts', async (width) => {
  const page = await open('', width === 360 ? PHONE : DESK)
  await signIn(page)
  await sees(page, ANDROID)
  for (const [part, shown] of PARTS) {
    await click(page, 'nav a', part)
    await sees(page, shown)
    expect([part, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([part, width])
  }
  await click(page, 'nav a', 'Apps')
  await sees(page, 'The store')
  const picture = await page.screenshot()
  if (process.env['UPDATE_IMAGES'] !== '1') return
  mkdirSync(IMAGES, { recursive: true })
  writeFileSync(join(IMAGES, `operations-${width}.png`), picture)
})

/** For a selector: the dots of an app_id belong to its name. */
function CSS(id: string): string {
  return id.replaceAll('.', String.raw`\.`)
}
