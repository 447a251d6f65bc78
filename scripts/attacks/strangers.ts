/** Attacks 3, 7, 10 and 12: devices that nobody has. */
import { BOTH_STORES, SQLITE, type Attack } from './attack.ts'
import { APPS } from './configuration.ts'
import { about, appleDevice, garbageDevice, MAX_DEVICES, times } from './requests.ts'

const ALARM = 'Most pushkeys of this app were called dead'

export const DEAD_PUSHKEYS: Attack = {
  number: '3',
  title: 'Five requests a second, each for 100 devices at APNs: half of them garbage, half dead',
  found: '258 requests (12 MB): a Redis of 64 MB full, all apps answered 503 with an empty queue, for up to 30 days',
  stores: BOTH_STORES,
  attacked: 'ios',
  other: 'android',
  prepare: async (attacker) => () =>
    attacker.keepOn(5, () =>
      attacker.post({
        ...about(),
        devices: times(MAX_DEVICES, (index) =>
          index % 2 === 0 ? garbageDevice(APPS.ios) : appleDevice(APPS.ios, 's410'),
        ),
      }),
    ),
  count: ({ asked }) => ({ 'dead at APNs': asked('apns 410') }),
}

export const GUARD: Attack = {
  number: '7',
  title: 'Every second a request for 30 devices that APNs calls dead',
  found: 'the guard trips: truly dead devices are not reported any more, the alarm is logged 29 times',
  stores: SQLITE,
  attacked: 'ios',
  other: 'android',
  prepare: async (attacker) => () =>
    attacker.keepOn(1, () => attacker.post({ ...about(), devices: times(30, () => appleDevice(APPS.ios, 's410')) })),
  count: ({ said }) => ({ alarms: said(ALARM) }),
}

export const BLOCKED_APP: Attack = {
  number: '10',
  title: 'Every second a garbage "call" at an app that is blocked, with some hundreds of pushes waiting',
  found: '400 refused attempts a minute; the log says that the credential works again',
  stores: SQLITE,
  attacked: 'ios',
  other: 'android',
  variant: { isRefused: true },
  prepare: async (attacker) => () =>
    attacker.keepOn(1, () =>
      attacker.post({ ...about(), type: 'm.call.invite', devices: [appleDevice(APPS.ios, 's200')] }),
    ),
  count: ({ asked, said }) => ({
    'refused attempts': asked('apns 403'),
    '"takes our credential again"': said('takes our credential again'),
  }),
}

export const FAILING_PUSHES: Attack = {
  number: '12',
  title: 'Five requests a second, each for 100 devices whose pushes APNs calls faulty',
  found: '11 requests of 1,000: all dead letters of known devices evicted, 2 MB of log',
  stores: BOTH_STORES,
  attacked: 'ios',
  other: 'android',
  prepare: async (attacker) => () =>
    attacker.keepOn(5, () =>
      attacker.post({ ...about(), devices: times(MAX_DEVICES, () => appleDevice(APPS.ios, 's400.rPayloadEmpty')) }),
    ),
}
