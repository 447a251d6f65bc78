/** The notifications of a run, each with what has to become of it whatever goes wrong. Pure. */
import { randomOf, type Schedule } from './schedule.ts'

export type Fate = 'delivered' | 'merged' | 'rejected' | 'dead-lettered' | 'expired'

export interface Notice {
  /** The pushkey as a push service's simulator names it; of a device of its own, unless `fate` is `merged`. */
  readonly token: string
  readonly fate: Fate
  /** What a homeserver posts. */
  readonly body: string
}

/** Sent over the whole time of the load. */
export const NOTICES = 480
/** Every fourth goes to FCM. */
const FCM_SHARE = 4
const SHARED_DEVICES = 4

interface Manner {
  readonly share: number
  readonly fate: Fate
  /** How the push service answers this device (src/simulators/script.ts). */
  readonly script: string
  /** The script is in Apple's words. */
  readonly onlyApns?: boolean
}

const MANNERS: readonly Manner[] = [
  { share: 0.6, fate: 'delivered', script: 'd30' },
  { share: 0.05, fate: 'delivered', script: 's429.a1.n1' },
  { share: 0.04, fate: 'delivered', script: 's500.n1' },
  { share: 0.05, fate: 'delivered', script: 's503.a1.n1' },
  { share: 0.03, fate: 'delivered', script: 'rst.n1' },
  { share: 0.01, fate: 'delivered', script: 'hang.n1' },
  { share: 0.04, fate: 'delivered', script: 'goaway' },
  { share: 0.03, fate: 'rejected', script: 's410', onlyApns: true },
  { share: 0.03, fate: 'dead-lettered', script: 's400.rBadMessageId', onlyApns: true },
  // A call is worth delivering for a minute (`call_max_age`), and these are told to come back in a quarter of an hour.
  { share: 0.02, fate: 'expired', script: 's429.a900', onlyApns: true },
  { share: 0.1, fate: 'merged', script: 'd10' },
]

export function noticesOf({ seed, timing }: Schedule): readonly Notice[] {
  const random = randomOf(seed ^ 0x5eed)
  return Array.from({ length: NOTICES }, (_, number) => {
    const manner = mannerAt(random())
    // Pushes are merged only where the configuration asks for it.
    const {
      fate,
      script,
      onlyApns = false,
    } = manner.fate === 'merged' && timing !== 'coalesce' ? { ...manner, fate: 'delivered' as const } : manner
    const isFcm = !onlyApns && fate !== 'merged' && number % FCM_SHARE === 0
    const device = fate === 'merged' ? `shared-${number % SHARED_DEVICES}` : `device-${number}`
    // A token of APNs has 32 bytes at least, and the simulators tell tokens of another run by the seed.
    const token = `x${script}-${device}-of-seed-${seed}-${'.'.repeat(16)}`
    const pushkey = isFcm ? token : Buffer.from(token).toString('base64')
    return { token, fate, body: bodyOf(number, fate, { app_id: isFcm ? ANDROID : IOS, pushkey }) }
  })
}

export const IOS = 'com.example.ios'
export const ANDROID = 'com.example.android'

function mannerAt(fraction: number): Manner {
  let from = 0
  for (const manner of MANNERS) {
    from += manner.share
    if (fraction < from) return manner
  }
  return { share: 0, fate: 'delivered', script: 'd30' }
}

function bodyOf(number: number, fate: Fate, device: object): string {
  const type = fate === 'expired' ? 'm.call.invite' : 'm.room.message'
  const event = { event_id: `$event-${number}`, room_id: '!room:example.org', type, prio: 'high' }
  return JSON.stringify({ notification: { ...event, devices: [device] } })
}
