/** Simulated push services, and what can be wrong with each: an app per fault, devices that are canaries, and all that was received. */
import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parse } from 'yaml'
import { startSimulators } from '../../src/commands/simulators.ts'
import { createAuthority } from '../../src/simulators/certificate.ts'
import { startFcmSimulator } from '../../src/simulators/fcm.ts'
import { startWebPushSimulator } from '../../src/simulators/webpush.ts'
import { canary, tokenOf } from './canary.ts'
import { startEchoServices } from './echo-services.ts'
import { freePort } from '../helpers/free-port.ts'
import { startHuawei } from '../helpers/huawei.ts'
import { DECLARATIVE } from '../ledger/services.ts'

/** `declarative`: Web Push that the browser shows by itself. */
export const SERVICES = ['apns', 'declarative', 'fcm', 'hms', 'unifiedpush', 'webpush'] as const
export type Service = (typeof SERVICES)[number]

/**
 * `works`; nobody listens; our credential is refused; all that was sent is quoted. (Nothing that a Web Push service says can mean our credential,
 * so there it is taken.)
 */
export const WAYS = ['works', 'unreachable', 'refuses', 'quotes'] as const
export type Way = (typeof WAYS)[number]

export interface ServiceDevice {
  /** By which the push service knows it. */
  readonly token: string
  readonly pushkey: string
  readonly data?: object | undefined
}

export interface CanaryServices extends AsyncDisposable {
  /** The section of an app, without its policy. */
  section(service: Service, way: Way): object
  device(service: Service, way?: Way, script?: string): ServiceDevice
  /** All that a push service saw of this device, a push each. */
  of(token: string): readonly Buffer[]
  /** All that was said by those who quote. */
  readonly quoted: () => Buffer
}

export async function startCanaryServices(): Promise<CanaryServices> {
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-canary-'))
  const received = new Map<string, Buffer[]>()
  const add = (token: string, ...seen: (string | Buffer | object)[]): void => {
    const bytes = seen.map((each) =>
      Buffer.isBuffer(each) ? each : Buffer.from(typeof each === 'string' ? each : JSON.stringify(each)),
    )
    received.set(token, [...(received.get(token) ?? []), Buffer.concat(bytes)])
  }
  const simulators = await startSimulators({
    folder,
    onApplePush: ({ token, headers, body }) => add(Buffer.from(token, 'hex').toString(), token, headers, body),
    onGooglePush: ({ token, body }) => add(token, body),
  })
  const authority = createAuthority()
  const browsers = await startWebPushSimulator({
    authority,
    onPush: ({ name, headers, body }) => add(name, `/wp/${name}`, headers, body),
  })
  const echo = await startEchoServices(authority)
  const nobody = `https://127.0.0.1:${await freePort()}`
  const at = (name: string): string => join(folder, name)
  await writeFile(at('own-ca.pem'), authority.certificate)
  const huawei = await startHuawei(folder, authority, at('own-ca.pem'), {
    onPush: ({ token, message = {} }) => add(token, message),
  })
  await writeFile(at('other-hms-secret'), 'of-another-client')
  // Whoever quotes gives no access tokens.
  const tokens = await startFcmSimulator({ authority })
  await writeFile(at('quoted-account.json'), JSON.stringify(tokens.createServiceAccount('quoted')))
  for (const name of ['vapid.pem', 'stranger.p8']) {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    await writeFile(at(name), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  }

  const { apps } = parse(simulators.appsYaml)
  const webpush = {
    type: 'webpush',
    vapid_private_key_file: at('vapid.pem'),
    vapid_subject: 'mailto:ops@example.org',
    allow_private_endpoints: ['127.0.0.1'],
    ca_file: at('own-ca.pem'),
  }
  const SECTIONS: Readonly<Record<Service, Readonly<Record<Way, object>>>> = {
    apns: byWay(apps['com.example.ios'], {
      unreachable: { endpoint: nobody },
      refuses: { key_file: at('stranger.p8') },
      quotes: { endpoint: echo.apns, ca_file: at('own-ca.pem') },
    }),
    declarative: byWay({ ...webpush, declarative: DECLARATIVE }, { unreachable: {}, refuses: {}, quotes: {} }),
    fcm: byWay(apps['com.example.android'], {
      unreachable: { endpoint: nobody },
      refuses: { project_id: 'of-somebody-else' },
      quotes: {
        endpoint: echo.https,
        ca_file: at('own-ca.pem'),
        service_account_file: at('quoted-account.json'),
      },
    }),
    hms: byWay(huawei.section, {
      unreachable: { endpoint: nobody },
      refuses: { client_secret_file: at('other-hms-secret') },
      // Whoever quotes gives no access tokens.
      quotes: { endpoint: echo.https },
    }),
    unifiedpush: byWay(
      {
        type: 'unifiedpush',
        allowed_endpoints: ['localhost'],
        allow_private_endpoints: ['localhost'],
        ca_file: at('own-ca.pem'),
      },
      { unreachable: {}, refuses: {}, quotes: {} },
    ),
    webpush: byWay(webpush, { unreachable: {}, refuses: {}, quotes: {} }),
  }
  const origins: Readonly<Record<Way, string>> = {
    works: browsers.url,
    refuses: browsers.url,
    unreachable: nobody,
    quotes: echo.https,
  }

  return {
    section: (service, way) => SECTIONS[service][way],
    device(service, way = 'works', script = '') {
      // The canary stands after the script and the random part, so that the simulators still know it.
      const token = `${script === '' ? 'device' : `x${script}`}-${randomUUID()}-${tokenOf('pushkey')}`
      if (service === 'fcm' || service === 'hms') return { token, pushkey: token }
      if (service === 'apns') return { token, pushkey: Buffer.from(token).toString('base64') }
      if (service === 'unifiedpush') {
        const origin = origins[way].replace('127.0.0.1', 'localhost')
        const { endpoint } = browsers.subscribe(token, { origin, isPlain: true, needsNoVapid: true })
        // The one word of the pusher's data that these apps are told.
        return { token, pushkey: endpoint, data: { client_name: canary('pusher_data') } }
      }
      const { p256dh, auth, endpoint } = browsers.subscribe(token, { origin: origins[way] })
      const data = { endpoint, auth, ...(service === 'declarative' ? { declarative: true } : {}) }
      return { token, pushkey: p256dh, data }
    },
    of: (token) => received.get(token) ?? [],
    quoted: echo.quoted,
    async [Symbol.asyncDispose]() {
      await Promise.all([simulators, echo].map((each) => each[Symbol.asyncDispose]()))
      await Promise.all([browsers, huawei.simulator, tokens].map((each) => each.close()))
      await rm(folder, { recursive: true })
    },
  }
}

function byWay(works: object, others: Readonly<Record<Exclude<Way, 'works'>, object>>): Readonly<Record<Way, object>> {
  const { unreachable, refuses, quotes } = others
  return {
    works,
    unreachable: { ...works, ...unreachable },
    refuses: { ...works, ...refuses },
    quotes: { ...works, ...quotes },
  }
}
