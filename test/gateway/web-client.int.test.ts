/**
 * The example web app (config/examples/web) in a real browser, with a whole gateway. What a public push service would do is done here: the
 * subscription is the simulator's; what the simulator received is decrypted in the browser by the example's own code and given to the service worker.
 */
import { once } from 'node:events'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createVapidKey } from '../../src/commands/keygen.ts'
import { parseVapidKey } from '../../src/providers/webpush/vapid-key.ts'
import { createAuthority } from '../../src/simulators/certificate.ts'
import { startWebPushSimulator, type Subscription, type WebPushSimulator } from '../../src/simulators/webpush.ts'
import { startChromium, type Chromium, type Page } from '../helpers/chromium.ts'
import { startGateway, type TestGateway } from '../helpers/gateway.ts'
import { until } from '../helpers/received.ts'
import { typescriptExample } from '../helpers/typescript-example.ts'

const EXAMPLE = join(import.meta.dirname, '../../config/examples/web')
/** For whoever wants to see it. */
const SCREENSHOTS = join(import.meta.dirname, '../../.cache/screenshots')
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
}
const PHONE = { width: 360, height: 740 }

const vapidKey = createVapidKey()
let folder: string
let simulator: WebPushSimulator
let gateway: TestGateway
let homeserver: FakeHomeserver
let website: Website
let chromium: Chromium

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hushgate-web-client-'))
  const authority = createAuthority()
  await writeFile(join(folder, 'ca.pem'), authority.certificate)
  await writeFile(join(folder, 'vapid.pem'), vapidKey)
  simulator = await startWebPushSimulator({ authority })
  const section = `type: webpush
    vapid_private_key_file: vapid.pem
    vapid_subject: mailto:ops@example.org
    allow_private_endpoints: [127.0.0.1]
    ca_file: ca.pem`
  const appsYaml = `apps:
  com.example.web.*:
    ${section}
  com.example.web.ids:
    ${section}
    privacy: event_id_only
  com.example.web.full:
    ${section}
    privacy: full
`
  gateway = await startGateway({ appsYaml, folder })
  homeserver = await startFakeHomeserver()
  website = await startWebsite([gateway.url, homeserver.url])
  chromium = await startChromium()
  await chromium.allowNotifications(website.url)
  await mkdir(SCREENSHOTS, { recursive: true })
})
afterAll(async () => {
  await chromium[Symbol.asyncDispose]()
  await website.close()
  await homeserver.close()
  await gateway.close()
  await simulator.close()
  await rm(folder, { recursive: true })
})

