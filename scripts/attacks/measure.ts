/** One round of one attack on one gateway: the same pushes of known devices without it, and with it. */
import { setTimeout as sleep } from 'node:timers/promises'
import { startHelper, type Helper } from '../bench/calls.ts'
import type { operations as loadOperations } from '../bench/paced-load-process.ts'
import { cpuMsOf, forgetPeak, peakMbOf } from '../bench/processes.ts'
import type { StoreKind } from '../bench/subjects.ts'
import { createGateway, type AttackedGateway } from './attacked-gateway.ts'
import { Attacker } from './attacker.ts'
import type { Attack } from './attack.ts'
import { appsYaml } from './configuration.ts'
import { KnownDevices, type BothFigures } from './known-devices.ts'
import { NOTIFY_PATH } from './requests.ts'
import type { operations as servicesOperations, Ports } from './services-process.ts'

export interface Helpers {
  readonly load: Helper<typeof loadOperations>
  readonly services: Helper<typeof servicesOperations>
  readonly ports: Ports
  /** Where the push services have put their keys. */
  readonly folder: string
}

export interface RoundOptions {
  /** What `npm run build` has made. */
  readonly program: string
  readonly store: StoreKind
  readonly seconds: number
  /** Pushes of each of the two apps. */
  readonly perSecond: number
}

/** What happened in a while. */
export interface While {
  readonly known: BothFigures
  /** The most that the gateway had. */
  readonly peakMb: number
  readonly cpuSeconds: number
}

export interface Round {
  readonly without: While
  readonly with: While
  /** What the attack came to; also how it was answered, and how many bytes it took. */
  readonly counts: Readonly<Record<string, number>>
  /** In the store, some seconds afterwards. */
  readonly left: Readonly<Record<string, number>>
}

/** Further back than what makes a device known takes (src/memory/known-devices.ts). */
const TWO_DAYS_MS = 48 * 3600_000
/** At the rate that is measured, after a burst. */
const WARM_UP_SECONDS = 3
/** What was rejected, given up or put aside is stored by then. */
const REST_MS = 500

/** The helpers for some rounds; the push services make keys, which takes a second. */
export async function startHelpers(folder: string): Promise<Helpers & Disposable> {
  const load = startHelper<typeof loadOperations>('paced-load-process.ts')
  const services = startHelper<typeof servicesOperations>('../attacks/services-process.ts')
  const stop = (): void => {
    load.stop()
    services.stop()
  }
  try {
    const ports = await services.ask('start', folder)
    return { load, services, ports, folder, [Symbol.dispose]: stop }
  } catch (error) {
    stop()
    throw error
  }
}

export async function measureRound(attack: Attack, options: RoundOptions, helpers: Helpers): Promise<Round> {
  const { services, ports } = helpers
  const { perSecond, seconds } = options
  const origin = attack.variant?.isProxied === true ? `https://localhost:${ports.webpush}` : 'https://good.test'
  const known = new KnownDevices({ ...helpers, apps: attack, origin })
  await known.register()
  await using gateway = await createGateway(options.program, options.store)
  await introduce(gateway, known, attack, helpers)
  await gateway.start(0)
  const url = gateway.notifyUrl + NOTIFY_PATH
  await known.warmUp(url)
  await known.push(url, perSecond, WARM_UP_SECONDS)
  await services.ask('reset', undefined)
  const without = await watch(gateway, () => known.push(url, perSecond, seconds))
  const attacker = new Attacker(gateway.notifyUrl, seconds, services)
  const strike = await attack.prepare(attacker)
  await services.ask('reset', undefined)
  const logged = gateway.log().length
  const attacked = await watch(gateway, async () => {
    const [figures] = await Promise.all([known.push(url, perSecond, seconds), strike()])
    return figures
  })
  attacker.leave()
  await sleep(REST_MS)
  const log = gateway.log().slice(logged)
  const counts = await countsOf(attack, attacker, helpers, log)
  const queued = await gateway.queued()
  return { without, with: attacked, counts, left: { ...queued, ...(await gateway.remembered()) } }
}

/** What the known devices got two days ago. Apple took the key then. */
async function introduce(
  gateway: AttackedGateway,
  known: KnownDevices,
  { variant = {}, queue = 'high_water: 50000' }: Attack,
  { services, ports, folder }: Helpers,
): Promise<void> {
  await services.ask('reset', undefined)
  await services.ask('setClock', -TWO_DAYS_MS)
  await gateway.configure(appsYaml(folder, ports, { ...variant, isRefused: false }), queue)
  await gateway.start(-TWO_DAYS_MS)
  await known.introduce(gateway.notifyUrl + NOTIFY_PATH)
  await gateway.end()
  await services.ask('setClock', 0)
  await gateway.configure(appsYaml(folder, ports, variant), queue)
}

async function watch(gateway: AttackedGateway, act: () => Promise<BothFigures>): Promise<While> {
  const pids = gateway.pids()
  forgetPeak(pids)
  const startCpuMs = cpuMsOf(pids)
  const known = await act()
  return { known, peakMb: peakMbOf(pids), cpuSeconds: (cpuMsOf(pids) - startCpuMs) / 1000 }
}

async function countsOf(
  { count }: Attack,
  { answers, bytes }: Attacker,
  { services }: Helpers,
  log: string,
): Promise<Readonly<Record<string, number>>> {
  const { asked } = await services.ask('report', undefined)
  const said = (words: string): number => log.split(words).length - 1
  const answered = [...answers].map(([status, times]) => [`answered ${status}`, times] as const)
  return {
    'KB posted': bytes / 1000,
    ...Object.fromEntries(answered),
    ...count?.({ asked: (what) => asked[what] ?? 0, said }),
    'KB of log': log.length / 1000,
  }
}
