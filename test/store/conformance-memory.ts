/** What every store's memory must do. */
import { describe, expect, it } from 'vitest'
import type { Disposition, Note, Owner } from '../../src/store/contract.ts'
import { NOTE_BYTES, openNote, sealNote } from '../../src/store/note.ts'
import { createDeliveries } from '../helpers/delivery.ts'
import { Received, until } from '../helpers/received.ts'
import type { Bench } from './conformance.ts'

const HOUR_MS = 3600_000
/** Whose the facts are. */
const OWNER: Owner = { route: 'com.example.app', deviceHash: 'device' }

export function memoryConformance(bench: () => Bench): void {
  describe('memory', () => {
    it('knows nothing of a key that was never set', async () => {
      expect(await bench().store.memory.get(OWNER, 'never')).toBeUndefined()
    })

    it('gives back what was set, and the last of what was set twice', async () => {
      const { memory } = bench().store
      await memory.set(OWNER, 'key', 'first', HOUR_MS)
      await memory.set(OWNER, 'key', 'second', HOUR_MS)
      await memory.set(OWNER, 'other', '', HOUR_MS)
      expect(await memory.get(OWNER, 'key')).toBe('second')
      expect(await memory.get(OWNER, 'other')).toBe('')
    })

    it('sets one value for many keys of many owners, also where there is another', async () => {
      const { memory } = bench().store
      const owners = Array.from({ length: 450 }, (_, index) => ({ ...OWNER, deviceHash: `device ${index}` }))
      const [first = OWNER] = owners
      await memory.set(first, 'many', 'before', HOUR_MS)
      const entries = owners.map((owner, index) => ({ owner, key: `many ${index}` }))
      await memory.setMany([...entries, { owner: first, key: 'many' }], 'value', HOUR_MS)
      expect(await memory.get(first, 'many')).toBe('value')
      const values = await Promise.all(entries.map(({ owner, key }) => memory.get(owner, key)))
      expect(new Set(values)).toEqual(new Set(['value']))
      await memory.setMany([], 'value', HOUR_MS)
    })

    it('forgets a key that is deleted, and ignores one that is not there', async () => {
      const { memory } = bench().store
      await memory.set(OWNER, 'key', 'value', HOUR_MS)
      await memory.delete(OWNER, 'key')
      await memory.delete(OWNER, 'never')
      expect(await memory.get(OWNER, 'key')).toBeUndefined()
    })

    it('keeps the value of the first of several who set a key if absent, and tells it to all of them', async () => {
      const { memory } = bench().store
      const values = await Promise.all(['a', 'b', 'c'].map((value) => memory.setIfAbsent(OWNER, 'key', value, HOUR_MS)))
      expect(new Set(values).size).toBe(1)
      expect(await memory.get(OWNER, 'key')).toBe(values[0])
      expect(await memory.setIfAbsent(OWNER, 'key', 'late', HOUR_MS)).toBe(values[0])
    })

    it('raises a number and never lowers it', async () => {
      const { memory } = bench().store
      const values: (string | undefined)[] = []
      for (const value of [9, 10, 2, 1_700_000_000_123, 11]) {
        await memory.raise(OWNER, 'number', value, HOUR_MS)
        values.push(await memory.get(OWNER, 'number'))
      }
      expect(values).toEqual(['9', '10', '10', '1700000000123', '1700000000123'])
    })

    it('raises to the greatest of numbers that come at once', async () => {
      const { memory } = bench().store
      await Promise.all([3, 8, 5].map((value) => memory.raise(OWNER, 'number', value, HOUR_MS)))
      expect(await memory.get(OWNER, 'number')).toBe('8')
    })

    it('sees what was set before in the same turn', async () => {
      const { memory } = bench().store
      const [, value] = await Promise.all([memory.set(OWNER, 'key', 'value', HOUR_MS), memory.get(OWNER, 'key')])
      expect(value).toBe('value')
    })

    it('forgets a key when its lifetime is over and not before; then it counts as absent', async () => {
      const { memory } = bench().store
      const startMs = Date.now()
      await Promise.all([
        memory.set(OWNER, 'set', 'value', 300),
        memory.setIfAbsent(OWNER, 'absent', 'value', 300),
        memory.raise(OWNER, 'number', 50, 300),
        memory.set(OWNER, 'kept', 'value', HOUR_MS),
      ])
      for (const key of ['set', 'absent', 'number']) {
        await until(`"${key}" is forgotten`, async () => (await memory.get(OWNER, key)) === undefined)
        expect(Date.now() - startMs).toBeGreaterThanOrEqual(299)
      }
      expect(await memory.setIfAbsent(OWNER, 'absent', 'again', HOUR_MS)).toBe('again')
      await memory.raise(OWNER, 'number', 7, HOUR_MS)
      expect(await memory.get(OWNER, 'number')).toBe('7')
      expect(await memory.get(OWNER, 'kept')).toBe('value')
    })

    it('starts the lifetime anew when a key is set again', async () => {
      const { memory } = bench().store
      await memory.set(OWNER, 'key', 'short', 200)
      await memory.set(OWNER, 'key', 'long', HOUR_MS)
      await memory.set(OWNER, 'clock', 'value', 250)
      await until('"clock" is forgotten', async () => (await memory.get(OWNER, 'clock')) === undefined)
      expect(await memory.get(OWNER, 'key')).toBe('long')
    })

    it('remembers across a restart', async () => {
      await bench().store.memory.set(OWNER, 'key', 'value', HOUR_MS)
      await bench().reopen()
      expect(await bench().store.memory.get(OWNER, 'key')).toBe('value')
    })
  })

  describe('notes', () => {
    const noteFor = (text: string): Note => ({ key: 'receipt:note', text, expiresAtMs: Date.now() + HOUR_MS })
    /** As the memory has it. */
    const kept = async (owner: Owner): Promise<string | undefined> => {
      const sealed = await bench().store.memory.get(owner, 'receipt:note')
      return sealed === undefined ? undefined : openNote(bench().options.keyring, 'receipt:note', sealed)
    }

    it.each<[string, Disposition]>([
      ['what is acknowledged', { kind: 'acknowledge' }],
      ['what is tried again later', { kind: 'requeue', atMs: Date.now() + HOUR_MS }],
      ['what is given up', { kind: 'dead-letter', reason: 'gone' }],
    ])('are durable with the disposition of %s, sealed, and of one length', async (_what, disposition) => {
      const { queue } = bench().store
      const deliveries = createDeliveries(2, { route: 'com.example.app' })
      const texts = ['short', 'x'.repeat(NOTE_BYTES)]
      const received = new Received(({ delivery }) => ({
        ...disposition,
        note: noteFor(texts[deliveries.findIndex(({ id }) => id === delivery.id)] ?? ''),
      }))
      for (const delivery of deliveries) {
        await queue.add([delivery])
        const consumer = queue.consume(delivery.route, 1, received.handler)
        await until('its note is there', async () => (await kept(delivery)) !== undefined)
        await consumer.stop(10_000)
        expect(texts).toContain(await kept(delivery))
        const sealed = Buffer.from((await bench().store.memory.get(delivery, 'receipt:note')) ?? '', 'base64url')
        expect(sealed).toHaveLength(128)
        await bench().store.memory.delete(delivery, 'receipt:note')
        await queue.forget(delivery.route, delivery.deviceHash)
      }
    })

    it('do not open under another key', async () => {
      const { keyring } = bench().options
      expect(openNote(keyring, 'receipt:other', sealNote(keyring, 'receipt:note', 'text'))).toBeUndefined()
    })
  })

  describe('keys', () => {
    it('of devices are found by how they begin', async () => {
      const { memory } = bench().store
      for (const key of ['known:abcdeX', 'known:abcdeY', 'known:abcd_Z', 'dead:abcdeX'])
        await memory.set(OWNER, key, 'value', HOUR_MS)
      const found = await memory.keysOf(OWNER.route, 'known:abcde')
      expect(found.toSorted()).toEqual(['known:abcdeX', 'known:abcdeY'])
    })
  })

  describe('sets whose members are counted', () => {
    it('counts distinct members over several sets together', async () => {
      const { memory } = bench().store
      for (const member of ['a', 'b', 'b', 'c']) await memory.addMembers(OWNER, 'first', [member], HOUR_MS)
      await memory.addMembers(OWNER, 'second', ['c', 'd'], HOUR_MS)
      expect(await memory.countMembers(OWNER, ['first'])).toBe(3)
      expect(await memory.countMembers(OWNER, ['first', 'second'])).toBe(4)
      expect(await memory.countMembers(OWNER, ['first', 'never'])).toBe(3)
      expect(await memory.countMembers(OWNER, ['never'])).toBe(0)
      expect(await memory.countMembers(OWNER, [])).toBe(0)
    })

    it('is within 3 % for 30,000 members', async () => {
      const { memory } = bench().store
      // A few at a time: a busy machine must not take longer than a store waits.
      for (let start = 0; start < 30_000; start += 200)
        await Promise.all(
          Array.from({ length: 200 }, (_, index) =>
            memory.addMembers(OWNER, index % 2 === 0 ? 'even' : 'odd', [`member-${start + index}`], HOUR_MS),
          ),
        )
      const counted = await memory.countMembers(OWNER, ['even', 'odd'])
      expect(Math.abs(counted / 30_000 - 1)).toBeLessThan(0.03)
    })

    it('forgets a set when its lifetime is over', async () => {
      const { memory } = bench().store
      await memory.addMembers(OWNER, 'set', ['a'], 200)
      await until('the set is forgotten', async () => (await memory.countMembers(OWNER, ['set'])) === 0)
      await memory.addMembers(OWNER, 'set', ['b'], HOUR_MS)
      expect(await memory.countMembers(OWNER, ['set'])).toBe(1)
    })
  })
}