describe('the example web app', () => {
  it('subscribes with the key of the gateway, and sets a pusher', async () => {
    const { page, subscription } = await openExample('phone')
    await press(page, 'subscribe')
    await says(page, 'Subscribed. Send yourself a message from another account.')
    expect(await page.evaluate('subscribedWith')).toBe(publicKeyOf(vapidKey))
    expect(homeserver.requests.at(-1)).toEqual({
      authorization: 'Bearer syt_secret',
      pusher: {
        kind: 'http',
        app_id: 'com.example.web.phone',
        pushkey: subscription.p256dh,
        app_display_name: expect.any(String),
        device_display_name: expect.any(String),
        lang: expect.any(String),
        data: {
          url: `${gateway.url}/_matrix/push/v1/notify`,
          endpoint: subscription.endpoint,
          auth: subscription.auth,
          format: 'event_id_only',
          events_only: true,
          default_payload: { session_id: expect.stringMatching(/^[\da-f-]{36}$/) },
        },
      },
    })
    expect(await page.evaluate(`document.querySelector('[name=accessToken]').value`)).toBe('')
  })

  const ids = { room_id: '!room:example.org', event_id: '$event' }
  it.each([
    ['phone', 'a wake-up', { sync: '1' }, { title: 'New message', body: '', tag: 'message' }],
    ['ids', 'IDs and counts', { ...ids, unread: 2 }, { title: 'New message', body: '2 unread', tag: ids.room_id }],
    [
      'full',
      'everything',
      {
        ...ids,
        unread: 2,
        sender: '@alice:example.org',
        sender_display_name: 'Alice 🐈',
        type: 'm.room.message',
        content: { msgtype: 'm.text', body: 'See you at eight' },
      },
      { title: 'Alice 🐈', body: 'See you at eight', tag: ids.room_id },
    ],
  ])('of the app %s shows what the gateway sent: %s', async (app, _what, expected, notification) => {
    const { page, subscription } = await openExample(app)
    await press(page, 'subscribe')
    await says(page, 'Subscribed.')
    await homeserver.pushes({
      event_id: ids.event_id,
      room_id: ids.room_id,
      sender: '@alice:example.org',
      sender_display_name: 'Alice 🐈',
      type: 'm.room.message',
      content: { msgtype: 'm.text', body: 'See you at eight' },
      counts: { unread: 2 },
    })
    const payload = await decryptedIn(page, await bytesFor(app), subscription)
    expect(JSON.parse(payload)).toEqual({ ...expected, session_id: expect.any(String) })

    await page.push(payload)
    const arrived = `document.querySelector('#arrivals pre')?.textContent ?? ''`
    await until('the page shows it', async () => (await page.evaluate(arrived)) !== '')
    expect(JSON.parse(String(await page.evaluate(arrived)))).toEqual(JSON.parse(payload))
    expect(await page.evaluate(`document.querySelector('#nothing').checkVisibility()`)).toBe(false)
    // Chromium forgets a notification about which it is asked while it begins to show it: then it comes once more.
    await until('it is a notification', async () => {
      const isShown = JSON.stringify(await notifications(page)).includes(JSON.stringify(notification))
      if (!isShown) await page.push(payload)
      return isShown
    })

    await writeFile(join(SCREENSHOTS, `web-client-${app}.png`), await page.screenshot())
    await isAsItShouldBe(page)
  })

  it('is told of no change that is only a count', async () => {
    const { page } = await openExample('counts')
    await press(page, 'subscribe')
    await says(page, 'Subscribed.')
    await homeserver.pushes({ counts: { unread: 0 } })
    await homeserver.pushes({ event_id: '$after' })
    await bytesFor('counts')
    expect(received('counts')).toHaveLength(1)
  })

  it('takes the place of a subscription with another key', async () => {
    const { page, subscription } = await openExample('again', 'subscription.applicationServerKey = "another"')
    await press(page, 'subscribe')
    await says(page, 'Subscribed.')
    expect(homeserver.requests.at(-1)?.pusher).toMatchObject({ pushkey: subscription.p256dh })
  })

  it('ends both, the pusher and the subscription', async () => {
    const { page, subscription } = await openExample('end')
    await press(page, 'subscribe')
    await says(page, 'Subscribed.')
    await press(page, 'stop')
    await says(page, 'Stopped: nothing more will arrive.')
    expect(homeserver.requests.at(-1)?.pusher).toEqual({
      kind: null,
      app_id: 'com.example.web.end',
      pushkey: subscription.p256dh,
    })
    await press(page, 'stop')
    await says(page, 'This browser is not subscribed.')
  })

  it.each([
    [
      'an app that the gateway does not know',
      { appId: 'com.example.ios' },
      'The gateway knows no web app com.example.ios.',
    ],
    [
      'an access token that the homeserver does not know',
      { accessToken: 'wrong' },
      'The homeserver answers 401: Unrecognised access token',
    ],
    [
      'a gateway that is not there',
      { gateway: 'http://127.0.0.1:9' },
      'The gateway cannot be reached at http://127.0.0.1:9.',
    ],
  ])('says what is wrong with %s, and that it is an error', async (_what, fields, sentence) => {
    const { page } = await openExample('wrong')
    await press(page, 'subscribe', fields)
    await says(page, sentence)
    const { kind, color } = await statusOf(page)
    expect(kind).toBe('error')
    await press(page, 'subscribe', { gateway: gateway.url, appId: 'com.example.web.wrong' })
    await says(page, 'Subscribed.')
    const after = await statusOf(page)
    expect(after.kind).toBe('done')
    expect(after.color).not.toBe(color)
  })

  it('says what it waits for, and what may be the matter when that takes long', async () => {
    // The page's clock is ours: what it sets for later runs when we say so.
    const { page } = await openExample(
      'slow',
      'PushManager.prototype.subscribe = () => new Promise(() => {}); window.setTimeout = (run) => { window.later = run }',
    )
    await press(page, 'subscribe')
    const waiting = "Waiting for the browser's push service …"
    await until('it says so', async () => (await statusOf(page)).text === waiting)
    await page.evaluate('later()')
    expect(await statusOf(page)).toMatchObject({
      kind: 'busy',
      text: expect.stringMatching(new RegExp(`^${waiting} The browser has to reach it`)),
    })
  })
})

