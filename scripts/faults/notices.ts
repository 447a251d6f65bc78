/** The notifications of a run, each with what has to become of it whatever goes wrong. Pure. */
import { randomOf, type Schedule } from './schedule.ts'

export type Fate = 'delivered' | 'merged' | 'rejected' | 'dead-lettered' | 'expired'

export const APPS = { apns: 'com.example.ios', fcm: 'com.example.android', webpush: 'com.example.web' } as const
export type Service = keyof typeof APPS

export interface Notice {
  readonly service: Service
  /** The device as a push service's simulator names it; one of its own, unless `fate` is `merged`. */
  readonly token: string
  readonly fate: Fate
  /** What a homeserver posts, but for its device. */
  readonly event: { readonly event_id: string; readonly room_id: string; readonly type: string; readonly prio: 'high' }
}

/** Sent evenly over the time of the load. */
const NOTICES_PER_SECOND = 30
/** Of four, one goes to FCM and one to Web Push. */
const SERVICES: readonly Service[] = ['fcm', 'apns', 'webpush', 'apns']
const SHARED_DEVICES = 4

interface Manner {
  readonly share: number
  readonly fate: Fate
  /** How the push service answers this device (src/simulators/script.ts). */
  readonly script: string
  /** The others' such devices go to Apple. */
  readonly only?: readonly Service[]
}

const ORDINARY: Manner = { share: 0.6, fate: 'delivered', script: 'd30' }
const MANNERS: readonly Manner[] = [
  ORDINARY,
  // Web Push's 429 keeps a push away for a minute at least.
  { share: 0.05, fate: 'delivered', script: 's429.a1.n1', only: ['apns', 'fcm'] },
  { share: 0.04, fate: 'delivered', script: 's500.n1' },
  { share: 0.05, fate: 'delivered', script: 's503.a1.n1' },
  { share: 0.03, fate: 'delivered', script: 'rst.n1' },
  { share: 0.01, fate: 'delivered', script: 'hang.n1' },
  { share: 0.04, fate: 'delivered', script: 'goaway' },
  { share: 0.03, fate: 'rejected', script: 's410', only: ['apns', 'webpush'] },
  { share: 0.03, fate: 'dead-lettered', script: 's400.rBadMessageId', only: ['apns', 'webpush'] },
  // A call is worth delivering for a minute (`call_max_age`), and these are told to come back in a quarter of an hour.
  { share: 0.02, fate: 'expired', script: 's429.a900', only: ['apns'] },
  { share: 0.1, fate: 'merged', script: 'd10', only: ['apns'] },
]

export function noticesOf({ seed, timing, loadMs }: Schedule): readonly Notice[] {
  const random = randomOf(seed ^ 0x5eed)
  return Array.from({ length: Math.round((loadMs / 1000) * NOTICES_PER_SECOND) }, (_, number) => {
    const { fate: named, script, only } = mannerAt(random())
    // Pushes are merged only where the configuration asks for it.
    const fate = named === 'merged' && timing !== 'coalesce' ? 'delivered' : named
    const service = serviceOf(number, only)
    const device = fate === 'merged' ? `shared-${number % SHARED_DEVICES}` : `device-${number}`
    // A token of APNs has 32 bytes at least, and the simulators tell tokens of another run by the seed.
    const token = `x${script}-${device}-of-seed-${seed}-${'.'.repeat(16)}`
    const type = fate === 'expired' ? 'm.call.invite' : 'm.room.message'
    const event = { event_id: `$event-${number}`, room_id: '!room:example.org', type, prio: 'high' } as const
    return { service, token, fate, event }
  })
}

function serviceOf(number: number, only: readonly Service[] | undefined): Service {
  const service = SERVICES[number % SERVICES.length] ?? 'apns'
  return only === undefined || only.includes(service) ? service : 'apns'
}

function mannerAt(fraction: number): Manner {
  let from = 0
  for (const manner of MANNERS) {
    from += manner.share
    if (fraction < from) return manner
  }
  return ORDINARY
}
