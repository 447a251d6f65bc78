/** That Hushgate connects to what is configured and to nothing else, whichever library does it: seen from the kernel, in a network of its own. */
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Observed } from './connections-child.ts'
import {
  ADDRESSES,
  APPLE,
  BROWSER,
  COLLECTOR,
  GOOGLE,
  HUAWEI,
  HUAWEI_OAUTH,
  OAUTH,
  PUSH_SERVER,
  REDIS,
} from './internet.ts'
import { NAME_SERVER, runInOwnNetwork } from './own-network.ts'

/** Most of it is the minute in which nothing happens. */
const TIMEOUT_MS = 240_000

/** What the C library does to look up a name: it asks a cache on this machine, where there is one, and the name server. */
const RESOLVER = [`udp ${NAME_SERVER}:53`, 'unix-stream /var/run/nscd/socket']
/** The same, for the kinds of address alone that this machine has itself: these the kernel tells. */
const LOOKUP = ['netlink AF_NETLINK', ...RESOLVER]
const OURS = [APPLE, GOOGLE, OAUTH, HUAWEI, HUAWEI_OAUTH] as const
const at443 = (name: keyof typeof ADDRESSES): string => `tcp ${ADDRESSES[name]}:443`
/** Of a host that a browser or an app named, both kinds of address are asked for. */
const bothOf = (name: string): readonly string[] => [`A ${name}`, `AAAA ${name}`]
/** Web Push has nobody to ask beforehand. */
const ASKED_BEFOREHAND = [...OURS, PUSH_SERVER] as const
const NAMES_ASKED_BEFOREHAND = [...OURS.map((name) => `A ${name}`), ...bothOf(PUSH_SERVER)]
const PUSH_SERVICES = ([...ASKED_BEFOREHAND, BROWSER] as const).map(at443)
const PUSH_NAMES = [...NAMES_ASKED_BEFOREHAND, ...bothOf(BROWSER)]
const STORE = `tcp ${ADDRESSES[REDIS]}:6379`
const ADMIN_PORT = 'tcp 127.0.0.1:5001'

async function observe(scenario: string, signal: AbortSignal): Promise<Observed> {
  return JSON.parse(await runInOwnNetwork(join(import.meta.dirname, 'connections-child.ts'), scenario, signal))
}

function exactly(asked: readonly string[], connected: readonly string[]): Observed {
  return { code: 0, asked: asked.toSorted(), connected: connected.toSorted() }
}

describe.concurrent('no stray connection', { timeout: TIMEOUT_MS }, () => {
  it('a gateway on SQLite looks up and connects to its push services, and to nothing else', async ({ signal }) => {
    expect(await observe('sqlite', signal)).toEqual(exactly(PUSH_NAMES, [...LOOKUP, ...PUSH_SERVICES]))
  })

  it('a gateway on Redis looks up and connects to Redis and its push services, and to nothing else', async ({
    signal,
  }) => {
    expect(await observe('redis', signal)).toEqual(
      exactly([`A ${REDIS}`, ...PUSH_NAMES], [...LOOKUP, STORE, ...PUSH_SERVICES]),
    )
  })

  it('a gateway behind a proxy connects to the proxy alone, and leaves names to it', async ({ signal }) => {
    expect(await observe('proxy', signal)).toEqual(exactly([], [expect.stringMatching(/^tcp 127\.0\.0\.1:\d+$/)]))
  })

  it('a gateway with tracing connects to its collector as well, and never through the proxy', async ({ signal }) => {
    const collector = `tcp ${ADDRESSES[COLLECTOR]}:4318`
    const proxy = expect.stringMatching(/^tcp 127\.0\.0\.1:\d+$/)
    // In the order of the alphabet.
    const connected = ['netlink AF_NETLINK', collector, proxy, ...RESOLVER]
    expect(await observe('traced', signal)).toEqual({ code: 0, asked: [`A ${COLLECTOR}`], connected })
  })

  it('commands connect to the admin port or the store where they need them, and only check --online to push services', async ({
    signal,
  }) => {
    const none = exactly([], [])
    const storeAlone = exactly([`A ${REDIS}`], [...LOOKUP, STORE, ADMIN_PORT])
    expect(await observe('commands', signal)).toEqual({
      check: none,
      'check --online': exactly(
        [...NAMES_ASKED_BEFOREHAND, `A ${REDIS}`],
        [...LOOKUP, STORE, ...ASKED_BEFOREHAND.map(at443)],
      ),
      render: none,
      schema: none,
      'keygen store': none,
      'import sygnal.yaml': none,
      health: { ...exactly([], [ADMIN_PORT]), code: 1 },
      'dead list': storeAlone,
      'forget --app com.example.android --pushkey device': storeAlone,
    })
  })

  it('what is stray is seen, however and in whichever thread it is opened', async ({ signal }) => {
    const stray = [
      'tcp 203.0.113.1:443',
      'tcp 203.0.113.4:443',
      'tcpv6 [2001:db8::1]:443',
      'udp 203.0.113.2:123',
      'udp 203.0.113.3:53',
      'unix-stream /run/stray.socket',
    ]
    const asked = ['A telemetry.example.com', 'AAAA telemetry.example.com']
    expect(await observe('stray', signal)).toEqual(exactly(asked, [...RESOLVER, ...stray]))
  })
})