describe('the key of an app', () => {
  const keyOf = async (app: string): Promise<unknown> => (await fetch(`${gateway.url}/_hushgate/vapid/${app}`)).json()

  it('is told under each app ID that the app has', async () => {
    expect(await keyOf('com.example.web.ids')).toEqual({ vapid: publicKeyOf(vapidKey) })
    expect(await keyOf('com.example.web.any')).toEqual({ vapid: publicKeyOf(vapidKey) })
    expect(await keyOf('com.example.web')).toEqual({ errcode: 'M_UNRECOGNIZED', error: expect.any(String) })
  })

  it('is another one after a reload with another file', async () => {
    const next = createVapidKey()
    await writeFile(join(folder, 'vapid.pem'), next)
    await gateway.reload({})
    expect(await keyOf('com.example.web.ids')).toEqual({ vapid: publicKeyOf(next) })
    await writeFile(join(folder, 'vapid.pem'), vapidKey)
    await gateway.reload({})
    expect(await keyOf('com.example.web.ids')).toEqual({ vapid: publicKeyOf(vapidKey) })
  })
})

describe('the TypeScript example for app makers', () => {
  let page: Page
  beforeAll(async () => {
    ;({ page } = await openExample('decrypt'))
  })
  const EXAMPLE_OF_RFC_8291 = {
    body: 'DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN',
    keys: {
      p256dh: 'BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4',
      auth: 'BTBZMqHH6r4Tts7J_aSIgg',
      privateKey: 'q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94',
    },
  }
  const record = () => Buffer.from(EXAMPLE_OF_RFC_8291.body, 'base64url')

  it('reads the example of RFC 8291', async () => {
    expect(await decryptedIn(page, record(), EXAMPLE_OF_RFC_8291.keys)).toBe(
      'When I grow up, I want to be a watermelon',
    )
  })

  it.each([
    ['nothing', () => Buffer.alloc(0)],
    ['half of it', () => record().subarray(0, 100)],
    ['a changed byte', () => Buffer.concat([record().subarray(0, -1), Buffer.of(0)])],
    ['more than its record size', () => record().fill(0, 16, 19).fill(50, 19, 20)],
  ])('reads nothing of %s', async (_what, changed) => {
    await expect(decryptedIn(page, changed(), EXAMPLE_OF_RFC_8291.keys)).rejects.toThrow(/Error/)
  })

  it('reads nothing that is for somebody else', async () => {
    const somebody = simulator.subscribe('somebody')
    await expect(decryptedIn(page, record(), somebody)).rejects.toThrow('OperationError')
  })
})

function publicKeyOf(privateKey: string): string {
  const key = parseVapidKey(privateKey)
  return typeof key === 'string' ? '' : key.publicKey
}

/** The page at the width of a small phone, in a browser that is subscribed as the simulator says. `script` runs after that was prepared. */
async function openExample(name: string, script = ''): Promise<{ page: Page; subscription: Subscription }> {
  const subscription = simulator.subscribe(name)
  const page = await chromium.open(website.url, { ...PHONE, script: pushService(subscription) + script })
  await page.evaluate(
    `for (const [name, value] of Object.entries(${JSON.stringify({
      gateway: gateway.url,
      appId: `com.example.web.${name}`,
      homeserver: homeserver.url,
    })})) document.querySelector('form').elements[name].value = value`,
  )
  return { page, subscription }
}

/** What only a public push service can make, the subscription; it refuses as browsers do (Push API §5.3.1). */
function pushService({ endpoint, p256dh, auth }: Subscription): string {
  return `
var subscribedWith
var subscription = {
  toJSON: () => (${JSON.stringify({ endpoint, keys: { p256dh, auth } })}),
  unsubscribe: async () => delete subscription.applicationServerKey,
}
PushManager.prototype.getSubscription = async () => subscription.applicationServerKey === undefined ? null : subscription
PushManager.prototype.subscribe = async ({ applicationServerKey, userVisibleOnly }) => {
  if (userVisibleOnly !== true) throw new DOMException('', 'NotAllowedError')
  if ((subscription.applicationServerKey ??= applicationServerKey) !== applicationServerKey)
    throw new DOMException('', 'InvalidStateError')
  subscribedWith = applicationServerKey
  return subscription
}
`
}

async function press(page: Page, button: 'subscribe' | 'stop', fields: Readonly<Record<string, string>> = {}) {
  await page.evaluate(`for (const [name, value] of Object.entries(${JSON.stringify({ accessToken: 'syt_secret', ...fields })}))
  document.querySelector('form').elements[name].value = value
document.querySelector('button[value=${button}]').click()`)
}

async function says(page: Page, sentence: string): Promise<void> {
  let said: unknown
  await until(`the page says "${sentence}"`, async () => {
    const { text, kind } = await statusOf(page)
    said = text
    return text !== '' && kind !== 'busy'
  })
  expect(said).toContain(sentence)
}

async function statusOf(page: Page): Promise<{ readonly text: string; readonly kind: string; readonly color: string }> {
  const [text, kind, color] = JSON.parse(
    String(
      await page.evaluate(`((status) => JSON.stringify([
        status.textContent, status.dataset.kind, getComputedStyle(status).color]))(document.querySelector('#status'))`),
    ),
  )
  return { text: String(text), kind: String(kind), color: String(color) }
}

