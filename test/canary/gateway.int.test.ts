/**
 * Each field of each notification is a canary of its own, through every push service, mode, outcome and fault. Whoever reads the store, the log, the
 * metrics, or what the operator's commands say finds of them what the ledger declares (src/core/ledger.ts), and so does each push service.
 */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { learnedOf, type LedgerPolicy, type Party } from '../../src/core/ledger.ts'
import { createSubscriptionSecrets } from '../../src/simulators/webpush-encryption.ts'
import {
  canaryCounts,
  canaryDeviceKey,
  canaryNotification,
  ENCRYPTED,
  valuesIn,
} from '../helpers/canary-notification.ts'
import {
  SERVICES,
  startCanaryServices,
  type CanaryServices,
  type Service,
  type Way,
} from '../helpers/canary-services.ts'
import { canary, CANARY_FIELDS, createFinder, tokenOf, type Finding, type SentValue } from '../helpers/canary.ts'
import type { GatewayProcess } from '../helpers/gateway-process.ts'
import { metricValue } from '../helpers/gateway.ts'
import { until } from '../helpers/received.ts'
import { observe, sinksOf, type Sink } from '../helpers/sinks.ts'
import { STORES } from '../helpers/stores.ts'

const POLICIES = [
  { privacy: 'minimal', counts: 'badge', sealed: 'optional' },
  { privacy: 'minimal', counts: 'exact', sealed: 'optional' },
  { privacy: 'event_id_only', counts: 'exact', sealed: 'optional' },
  { privacy: 'event_id_only', counts: 'none', sealed: 'optional' },
  { privacy: 'full', counts: 'badge', sealed: 'optional' },
  { privacy: 'full', counts: 'exact', sealed: 'required' },
] as const
type Policy = (typeof POLICIES)[number]
const MOST = POLICIES[4]

const KEY = canaryDeviceKey(createSubscriptionSecrets())
/** What is said of the event, or put into the pusher, in place of the usual. */
const NOTIFICATIONS: Readonly<Record<string, { readonly about?: object; readonly data?: object }>> = {
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
  retry: { apns: 's503.a1.n1', fcm: 's503.a1.n1', webpush: 's503.n1' },
  rejection: { apns: 'rUnregistered', fcm: 'rUNREGISTERED', webpush: 's410' },
  failure: { apns: 's400.rBadMessageId', fcm: 's400.rINVALID_ARGUMENT', webpush: 's400' },
  'no JSON': { apns: 's400.badjson', fcm: 's400.badjson', webpush: 's413.nobody' },
}
const FAULTS = { 'no answer': 'hang', 'a reset connection': 'rst' } as const
/** As many as there are words in a notification, which are quoted one by one. */
const QUOTED = 40

/** Whom each sink belongs to; what the operator's commands say holds nothing but names of apps. */
const PARTY_OF: Readonly<Record<Sink, Party | undefined>> = {
  'the log and the error output': 'log',
  'the metrics and the readiness': 'metrics',
  'the dead letters of the admin API': undefined,
  'hushgate dead list': undefined,
  'the store while deliveries wait in it': 'store',
  'the store in the end': 'store',
  'what Redis was told': 'store',
}

const THROW_INSIDE = ['--import', join(import.meta.dirname, '../helpers/throw-inside.ts')]

let services: CanaryServices
beforeAll(async () => {
  services = await startCanaryServices()
})
afterAll(() => services[Symbol.asyncDispose]())

