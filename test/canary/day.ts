/** A day in the life of a gateway on which all that comes is canaries, and all that can go wrong goes wrong. */
import { expect } from 'vitest'
import { createSubscriptionSecrets } from '../../src/simulators/webpush-encryption.ts'
import { canaryCounts, canaryDeviceKey, canaryNotification, ENCRYPTED, valuesIn } from './notification.ts'
import { SERVICES, type CanaryServices, type Service } from './services.ts'
import { canary, tokenOf, type SentValue } from './canary.ts'
import type { GatewayProcess } from '../helpers/gateway-process.ts'
import { metricValue } from '../helpers/gateway.ts'
import { until } from '../helpers/received.ts'
import { allApps, appFor, appIdOf, FAULTS, MOST, POLICIES, type App } from './apps.ts'

const KEY = canaryDeviceKey(createSubscriptionSecrets())
interface Variant {
  readonly about?: object
  readonly data?: object
}
/** What is said of the event, or put into the pusher, in place of the usual. */
const NOTIFICATIONS: Readonly<Record<string, Variant>> = {
  event: {},
  message: { about: { type: 'm.room.message' } },
  'without names': { about: { type: 'm.room.message', sender_display_name: undefined, room_name: undefined } },
  'an ID alone': { about: { type: undefined, content: undefined } },
  encrypted: { about: ENCRYPTED },
  sealed: { data: KEY },
  'with an invalid key': { data: { hushgate_key: { ...Object(KEY).hushgate_key, v: 2 } } },
}
/** What a push service is told to answer (simulators/script.ts). */
const ANSWERS: Readonly<Record<string, Readonly<Record<Service, string>>>> = {
  // Of Push Kit a 503 makes the whole app wait for a minute.
  retry: { apns: 's503.a1.n1', fcm: 's503.a1.n1', hms: 'r81000001.n1', ...ofEndpoints('s503.n1') },
  failure: { apns: 's400.rBadMessageId', fcm: 's400.rINVALID_ARGUMENT', hms: 'r80100003', ...ofEndpoints('s400') },
  'no JSON': { apns: 's400.badjson', fcm: 's400.badjson', hms: 's400', ...ofEndpoints('s413.nobody') },
}
const DEAD: Readonly<Record<Service, string>> = {
  apns: 'rUnregistered',
  fcm: 'rUNREGISTERED',
  hms: 'r80300007',
  ...ofEndpoints('s410'),
}
function ofEndpoints(script: string) {
  return { declarative: script, unifiedpush: script, webpush: script }
}
/** No answer in time, and a connection that is reset. */
const LOST = ['hang', 'rst'] as const
/** As many as there are words in a notification, which are quoted one by one. */
const QUOTED = 40

/** Nothing but counts. */
const COUNTS_ONLY: Variant = {
  about: { event_id: undefined, type: undefined, content: undefined, room_id: undefined, counts: canaryCounts() },
}

export class Day {
  /** Values as homeservers sent them. */
  readonly sent: SentValue[] = []
  /** What homeservers were answered, but for dead pushkeys. */
  readonly answers: string[] = []
  /** By pushkey, what was answered once it was known to be dead. */
  readonly rejections = new Map<string, string>()
  readonly #services: CanaryServices
  readonly #devices = new Map<string, string[]>()
  #events = 0

  constructor(services: CanaryServices) {
    this.#services = services
  }

  /** Devices of an app, as its push service knows them. */
  devicesOf({ name }: App): readonly string[] {
    return this.#devices.get(name) ?? []
  }

