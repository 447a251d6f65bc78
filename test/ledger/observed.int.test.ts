/**
 * The ledger (src/privacy/ledger.ts) as it is observed: an app per policy and push service, a value of its own in each field of each app, and a search
 * through the store, the log, the metrics and what each push service sees. It equals the ledger as declared, or the document is wrong.
 */
import { beforeAll, describe, expect, it } from 'vitest'
import { fieldNames, type Disclosure, type Field } from '../../src/core/disclosure.ts'
import { learnedOf, PARTIES, type Party } from '../../src/privacy/ledger.ts'
import { CASES, type LedgerCase } from './cases.ts'
import { observeLedger, type Observation } from './observation.ts'
import { printLedger } from './print.ts'
import { createReader } from './reader.ts'
import { STORES } from '../helpers/stores.ts'

const OBSERVE_MS = 480_000

describe('the ledger', () => {
  const observations: Observation[] = []
  beforeAll(async () => {
    for (const store of STORES) observations.push(await observeLedger(store))
  }, OBSERVE_MS)

  it('each party learns of each field what the ledger says', () => {
    const readers = observations.map(createReader)
    const observed = new Map(
      combinations().map(([ledgerCase, field, party]) => {
        const onEach = readers.map((learnedBy) => words(learnedBy(ledgerCase, field, party)))
        const learned =
          new Set(onEach).size === 1 ? onEach[0] : onEach.map((each, index) => `${STORES[index]}: ${each}`)
        return [nameOf(ledgerCase, field, party), String(learned)]
      }),
    )
    const learned: typeof nameOf = (...of) => observed.get(nameOf(...of)) ?? ''
    process.stdout.write(`The ledger as observed, on SQLite and on Redis\n${printLedger(CASES, learned)}\n`)
    const differences = combinations().flatMap((of) => {
      const [is, said] = [learned(...of), words(learnedOf(of[1], of[2], of[0]))]
      return is === said ? [] : [`${nameOf(...of)} learns: ${is}. The ledger says: ${said}`]
    })
    expect(differences).toEqual([])
  })

  it('push services of browsers are sent no header but these', () => {
    const headers = observations.flatMap(({ webPushes }) => webPushes.flatMap((push) => Object.keys(push.headers)))
    const ours = ['authorization', 'content-encoding', 'content-length', 'content-type', 'topic', 'ttl', 'urgency']
    expect([...new Set(headers)].toSorted()).toEqual([...ours, 'host'].toSorted())
  })
})

function combinations(): readonly [LedgerCase, Field, Party][] {
  return CASES.flatMap((ledgerCase) =>
    fieldNames().flatMap((field) => PARTIES.map((party): [LedgerCase, Field, Party] => [ledgerCase, field, party])),
  )
}

function nameOf(
  { service, isEndToEnd, privacy, counts, sealed, releaseEveryMs }: LedgerCase,
  field: Field,
  party: Party,
): string {
  const app = [
    service,
    ...(isEndToEnd === false ? ['without keys'] : []),
    privacy,
    `counts ${counts}`,
    `sealed ${sealed}`,
    ...(releaseEveryMs === undefined ? [] : ['release_every']),
  ]
  return `${app.join(', ')}: of ${field}, ${party}`
}

function words(learned: readonly Disclosure[]): string {
  return learned.join(' and ') || 'nothing'
}
