/** Attacks 1, 6 and 9: what is cheap to send, and was dear to answer. */
import type { Attacker } from './attacker.ts'
import { SQLITE, type Attack } from './attack.ts'
import { APPS } from './configuration.ts'
import {
  about,
  deviceAtPort,
  deviceWithKey,
  garbageDevice,
  halfSentRequest,
  longContent,
  MAX_DEVICES,
  point,
  secret,
  times,
} from './requests.ts'

const HALF_SENT = 1000
const HALF_SENT_BYTES = 520_000

export const LONG_CONTENT: Attack = {
  number: '1',
  title: 'Twice a second long content (450 KB) for devices in mode `full`: by turns for 1,000 and for 100 of them',
  found: 'one request: 44.7 s of CPU; p50 of another app 3 → 1,973 ms, 14 of its 120 pushes answered 503',
  stores: SQLITE,
  attacked: 'full',
  other: 'ios',
  async prepare(attacker) {
    const content = longContent(400)
    return () =>
      attacker.keepOn(2, (turn) =>
        attacker.post({ ...about(), content, devices: fullDevices(turn % 2 === 0 ? 10 * MAX_DEVICES : MAX_DEVICES) }),
      )
  },
}

export const HALF_SENT_BODIES: Attack = {
  number: '6',
  title: '1,000 bodies of 520 KB, evenly over the time, each begun and not ended',
  found: 'RSS 705 MB (3,000 bodies: 1.3 GB), not given back; p50 13.7 s',
  stores: SQLITE,
  attacked: 'ios',
  other: 'android',
  async prepare(attacker) {
    const request = halfSentRequest(HALF_SENT_BYTES)
    return () => attacker.keepOn(HALF_SENT / attacker.seconds, async () => attacker.hold(request))
  },
}

/** Attack 9: requests of a few KiB that cost much CPU. */
const COMMON = { stores: SQLITE, attacked: 'android', other: 'ios' } as const
export const DEAR_DEVICES: readonly Attack[] = [
  {
    ...COMMON,
    number: '9a',
    title: 'Every second ten requests at once, each for 100 garbage pushkeys',
    found: 'a request for 850: 0.52 s of CPU; p50 3 → 45 ms',
    prepare: async (attacker) => everySecond(attacker, () => garbageDevice(APPS.android)),
  },
  {
    ...COMMON,
    number: '9b',
    title: 'Every second ten requests at once, each for 100 devices with a key to agree with',
    found: 'a request for 1,000: 0.87 s of CPU',
    async prepare(attacker) {
      const points = times(MAX_DEVICES, () => point())
      return everySecond(attacker, (index) => deviceWithKey(APPS.android, points[index]))
    },
  },
  {
    ...COMMON,
    number: '9c',
    title: 'Every second ten requests at once, each for 100 Web Push devices at ports of their own',
    found: 'a request for 1,000: 2.8 s of CPU',
    attacked: 'web',
    async prepare(attacker) {
      const points = times(10 * MAX_DEVICES, () => point())
      return everySecond(attacker, (index) => deviceAtPort(APPS.web, 'evil.test', points[index]))
    },
  },
]

/** Ten requests at once, each for a hundred devices. */
function everySecond(attacker: Attacker, device: (index: number) => object): () => Promise<void> {
  return () =>
    attacker.keepOn(1, () =>
      Promise.all(times(10, () => attacker.post({ ...about(), devices: times(MAX_DEVICES, device) }))),
    )
}

function fullDevices(count: number): object[] {
  return times(count, () => ({ app_id: APPS.full, pushkey: secret() }))
}