  async pass(gateway: GatewayProcess, look: () => Promise<void>): Promise<void> {
    await this.#faulty(gateway)
    await this.#ordinary(gateway)
    const dying = await this.#dying(gateway)
    await look()
    await settled(gateway)
    // Registered later than it died, it is believed once; dead again, it is not.
    for (const { again } of dying) this.answers.push(await again())
    await settled(gateway)
    for (const { pushkey, again } of dying) this.rejections.set(pushkey, await again())
    this.answers.push(...(await nonsense(gateway)), ...(await thrown(gateway)), await this.#refused(gateway))
  }

  #dying(gateway: GatewayProcess): Promise<Pushed[]> {
    const apps = SERVICES.flatMap((service) => POLICIES.map((policy) => appFor(service, 'works', policy)))
    return Promise.all(apps.map((app) => this.#push(gateway, app, {}, DEAD[app.service])))
  }

  async #ordinary(gateway: GatewayProcess): Promise<void> {
    const apps = SERVICES.flatMap((service) => POLICIES.map((policy) => appFor(service, 'works', policy)))
    await Promise.all(
      apps.flatMap((app) => [
        ...[...Object.values(NOTIFICATIONS), COUNTS_ONLY].map((variant) => this.#push(gateway, app, variant)),
        ...Object.values(ANSWERS).map((answer) => this.#push(gateway, app, {}, answer[app.service])),
      ]),
    )
  }

  async #faulty(gateway: GatewayProcess): Promise<void> {
    await Promise.all(
      SERVICES.flatMap((service) => [
        ...LOST.map((script) => this.#push(gateway, appFor(service, 'works', MOST, FAULTS), {}, script)),
        this.#push(gateway, appFor(service, 'unreachable')),
        this.#push(gateway, appFor(service, 'refuses')),
        ...Array.from({ length: QUOTED }, (_, index) =>
          this.#push(gateway, appFor(service, 'quotes'), NOTIFICATIONS[index % 2 === 0 ? 'message' : 'event']),
        ),
      ]),
    )
  }

  /** Posts one for a new device. */
  async #push(
    gateway: GatewayProcess,
    app: App,
    { about = {}, data = {} }: Variant = {},
    script?: string,
  ): Promise<Pushed> {
    const device = this.#services.device(app.service, app.way, script)
    this.#devices.set(app.name, [...this.devicesOf(app), device.token])
    const again = async (): Promise<string> => {
      const notification = canaryNotification(
        { appId: appIdOf(app), pushkey: device.pushkey, data: { ...data, ...device.data } },
        { event_id: canary('event_id', String((this.#events += 1))), ...about },
      )
      let answer = ''
      // On a busy machine the store may take longer than a second, which homeservers are told.
      await until('it is accepted', async () => {
        const response = await this.#post(gateway, notification)
        expect(response.status).toBeOneOf([200, 503])
        answer = await response.text()
        return response.status === 200
      })
      return answer
    }
    this.answers.push(await again())
    return { pushkey: device.pushkey, again }
  }

  #post({ url }: GatewayProcess, notification: object): Promise<Response> {
    this.sent.push(...valuesIn(notification))
    return send(url, JSON.stringify({ notification }))
  }

  /** What a homeserver is answered once an app has as much waiting as it may have. */
  async #refused(gateway: GatewayProcess): Promise<string> {
    await gateway.reload('high_water: 1')
    let answer = ''
    await until('the store takes no more', async () => {
      const { pushkey, data } = this.#services.device('fcm', 'unreachable')
      const device = { appId: appIdOf(appFor('fcm', 'unreachable')), pushkey, data }
      const response = await this.#post(gateway, canaryNotification(device, { event_id: canary('event_id') }))
      answer = await response.text()
      return response.status === 503
    })
    return answer
  }
}

interface Pushed {
  readonly pushkey: string
  /** The same device, another event; resolves with the answer. */
  readonly again: () => Promise<string>
}

/** Its headers are canaries, too. */
function send(url: string, body: string, method = 'POST', path = NOTIFY_PATH): Promise<Response> {
  const headers = { 'user-agent': SOURCE, 'x-forwarded-for': SOURCE, authorization: SOURCE, 'x-request-id': SOURCE }
  return fetch(url + path, { method, headers, ...(method === 'GET' ? {} : { body }) })
}

const NOTIFY_PATH = '/_matrix/push/v1/notify'
const SOURCE = tokenOf('source_address')

/** Nothing is on its way any more but what waits because of a fault. */
async function settled(gateway: GatewayProcess): Promise<void> {
  for (const { name: app, way, service } of allApps())
    await until(`the deliveries of ${app} are settled`, async () => {
      const metrics = await gateway.admin('/metrics')
      const count = (name: string, state?: string) =>
        metricValue(metrics, `hushgate_${name}`, state === undefined ? { app } : { app, state }) ?? 0
      if (app.includes(`.${FAULTS}.`)) return count('retries_total') >= LOST.length
      if (way === 'unreachable') return count('retries_total') > 0
      if (way === 'refuses' && (service === 'apns' || service === 'fcm' || service === 'hms'))
        return count('app_blocked') === 1
      if (way === 'quotes') return count('attempts_total') >= QUOTED
      return ['waiting', 'delayed', 'active'].every((state) => count('queue_deliveries', state) === 0)
    })
}

/** What nobody understands must not be repeated either; resolves with the answers. */
async function nonsense(gateway: GatewayProcess): Promise<readonly string[]> {
  const { url } = gateway
  const usual = canaryNotification(
    { appId: canary('app_id'), pushkey: tokenOf('pushkey') },
    { event_id: canary('event_id') },
  )
  const whole = JSON.stringify({ notification: usual })
  const withDevices = (devices: unknown) => JSON.stringify({ notification: { ...usual, devices } })
  const bodies = [
    whole,
    whole.slice(0, -3),
    withDevices(canary('pushkey')),
    withDevices([{ [canary('unknown')]: canary('unknown') }]),
    withDevices([{ app_id: canary('app_id'), pushkey: { [tokenOf('pushkey')]: 1 } }]),
    withDevices(Array.from({ length: 101 }, () => ({ app_id: tokenOf('app_id'), pushkey: tokenOf('pushkey') }))),
    JSON.stringify({ [canary('unknown')]: usual }),
    whole + ' '.repeat(600 * 1024),
    `${'['.repeat(100_000)}"${tokenOf('content')}"`,
  ]
  const path = `${NOTIFY_PATH}?${tokenOf('unknown')}`
  const asked = [
    ...bodies.map((body) => send(url, body, 'POST', path)),
    send(url, whole, 'PUT', path),
    send(url, '', 'GET', `/${tokenOf('unknown')}/${encodeURIComponent(canary('unknown'))}`),
    send(url, '', 'GET', `/_hushgate/vapid/${encodeURIComponent(canary('app_id'))}`),
  ]
  const responses = await Promise.all(asked)
  expect(responses.map(({ status }) => status)).toEqual([200, 400, 400, 400, 400, 413, 400, 413, 400, 405, 404, 404])
  // The admin API may repeat to the operator what it was asked; the log may not.
  await gateway.admin(`/api/v1/dead?reason=${tokenOf('unknown')}`)
  await gateway.admin(`/${tokenOf('unknown')}`)
  return Promise.all(responses.map((response) => response.text()))
}

/** Something in the handler of a request throws what it was given; resolves with the answers. */
async function thrown({ url }: GatewayProcess): Promise<readonly string[]> {
  const answers: string[] = []
  for (const [place, status] of [
    ['reading', 400],
    ['hashing', 500],
  ] as const) {
    const notification = canaryNotification(
      { appId: appIdOf(appFor('fcm', 'works')), pushkey: tokenOf('pushkey') },
      { event_id: canary('event_id', `throw-${place}-`) },
    )
    const response = await send(url, JSON.stringify({ notification }))
    expect(response.status).toBe(status)
    answers.push(await response.text())
  }
  return answers
}
