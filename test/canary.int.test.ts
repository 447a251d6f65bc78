/**
 * Nobody finds a Matrix ID, a room, an event, a name, a text, a number or a pushkey in what the gateway keeps and says, in any privacy mode, whatever
 * the push service answers (docs/architecture.md). Each field of each notification is a canary; a control plants some and finds them.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import {
  ALLOWED_PAYLOAD,
  canary,
  CANARY_NUMBERS,
  canaryNotification,
  findCanaries,
  formsOf,
  MARKER,
  sealedCanaryNotification,
} from './helpers/canary.ts'
import type { GatewayProcess } from './helpers/gateway-process.ts'
import { metricValue } from './helpers/gateway.ts'
import { newPushkey, startPushServices, type PushServices } from './helpers/push-services.ts'
import { until } from './helpers/received.ts'
import { observe, sinksOf } from './helpers/sinks.ts'
import { STORES } from './helpers/stores.ts'

const SERVICES = ['apns', 'fcm'] as const
const MODES = ['minimal', 'event_id_only', 'full'] as const
type Service = (typeof SERVICES)[number]
type Mode = (typeof MODES)[number]

/** What a push service is told to answer (simulators/script.ts). */
const ANSWERS = {
  success: { apns: '', fcm: '' },
  retry: { apns: 's503.a1.n1', fcm: 's503.a1.n1' },
  rejection: { apns: 'rUnregistered', fcm: 'rUNREGISTERED' },
  failure: { apns: 's400.rBadMessageId', fcm: 's400.rINVALID_ARGUMENT' },
} as const
type Answer = keyof typeof ANSWERS

interface Case {
  readonly service: Service
  readonly mode: Mode
  readonly answer: Answer
  readonly token: string
  readonly pushkey: string
}

let services: PushServices
beforeAll(async () => {
  services = await startPushServices()
})
afterAll(() => services[Symbol.asyncDispose]())

describe('the search for canaries', () => {
  const noise = Buffer.from(Array.from({ length: 997 }, (_, index) => (index * 167) % 256))
  const planted = (form: string) => Buffer.concat([noise, Buffer.from(form, 'latin1'), noise])

  it.each(
    [MARKER, String(CANARY_NUMBERS.badge)].flatMap((text) => formsOf(text).map(({ name, needle }) => [name, needle])),
  )('finds one as %s', (_, needle) => {
    expect(findCanaries(planted(needle))).not.toEqual([])
  })

  it.each([
    ['in a JSON string', JSON.stringify({ text: canary('x') })],
    ['in an encoded URL', encodeURIComponent(canary('x'))],
    ['in a printed Buffer', JSON.stringify(Buffer.from(canary('x')))],
    ['in upper-case hex', Buffer.from(canary('x')).toString('hex').toUpperCase()],
    ...[0, 1, 2].flatMap((offset) =>
      (['base64', 'base64url'] as const).map((encoding) => [
        `in ${encoding} after ${offset} other bytes`,
        Buffer.from(`${'-'.repeat(offset)}${canary('x')}`).toString(encoding),
      ]),
    ),
  ])('finds one %s', (_, text) => {
    expect(findCanaries(planted(text))).not.toEqual([])
  })

  it('finds nothing where there is none', () => {
    expect(findCanaries(planted('com.example.ios'))).toEqual([])
  })
})

describe.each(STORES)('on %s', (store) => {
  describe('a canary in the configured name of an app, which may be seen,', () => {
    const app = `com.example.${MARKER}`
    const found = observe(
      store,
      () => ({ [app]: appsOf(services).apns }),
      async (gateway) => {
        const { apns } = newPushkey(ANSWERS.failure.apns)
        await post(gateway, { event_id: '$event', devices: [{ app_id: app, pushkey: apns }] })
        await settled(gateway, app, { failed: 1 })
      },
    )

    it.each(sinksOf(store))('is found in %s', (sink) => {
      expect(findCanaries(found(sink))).not.toEqual([])
    })
  })

  describe('of notifications that are nothing but canaries', () => {
    const cases = SERVICES.flatMap((service) =>
      MODES.flatMap((mode) => keys(ANSWERS).map((answer): Case => newCase(service, mode, answer))),
    )
    const sealed = SERVICES.flatMap((service) => MODES.map((mode) => newCase(service, mode, 'success')))
    const answers: string[] = []
    const rejections = new Map<string, string>()

    const found = observe(store, globApps, async (gateway, isWaiting) => {
      const postAll = async (some: readonly Case[], about: typeof canaryNotification) =>
        Promise.all(some.map(async (each) => answers.push(await post(gateway, about(appIdOf(each), each.pushkey)))))
      await postAll(cases, canaryNotification)
      await postAll(sealed, sealedCanaryNotification)
      for (const { token } of cases) await services.waitFor(token, 1)
      await isWaiting()
      for (const service of SERVICES)
        for (const mode of MODES)
          await settled(gateway, appName(service, mode), { delivered: 3, rejected: 1, failed: 1 })
      answers.push(...(await nonsense(gateway)))
      // Known dead by now, so this is answered from memory.
      for (const each of cases.filter(({ answer }) => answer === 'rejection'))
        rejections.set(each.pushkey, await post(gateway, canaryNotification(appIdOf(each), each.pushkey)))
    })

    it.each(sinksOf(store))('nothing is found in %s', (sink) => {
      expect(findCanaries(found(sink))).toEqual([])
    })

    it('nothing is found in what homeservers are answered, but for a pushkey that is dead', () => {
      expect(findCanaries(Buffer.from(answers.join('\n')))).toEqual([])
      expect(rejections.size).toBe(SERVICES.length * MODES.length)
      for (const [pushkey, answer] of rejections) expect(JSON.parse(answer)).toEqual({ rejected: [pushkey] })
    })

    it('each reached its push service, and in full mode with its content', () => {
      for (const { token, answer } of cases) expect(services.of(token)).toHaveLength(answer === 'retry' ? 2 : 1)
      for (const { token } of cases.filter(({ mode }) => mode === 'full'))
        expect(JSON.stringify(services.of(token)[0]?.body)).toContain(`${MARKER} sender_display_name`)
    })

    it.each(SERVICES)('in minimal mode nothing but allow-listed values and the badge reaches %s', (service) => {
      const bodies = cases
        .filter((each) => each.service === service && each.mode === 'minimal')
        .flatMap(({ token }) => services.of(token).map(({ headers, body }) => ({ headers, body, token })))
      expect(bodies).toHaveLength(keys(ANSWERS).length + 1)
      for (const { headers, body, token } of bodies) {
        expect(findCanaries(Buffer.from(JSON.stringify(headers)))).toEqual([])
        expect(body).toEqual(service === 'apns' ? MINIMAL_PAYLOAD : { ...MINIMAL_MESSAGE, token })
      }
    })
  })
})