const received = (name: string) => simulator.received.filter((push) => push.name === name)

async function bytesFor(name: string): Promise<Buffer> {
  await until(`the push service has a push for ${name}`, () => received(name).length > 0)
  const [push] = received(name)
  expect(push?.status).toBe(201)
  return push?.body ?? Buffer.alloc(0)
}

async function decryptedIn(
  page: Page,
  body: Buffer,
  { p256dh, auth, privateKey }: Pick<Subscription, 'p256dh' | 'auth' | 'privateKey'>,
): Promise<string> {
  return String(
    await page.evaluate(`import('/hushgate-sealed.js').then(async ({ decrypt }) => {
      const record = Uint8Array.fromBase64('${body.toString('base64')}')
      return new TextDecoder().decode(await decrypt(record, ${JSON.stringify({ p256dh, auth, privateKey })}))
    })`),
  )
}

function notifications(page: Page): Promise<unknown> {
  return page.evaluate(`navigator.serviceWorker.ready
    .then((registration) => registration.getNotifications())
    .then((all) => all.map(({ title, body, tag }) => ({ title, body, tag })))`)
}

/** No word in the console, nothing asked of anybody else, nothing wider than the screen. */
async function isAsItShouldBe(page: Page): Promise<void> {
  expect(page.problems).toEqual([])
  const origins = new Set(page.requests.map((url) => new URL(url).origin))
  expect([...origins].toSorted()).toEqual([website.url, gateway.url, homeserver.url].toSorted())
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(PHONE.width)
}

interface FakeHomeserver {
  readonly url: string
  readonly requests: readonly { readonly authorization: string | undefined; readonly pusher: Pusher }[]
  /** Sends a notification for the pusher that was set last. */
  pushes(notification: object): Promise<void>
  close(): Promise<void>
}

interface Pusher {
  readonly app_id: string
  readonly pushkey: string
  readonly data: { readonly url: string; readonly [key: string]: unknown }
}

/** As much of a homeserver as the page needs, for pages of every origin (client-server API, web browser clients). */
async function startFakeHomeserver(): Promise<FakeHomeserver> {
  const requests: { authorization: string | undefined; pusher: Pusher }[] = []
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.setHeader('access-control-allow-origin', '*')
    response.setHeader('access-control-allow-headers', 'authorization, content-type')
    if (request.method === 'OPTIONS') return void response.end()
    let text = ''
    for await (const chunk of request.setEncoding('utf8')) text += String(chunk)
    const { authorization } = request.headers
    if (request.url !== '/_matrix/client/v3/pushers/set') return void response.writeHead(404).end('{}')
    if (authorization !== 'Bearer syt_secret')
      return void response
        .writeHead(401)
        .end(JSON.stringify({ errcode: 'M_UNKNOWN_TOKEN', error: 'Unrecognised access token' }))
    requests.push({ authorization, pusher: JSON.parse(text) })
    response.end('{}')
  }
  const server = createServer((request, response) => void answer(request, response))
  return {
    ...(await listening(server)),
    requests,
    async pushes(notification) {
      const pusher = requests.at(-1)?.pusher
      if (pusher === undefined) throw new Error('no pusher was set')
      const { url, ...data } = pusher.data
      const devices = [{ app_id: pusher.app_id, pushkey: pusher.pushkey, data }]
      const response = await fetch(url, {
        method: 'POST',
        body: JSON.stringify({ notification: { ...notification, devices } }),
      })
      expect(await response.json()).toEqual({ rejected: [] })
    },
  }
}

interface Website {
  readonly url: string
  close(): Promise<void>
}

/** Serves the example under the strictest policy it can live with. */
function startWebsite(connectsTo: readonly string[]): Promise<Website> {
  const policy = [
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self'; manifest-src 'self'",
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    `connect-src ${connectsTo.join(' ')}`,
  ].join('; ')
  const answer = async ({ url = '' }: IncomingMessage, response: ServerResponse): Promise<void> => {
    const name = url === '/' ? 'index.html' : url.slice(1)
    const body =
      name === 'hushgate-sealed.js'
        ? await typescriptExample()
        : await readFile(join(EXAMPLE, name)).catch(() => undefined)
    if (body === undefined) return void response.writeHead(404).end()
    response.writeHead(200, { 'content-type': TYPES[extname(name)], 'content-security-policy': policy }).end(body)
  }
  return listening(createServer((request, response) => void answer(request, response)))
}

async function listening(server: Server): Promise<Website> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    async close() {
      server.close()
      server.closeAllConnections()
      await once(server, 'close')
    },
  }
}
