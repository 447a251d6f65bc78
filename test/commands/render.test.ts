/** `hushgate render` shows what the gateway sends: each message as it is printed, beside the one that the intake stores to be sent. */
import { generateKeyPairSync } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Activity } from '../../src/activity/activity.ts'
import { render } from '../../src/commands/render.ts'
import type { Config } from '../../src/config/config.ts'
import { openRoutes } from '../../src/config/routes.ts'
import type { Message } from '../../src/core/message.ts'
import { TEST_PUSH } from '../../src/core/push.ts'
import { encryptForDevice } from '../../src/intake/encrypt-for-device.ts'
import { Intake } from '../../src/intake/intake.ts'
import { Metrics } from '../../src/metrics/metrics.ts'
import { providers } from '../../src/providers/index.ts'
import { createSubscriptionSecrets } from '../../src/simulators/webpush-encryption.ts'
import { configFolder, type ConfigFolder } from '../helpers/config-folder.ts'
import { Clock } from '../helpers/clock.ts'
import { createNotification } from '../helpers/notification.ts'
import { takeAll } from '../helpers/received.ts'
import { RecordedLog } from '../helpers/recorded-log.ts'
import { openTestStore, type TestStore } from '../helpers/sqlite-store.ts'
import { textSink } from '../helpers/text-sink.ts'

const CALL_MAX_AGE_S = 90
const APPLE = 'type: apns, key_file: AuthKey.p8, key_id: ABCDE12345, team_id: ABCDE12345'
const GOOGLE = 'type: fcm, service_account_file: account.json'
const BROWSER = 'type: webpush, vapid_private_key_file: vapid.pem, vapid_subject: "mailto:ops@example.org"'
/** By the app_id. */
const APPS: Readonly<Record<string, string>> = {
  'ios.minimal': `${APPLE}, topic: com.example.app`,
  'ios.event_id_only': `${APPLE}, topic: com.example.app, privacy: event_id_only`,
  'ios.full': `${APPLE}, topic: com.example.app, privacy: full`,
  'voip.event_id_only': `${APPLE}, topic: com.example.app.voip, push_type: voip, privacy: event_id_only`,
  'voip.full': `${APPLE}, topic: com.example.app.voip, push_type: voip, privacy: full`,
  'android.minimal': GOOGLE,
  'android.event_id_only': `${GOOGLE}, privacy: event_id_only`,
  'android.full': `${GOOGLE}, privacy: full`,
  'web.minimal': BROWSER,
  'web.full': `${BROWSER}, privacy: full`,
}
const ROOM = '!room:example.org'
const NOTIFICATIONS = {
  message: { event_id: '$message', room_id: ROOM, type: 'm.room.message', sender: '@a:b', counts: { unread: 2 } },
  'silent message': { event_id: '$silent', room_id: ROOM, prio: 'low' },
  call: { event_id: '$call', room_id: ROOM, type: 'm.call.invite', sender: '@a:b' },
  badge: { counts: { unread: 3 } },
  'test push': { event_id: TEST_PUSH.eventId, room_id: TEST_PUSH.roomId },
}

const subscription = createSubscriptionSecrets()
const clock = new Clock()
let folder: ConfigFolder
let config: Config
let store: TestStore
let intake: Intake
beforeAll(async () => {
  ;[folder, store] = await Promise.all([configFolder(providers), openTestStore(clock.nowMs)])
  for (const name of ['AuthKey.p8', 'vapid.pem']) await folder.write(name, ecKey())
  await folder.write('account.json', serviceAccount())
  const apps = Object.entries(APPS).map(([app, options]) => `  ${app}: { ${options} }`)
  config = await folder.load(`queue: { call_max_age: ${CALL_MAX_AGE_S}s }\napps:\n${apps.join('\n')}\n`)
  const routes = await openRoutes(config.routes, providers)
  const [metrics, log] = [new Metrics('0.0.0-test'), new RecordedLog()]
  intake = new Intake(
    { ...store, activity: new Activity(clock.nowMs), encryptForDevice, metrics, log, nowMs: clock.nowMs },
    routes,
    config,
  )
})
afterAll(async () => {
  await Promise.all([folder[Symbol.asyncDispose](), store[Symbol.asyncDispose]()])
})

/** What the command prints of the message for this app; undefined where it says that nothing is sent. */
async function shown(app: string, fields: object): Promise<Message | undefined> {
  const stdout = textSink()
  const body = Buffer.from(JSON.stringify({ notification: { ...fields, devices: [deviceOf(app)] } }))
  expect(await render({ config, kinds: providers, body, stdout, nowMs: clock.ms })).toBe(0)
  const [, ofPushService = ''] = stdout.text().split(/^ {2}push service /m)
  const headers = [...ofPushService.matchAll(/^ {16}([a-z-]+): (.*)$/gm)].map(([, name = '', value = '']) => [
    name,
    value,
  ])
  const [, printed] = /^ {16}(\{.*\} *)$/m.exec(ofPushService) ?? []
  return printed === undefined ? undefined : { headers: Object.fromEntries(headers), body: printed }
}