const MINIMAL_PAYLOAD = { ...ALLOWED_PAYLOAD, aps: { ...ALLOWED_PAYLOAD.aps, badge: CANARY_NUMBERS.badge } }
const MINIMAL_MESSAGE = {
  data: { cs: ALLOWED_PAYLOAD.cs, session_id: ALLOWED_PAYLOAD.session_id, sync: '1' },
  android: { priority: 'high' },
}

function newCase(service: Service, mode: Mode, answer: Answer): Case {
  const { token } = newPushkey(ANSWERS[answer][service])
  // Marked after the script and the random part, so that the simulators still know it.
  const marked = `${token}-${MARKER}`
  return {
    service,
    mode,
    answer,
    token: marked,
    pushkey: service === 'apns' ? Buffer.from(marked).toString('base64') : marked,
  }
}

function appName(service: Service, mode: Mode): string {
  return `com.example.glob.${service}.${mode}.*`
}

function appIdOf({ service, mode }: Case): string {
  return appName(service, mode).replace('*', canary('app_id'))
}

function appsOf({ appsYaml }: PushServices): Record<Service, object> {
  const { apps } = parse(appsYaml)
  return { apns: apps['com.example.ios'], fcm: apps['com.example.android'] }
}

function globApps(): object {
  const sections = appsOf(services)
  return Object.fromEntries(
    SERVICES.flatMap((service) =>
      MODES.map((mode) => [appName(service, mode), { ...sections[service], privacy: mode }]),
    ),
  )
}

async function post({ url }: GatewayProcess, notification: object): Promise<string> {
  const body = JSON.stringify({ notification })
  const response = await fetch(`${url}/_matrix/push/v1/notify`, { method: 'POST', body })
  expect(response.status).toBe(200)
  return response.text()
}

async function settled(
  gateway: GatewayProcess,
  app: string,
  outcomes: Readonly<Record<string, number>>,
): Promise<void> {
  for (const [outcome, count] of Object.entries(outcomes))
    await until(`${count} deliveries of ${app} are ${outcome}`, async () => {
      const metrics = await gateway.admin('/metrics')
      return metricValue(metrics, 'hushgate_outcomes_total', { app, outcome }) === count
    })
}

/** What nobody understands must not be repeated either; resolves with the answers. */
async function nonsense(gateway: GatewayProcess): Promise<readonly string[]> {
  const { url } = gateway
  const notification = canaryNotification('com.example.ios', MARKER)
  const whole = JSON.stringify({ notification })
  const bodies = [
    whole.slice(0, -3),
    JSON.stringify({ notification: { ...notification, devices: [{ [canary('key')]: canary('value') }] } }),
    JSON.stringify({ notification: { ...notification, devices: [{ app_id: canary('app'), pushkey: MARKER }] } }),
    whole + ' '.repeat(600 * 1024),
    `${'['.repeat(100_000)}"${MARKER}"`,
  ]
  const path = `/_matrix/push/v1/notify?${MARKER}`
  const answers = [
    ...bodies.map((body) => fetch(url + path, { method: 'POST', body })),
    fetch(url + path, { method: 'PUT', body: whole, headers: { authorization: MARKER, 'user-agent': MARKER } }),
    fetch(`${url}/${MARKER}/${encodeURIComponent(canary('path'))}`),
  ]
  const texts = await Promise.all(answers.map(async (answer) => (await answer).text()))
  // The admin API may repeat to the operator what it was asked; the log may not.
  await gateway.admin(`/api/dead?reason=${MARKER}`)
  await gateway.admin(`/${MARKER}`)
  return texts
}

function keys<Key extends string>(record: Readonly<Record<Key, unknown>>): Key[] {
  return Object.keys(record).filter((key): key is Key => key in record)
}