describe.each(STORES)('on %s', (store) => {
  const sent: SentValue[] = []
  const tokens = new Map<string, string[]>()
  const answers: string[] = []
  const rejections = new Map<string, string>()
  let events = 0

  /** Posts one for a new device, and resolves with its pushkey. */
  async function push(
    gateway: GatewayProcess,
    app: App,
    { about = {}, data = {}, script = '' }: { about?: object; data?: object; script?: string } = {},
  ): Promise<{ readonly pushkey: string; readonly again: () => Promise<string> }> {
    const device = services.device(app.service, app.way, script)
    const again = async () => {
      const event = 'counts' in about ? {} : { event_id: canary('event_id', String((events += 1))) }
      const notification = canaryNotification(
        { appId: appIdOf(app), pushkey: device.pushkey, data: { ...data, ...device.data } },
        { ...event, ...about },
      )
      sent.push(...valuesIn(notification))
      return post(gateway, notification)
    }
    tokens.set(app.name, [...(tokens.get(app.name) ?? []), device.token])
    answers.push(await again())
    return { pushkey: device.pushkey, again }
  }

  const found = observe(
    store,
    appsOf,
    async (gateway, isWaiting) => {
      const faulty = SERVICES.flatMap((service) => [
        ...Object.values(FAULTS).map((script) => push(gateway, appFor(service, 'works', MOST, 'faults'), { script })),
        push(gateway, appFor(service, 'unreachable')),
        push(gateway, appFor(service, 'refuses')),
        ...Array.from({ length: QUOTED }, (_, index) =>
          push(gateway, appFor(service, 'quotes'), NOTIFICATIONS[index % 2 === 0 ? 'message' : 'event']),
        ),
      ])
      const rejected = await Promise.all(
        SERVICES.flatMap((service) =>
          POLICIES.flatMap((policy) => {
            const app = appFor(service, 'works', policy)
            const dying = push(gateway, app, { script: ANSWERS['rejection']?.[service] ?? '' })
            const others = [
              ...Object.values(NOTIFICATIONS).map((some) => push(gateway, app, some)),
              ...Object.values(ANSWERS).map((answer) => push(gateway, app, { script: answer[service] })),
              push(gateway, app, { about: { ...COUNTS_ONLY } }),
            ]
            return [Promise.all(others).then(() => dying)]
          }),
        ),
      )
      await Promise.all(faulty)
      await isWaiting()
      await settled(gateway)
      // Registered later than it died, it is believed once; dead again, it is not.
      for (const { again } of rejected) answers.push(await again())
      await settled(gateway)
      for (const { pushkey, again } of rejected) rejections.set(pushkey, await again())
      answers.push(...(await nonsense(gateway)), ...(await thrown(gateway)))
      answers.push(await refused(gateway))
    },
    THROW_INSIDE,
  )

  /** What a homeserver is answered once an app has as much waiting as it may have. */
  async function refused(gateway: GatewayProcess): Promise<string> {
    await gateway.reload('high_water: 1')
    let answer = ''
    await until('the store takes no more', async () => {
      const { pushkey, data } = services.device('fcm', 'unreachable')
      const notification = canaryNotification(
        { appId: appIdOf(appFor('fcm', 'unreachable')), pushkey, data },
        { event_id: canary('event_id') },
      )
      sent.push(...valuesIn(notification))
      const response = await send(gateway.url, JSON.stringify({ notification }))
      answer = await response.text()
      return response.status === 503
    })
    return answer
  }

  let findIn: ReturnType<typeof createFinder>
  beforeAll(() => {
    findIn = createFinder(sent)
  })

  it.each(sinksOf(store))('nothing is found in %s but what the ledger declares', (sink) => {
    const party = PARTY_OF[sink]
    const declared = party === undefined ? [] : SERVICES.flatMap((service) => declaredTo(party, service, POLICIES))
    expect(undeclared(findIn(found(sink)), declared)).toEqual([])
  })

  it.each(['store', 'log', 'metrics'] as const)(
    'all that the ledger declares is found by who reads the %s',
    (party) => {
      const bytes = Buffer.concat(sinksOf(store).flatMap((sink) => (PARTY_OF[sink] === party ? [found(sink)] : [])))
      const declared = SERVICES.flatMap((service) => declaredTo(party, service, POLICIES))
      expect(summary(findIn(bytes))).toEqual([...new Set(declared)].toSorted())
    },
  )

  it.each(sinksOf(store))('the name of an app, which may be seen, is found in %s', (sink) => {
    expect(found(sink).includes(appFor('fcm', 'works').name.slice(0, -1))).toBe(true)
  })

  it('nothing is found in what homeservers are answered, but for a pushkey that is dead', () => {
    expect(findIn(Buffer.from(answers.join('\n')))).toEqual([])
    expect(rejections.size).toBe(SERVICES.length * POLICIES.length)
    for (const [pushkey, answer] of rejections) expect(JSON.parse(answer)).toEqual({ rejected: [pushkey] })
  })

  it('push services quoted all that they were sent in clear', () => {
    const quoted = summary(findIn(services.quoted()))
    const clear = declaredTo('push_service', 'fcm', [MOST]).filter((line) => !/^(?:encrypted|device_key):/.test(line))
    expect(quoted).toEqual(expect.arrayContaining(clear))
  })

  describe.each(SERVICES)('by %s', (service) => {
    it.each(POLICIES)(
      'is found what the ledger declares with privacy: $privacy, counts: $counts, sealed: $sealed',
      (policy) => {
        const seen = tokens.get(appFor(service, 'works', policy).name)?.flatMap((token) => services.of(token)) ?? []
        expect(seen.length).toBeGreaterThan(10)
        expect(summary(findIn(Buffer.concat(seen)))).toEqual(declaredTo('push_service', service, [policy]))
      },
    )
  })
})

