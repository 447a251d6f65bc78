import { describe, expect, it } from 'vitest'
import { UnsealError } from '../../src/core/keyring.ts'
import { Secret } from '../../src/core/secret.ts'
import {
  envelopeOf,
  mayBeFor,
  openDeliveries,
  sealDeliveries,
  startBytes,
  tryOpenDeliveries,
} from '../../src/store/envelope.ts'
import { MAX_BATCH } from '../../src/store/contract.ts'
import { createDeliveries, createDelivery, createKeyring } from '../helpers/delivery.ts'

const ROUTE = 'com.example.app'
const keyring = createKeyring()

describe('deliveries, sealed and opened', () => {
  it.each([
    {
      name: 'with all fields',
      delivery: createDelivery({
        pushkeyTs: 1,
        deduplicationKey: 'd',
        latestKey: 'l',
        probesDead: true,
        priority: 'call',
        trace: { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' },
      }),
    },
    { name: 'with none of the optional fields', delivery: createDelivery() },
    {
      name: 'with text of every kind',
      delivery: createDelivery({ message: { headers: { a: '', b: '☎️' }, body: '"\\\u0000\ud83d\ude00' } }),
    },
  ])('come back as they were, $name', ({ delivery }) => {
    const [opened] = openDeliveries(keyring, ROUTE, sealDeliveries(keyring, ROUTE, [delivery]))
    expect(opened).toEqual(delivery)
    expect(opened?.target).toBeInstanceOf(Secret)
    expect(opened?.target.reveal()).toBe(delivery.target.reveal())
  })

  it('do not say when they were due: that is for the store to know', () => {
    const [opened] = openDeliveries(keyring, ROUTE, sealDeliveries(keyring, ROUTE, [createDelivery({ dueAtMs: 1 })]))
    expect(opened?.dueAtMs).toBeUndefined()
  })

  it.each([
    ['was stored by a version before traces', undefined],
    ['carries what is no trace', '00-zz-1-01'],
  ])('open without a trace where one %s', (_what, trace) => {
    const whole: { v: 1; deliveries: [object] } = JSON.parse(envelopeOf([createDelivery()]))
    const stored = { ...whole, deliveries: [{ ...whole.deliveries[0], trace }] }
    const [opened] = openDeliveries(keyring, ROUTE, keyring.seal(Buffer.from(JSON.stringify(stored)), ROUTE))
    expect(opened?.id).toEqual(expect.any(String))
    expect(opened?.trace).toBeUndefined()
  })

  it('keep their order', () => {
    const deliveries = createDeliveries(50)
    const opened = openDeliveries(keyring, ROUTE, sealDeliveries(keyring, ROUTE, deliveries))
    expect(opened.map(({ id }) => id)).toEqual(deliveries.map(({ id }) => id))
  })

  it('are as long as others of about their size, so that nobody finds a message by its length', () => {
    const lengthOf = (characters: number) =>
      sealDeliveries(keyring, ROUTE, [createDelivery({ message: { headers: {}, body: 'ü'.repeat(characters) } })])
        .length
    expect(new Set([1, 2, 30, 200].map(lengthOf)).size).toBe(1)
    expect(lengthOf(712) - lengthOf(200)).toBe(1024)
  })

  it('do not open for another route, or with another key', () => {
    const sealed = sealDeliveries(keyring, ROUTE, [createDelivery()])
    expect(() => openDeliveries(keyring, 'other', sealed)).toThrow(UnsealError)
    expect(() => openDeliveries(createKeyring(), ROUTE, sealed)).toThrow(UnsealError)
  })

  it('of one device, by the start of its hash, are found among others, also where another holds the same words', () => {
    const [one, other] = [createDelivery({ deviceHash: 'Ab3-one' }), createDelivery({ deviceHash: 'Ab3-other' })]
    const quoting = createDelivery({ deviceHash: 'else', message: { headers: {}, body: '"device":"Ab3-one' } })
    const sealed = sealDeliveries(keyring, ROUTE, [one, quoting, other])
    const idsFor = (start: string) => tryOpenDeliveries(keyring, ROUTE, sealed, start)?.map(({ id }) => id)
    expect(idsFor('Ab3-one')).toEqual([one.id])
    expect(idsFor('Ab3')).toEqual([one.id, other.id])
    expect(idsFor('nobody')).toEqual([])
    expect(tryOpenDeliveries(createKeyring(), ROUTE, sealed, 'nobody')).toBeUndefined()
    const later = keyring.seal(Buffer.from(JSON.stringify({ v: 2, anything: [] })), ROUTE)
    expect(tryOpenDeliveries(keyring, ROUTE, later, 'nobody')).toBeUndefined()
  })

  it.each([1, 2, MAX_BATCH])('tell by their beginning that they are not for a device, with %s of them', (count) => {
    const hashes = ['0123456789', '01234567zz', '0123456zzz', 'short']
    const starts = hashes.map((deviceHash) => {
      const deliveries = [...createDeliveries(count - 1), createDelivery({ deviceHash })]
      return sealDeliveries(keyring, ROUTE, deliveries).subarray(0, startBytes(count))
    })
    const foundFor = (start: string) => hashes.filter((_, index) => mayBeFor(keyring, starts, start)[index])
    expect(foundFor('')).toEqual(hashes)
    expect(foundFor('0123456')).toEqual(hashes.slice(0, 3))
    // What the beginning does not hold is told by opening them.
    expect(foundFor('0123456789')).toEqual(hashes.slice(0, 2))
    expect(foundFor('short')).toEqual(['short'])
    expect(foundFor('shorter')).toEqual([])
    expect(foundFor('else')).toEqual([])
  })

  it('may be for any device where their beginning says nothing', () => {
    const { v, deliveries } = JSON.parse(envelopeOf([createDelivery()]))
    const texts = [JSON.stringify({ v, deliveries }), JSON.stringify({ v: 2 }), '']
    const sealed = texts.map((text) => keyring.seal(Buffer.from(text), ROUTE))
    const unknown = sealDeliveries(createKeyring(), ROUTE, [createDelivery()])
    const cut = sealDeliveries(keyring, ROUTE, createDeliveries(2)).subarray(0, startBytes(1))
    expect(mayBeFor(keyring, [...sealed, unknown, cut, Buffer.alloc(0)], 'else')).toEqual(Array(6).fill(true))
  })

  it.each([
    { name: 'a later version', envelope: { v: 2, anything: [] }, says: 'is not version 1' },
    { name: 'no version', envelope: [], says: 'is not version 1' },
    { name: 'no deliveries', envelope: { v: 1 }, says: '"deliveries" cannot be read' },
    {
      name: 'a delivery without its fields',
      envelope: { v: 1, deliveries: [{ pushkey: 'canary' }] },
      says: '"id" cannot be read',
    },
  ])('say so when they were stored with $name', ({ envelope, says }) => {
    const sealed = keyring.seal(Buffer.from(JSON.stringify(envelope)), ROUTE)
    expect(() => openDeliveries(keyring, ROUTE, sealed)).toThrow(UnsealError)
    expect(() => openDeliveries(keyring, ROUTE, sealed)).toThrow(says)
  })
})
