/**
 * Each field of each notification is a canary of its own, through every push service, mode, outcome and fault. Whoever reads the store, the log, the
 * metrics, or what the operator's commands say finds of them what the ledger declares (src/privacy/ledger.ts), and so does each push service.
 */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { learnedOf, type LedgerPolicy, type Party } from '../../src/privacy/ledger.ts'
import { SERVICES, startCanaryServices, type CanaryServices, type Service } from './services.ts'
import { CANARY_FIELDS, createFinder, type Finding } from './canary.ts'
import { observe, sinksOf, type Sink } from './sinks.ts'
import { STORES } from '../helpers/stores.ts'
import { disclosuresOf, KINDS } from '../ledger/services.ts'
import { appFor, appsOf, MOST, POLICIES, type Policy } from './apps.ts'
import { Day } from './day.ts'

/** Whom each sink belongs to; what the operator's commands say holds nothing but names of apps. */
const PARTY_OF: Readonly<Record<Sink, Party | undefined>> = {
  'the log and the error output': 'log',
  'the metrics and the readiness': 'metrics',
  'the dead letters of the admin API': undefined,
  // It names devices as the log does.
  'what the admin API says of the gateway': 'log',
  'the traces': 'traces',
  'hushgate dead list': undefined,
  'the store while deliveries wait in it': 'store',
  'the store in the end': 'store',
  'what Redis was told': 'store',
}

const THROW_INSIDE = ['--import', join(import.meta.dirname, './throw-inside.ts')]

let services: CanaryServices
beforeAll(async () => {
  services = await startCanaryServices()
})
afterAll(() => services[Symbol.asyncDispose]())

describe.each(STORES)('on %s', (store) => {
  let day: Day
  const found = observe(
    store,
    () => appsOf(services),
    (gateway, look) => {
      day = new Day(services)
      return day.pass(gateway, look)
    },
    THROW_INSIDE,
  )
  let findIn: ReturnType<typeof createFinder>
  beforeAll(() => {
    findIn = createFinder(day.sent)
  })

  it.each(sinksOf(store))('nothing is found in %s but what the ledger declares', (sink) => {
    const party = PARTY_OF[sink]
    const declared = party === undefined ? [] : SERVICES.flatMap((service) => declaredTo(party, service, POLICIES))
    expect(undeclared(findIn(found(sink)), declared)).toEqual([])
  })

  it.each(['store', 'log', 'metrics', 'traces'] as const)(
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
    expect(findIn(Buffer.from(day.answers.join('\n')))).toEqual([])
    expect(day.rejections.size).toBe(SERVICES.length * POLICIES.length)
    for (const [pushkey, answer] of day.rejections) expect(JSON.parse(answer)).toEqual({ rejected: [pushkey] })
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
        const seen = day.devicesOf(appFor(service, 'works', policy)).flatMap((token) => services.of(token))
        expect(seen.length).toBeGreaterThan(10)
        expect(summary(findIn(Buffer.concat(seen)))).toEqual(declaredTo('push_service', service, [policy]))
      },
    )
  })
})

/** What can be seen of fields that carry a canary. */
function declaredTo(party: Party, service: Service, policies: readonly Policy[]): string[] {
  const declared = policies.flatMap((policy) => {
    const sealed = KINDS[service].isEndToEnd === true ? 'ignored' : policy.sealed
    const ledger: LedgerPolicy = { ...policy, ...disclosuresOf(service), sealed, isTraced: true }
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