const COUNTS_ONLY = {
  id: undefined,
  room_id: undefined,
  type: undefined,
  sender: undefined,
  content: undefined,
  counts: canaryCounts(),
}

interface App {
  readonly name: string
  readonly service: Service
  readonly way: Way
  readonly policy: Policy
}

function appFor(service: Service, way: Way, policy: Policy = MOST, what: string = way): App {
  return { name: `com.example.${service}.${what}.${POLICIES.indexOf(policy)}.*`, service, way, policy }
}

function allApps(): App[] {
  return SERVICES.flatMap((service) => [
    ...POLICIES.map((policy) => appFor(service, 'works', policy)),
    appFor(service, 'works', MOST, 'faults'),
    appFor(service, 'unreachable'),
    appFor(service, 'refuses'),
    appFor(service, 'quotes'),
  ])
}

function appsOf(): object {
  return Object.fromEntries(
    allApps().map(({ name, service, way, policy }) => [name, { ...services.section(service, way), ...policy }]),
  )
}

function appIdOf({ name }: App): string {
  return name.replace('*', canary('app_id'))
}

/** What can be seen of fields that carry a canary. */
function declaredTo(party: Party, service: Service, policies: readonly Policy[]): string[] {
  const declared = policies.flatMap((policy) => {
    const ledger: LedgerPolicy =
      service === 'webpush' ? { ...policy, service, isEndToEnd: true, sealed: 'ignored' } : { ...policy, service }
    return CANARY_FIELDS.flatMap((field) =>
      learnedOf(field, party, ledger)
        .filter((learned) => learned === 'as_sent' || learned === 'sum_as_badge')
        .map((learned) => `${field}: ${learned}`),
    )
  })
  return [...new Set(declared)].toSorted()
}

function summary(findings: readonly Finding[]): string[] {
  return [...new Set(findings.map(({ field, learned }) => `${field}: ${learned}`))].toSorted()
}

function undeclared(findings: readonly Finding[], declared: readonly string[]): readonly Finding[] {
  return findings.filter(({ field, learned }) => !declared.includes(`${field}: ${learned}`))
}

async function post({ url }: GatewayProcess, notification: object): Promise<string> {
  const response = await send(url, JSON.stringify({ notification }))
  expect(response.status).toBe(200)
  return response.text()
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
      if (app.includes('.faults.')) return count('retries_total') >= Object.keys(FAULTS).length
      if (way === 'unreachable') return count('retries_total') > 0
      if (way === 'refuses' && service !== 'webpush') return count('app_blocked') === 1
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
    withDevices(Array.from({ length: 1001 }, () => ({ app_id: tokenOf('app_id'), pushkey: tokenOf('pushkey') }))),
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
  expect(responses.map(({ status }) => status)).toEqual([200, 400, 400, 400, 400, 400, 400, 413, 400, 405, 404, 404])
  // The admin API may repeat to the operator what it was asked; the log may not.
  await gateway.admin(`/api/dead?reason=${tokenOf('unknown')}`)
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