/** What the gateway stores to be sent to this app's push service. */
async function queued(app: string, fields: object): Promise<Message | undefined> {
  expect(await intake.accept(createNotification({ ...fields, devices: [deviceOf(app)] }))).toEqual([])
  const [handedOut] = await takeAll(store.queue, app)
  return handedOut?.delivery.message
}

function deviceOf(app: string): object {
  return {
    app_id: app,
    // As long as a browser's key.
    pushkey: subscription.p256dh,
    data: { endpoint: 'https://updates.push.services.mozilla.com/wpush/v2/x', auth: subscription.auth },
  }
}

/** Without the names that only the key file makes. */
function withoutNames(message: Message | undefined): unknown {
  const uuid = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g
  const text = JSON.stringify(message)?.replaceAll(uuid, 'ID').replaceAll('derived-by-keyed-hash', 'NAME')
  return text?.replaceAll(/(?<=\\?")[A-Za-z0-9_-]{32}(?=\\?")/g, 'NAME')
}

describe.each(Object.keys(APPS))('of %s, hushgate render shows', (app) => {
  it.each(Object.entries(NOTIFICATIONS))('a %s as it is sent', async (_what, fields) => {
    const [printed, stored] = [await shown(app, fields), await queued(app, fields)]
    expect(withoutNames(printed)).toEqual(withoutNames(stored))
  })
})

it.each(['voip.event_id_only', 'voip.full'])(
  'the push of a call by %s is shown to live as long as a call does',
  async (app) => {
    const ring = { ...NOTIFICATIONS.call, event_id: '$ring' }
    const [printed, stored] = [await shown(app, ring), await queued(app, ring)]
    const expiration = String(Math.floor(clock.ms / 1000) + CALL_MAX_AGE_S)
    expect([printed?.headers['apns-expiration'], stored?.headers['apns-expiration']]).toEqual([expiration, expiration])
  },
)

describe('hushgate render --example', () => {
  const rendered = async (body: 'message' | 'call' | 'invite' | 'badge', isJson = false) => {
    const stdout = textSink()
    expect(await render({ config, kinds: providers, body, isJson, stdout, nowMs: clock.ms })).toBe(0)
    return stdout.text()
  }
  const deviceOfApp = (text: string, app: string) =>
    text.split(/^Device \d+$/m).find((each) => each.includes(`app           ${app} `)) ?? ''

  it.each(['message', 'call', 'invite', 'badge'] as const)('%s needs no file, and is for each app', async (example) => {
    const text = await rendered(example)
    for (const app of Object.keys(APPS))
      expect(deviceOfApp(text, app)).toMatch(/^ {2}(compared|sent {10}nothing: badge)/m)
    expect(text).toContain(example === 'message' ? 'See you at eight' : '"devices"')
  })

  it('compares what was sent with what is passed on, and repeats no value that stays', async () => {
    const text = await rendered('message')
    const minimal = deviceOfApp(text, 'android.minimal')
    for (const field of ['event_id', 'room_id', 'sender', 'room_name', 'content', 'unread'])
      expect(minimal).toMatch(new RegExp(`^ {16}- ${field}$`, 'm'))
    expect(minimal).not.toMatch(/alice|family|See you/i)
    const full = deviceOfApp(text, 'android.full')
    expect(full).toMatch(/^ {16}\+ sender "@alice:example\.org"$/m)
    expect(full).toMatch(/^ {16}\+ content \{.*See you at eight/m)
    expect(deviceOfApp(text, 'ios.minimal')).toMatch(/^ {16}~ unread – unread and missed calls added up/m)
  })

  it('is plain where the output is no terminal', async () => {
    expect(await rendered('message')).not.toContain('\u001b')
  })

  it('with --json says the same to programs', async () => {
    const [text, json] = [await rendered('message'), JSON.parse(await rendered('message', true))]
    expect(json.devices.map(({ app }: { app: string }) => app)).toEqual(Object.keys(APPS))
    for (const { app, sent, learns } of json.devices) {
      const ofApp = deviceOfApp(text, app)
      expect(ofApp).toContain(sent.body)
      expect(ofApp.includes('- sender\n')).toBe(learns.sender.push_service.length === 0)
    }
    const android = JSON.parse(await rendered('badge', true)).devices.find(
      ({ app }: { app: string }) => app === 'android.minimal',
    )
    expect(android).toMatchObject({ sent: null, reason: expect.any(String) })
  })

  it('with --json also says what is wrong', async () => {
    const stdout = textSink()
    const options = { config, kinds: providers, isJson: true, stdout, nowMs: clock.ms }
    expect(await render({ ...options, body: Buffer.from('{') })).toBe(1)
    expect(JSON.parse(stdout.text())).toMatchObject({ status: 400, errcode: 'M_NOT_JSON' })
  })
})

function ecKey(): string {
  return String(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }))
}

function serviceAccount(): string {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return JSON.stringify({
    type: 'service_account',
    project_id: 'project',
    private_key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    client_email: 'hushgate@project.iam.gserviceaccount.com',
    token_uri: 'https://oauth2.googleapis.com/token',
  })
}
