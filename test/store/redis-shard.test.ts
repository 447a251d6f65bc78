/** Names of keys, and what is remembered of the number of shards. */
import { describe, expect, it } from 'vitest'
import { readLayout, shardCounts, withShards, writeLayout } from '../../src/store/redis/layout.ts'
import { gatewayKey, oldShardOf, shardOf, shardsOf } from '../../src/store/redis/shard.ts'
import { slotOf } from '../../src/store/redis/slot.ts'

const DAY_MS = 24 * 3600_000

describe('the keys of a route', () => {
  it('have a hash tag of its own, in which nothing of its name ends the tag or is a colon', () => {
    const names = ['com.example.app', 'com.example.*', 'a}b{c:d/e', '{x}', 'com.example.app fcm', '\uD800', 'ünï']
    const tags = names.map((name) => /^\{([^{}]*)\}$/.exec(shardsOf('hushgate', name, 1)[0]?.prefix ?? '')?.[1])
    expect(tags.slice(0, 4)).toEqual([
      'hushgate:com.example.app',
      'hushgate:com.example.%2A',
      'hushgate:a%7Db%7Bc%3Ad%2Fe',
      'hushgate:%7Bx%7D',
    ])
    expect(new Set(tags).size).toBe(names.length)
    expect(tags).not.toContain(undefined)
  })

  it('have as many tags as it has shards, and other ones for each number', () => {
    const prefixes = [1, 2, 3].flatMap((count) => shardsOf('hushgate', 'app', count).map(({ prefix }) => prefix))
    expect(prefixes).toEqual([
      '{hushgate:app}',
      '{hushgate:app:1/2}',
      '{hushgate:app:2/2}',
      '{hushgate:app:1/3}',
      '{hushgate:app:2/3}',
      '{hushgate:app:3/3}',
    ])
  })

  it('had the tag of the gateway before version 0.2', () => {
    expect(oldShardOf('hushgate', 'com.example.*')).toMatchObject({
      id: '{hushgate}:app-com.example.%2A',
      deadLetterKeys: '{hushgate}:dead:app-com.example.%2A:',
      memoryKeys: '{hushgate}:memory:',
    })
    expect(gatewayKey('hushgate', 'apps')).toBe('{hushgate}:apps')
  })

  it('of a device are always in the same of its shards, and devices are spread evenly', () => {
    const shards = shardsOf('hushgate', 'app', 4)
    const [ofRoute] = shardsOf('hushgate', 'app', 1)
    if (ofRoute === undefined) throw new Error('a route has a shard')
    const devices = Array.from({ length: 4000 }, (_, index) => `device-${index}`)
    const counts = new Map<string, number>()
    for (const deviceHash of devices) {
      const { id } = shardOf(shards, ofRoute, { route: 'app', deviceHash })
      expect(shardOf(shards, ofRoute, { route: 'app', deviceHash }).id).toBe(id)
      counts.set(id, (counts.get(id) ?? 0) + 1)
    }
    expect([...counts.keys()].toSorted()).toEqual(shards.map(({ id }) => id).toSorted())
    for (const count of counts.values()) expect(Math.abs(count - 1000)).toBeLessThan(100)
    expect(shardOf(shards, ofRoute, { route: 'app' })).toBe(ofRoute)
    // What other versions and processes have stored is found by it.
    expect(shardOf(shards, ofRoute, { route: 'app', deviceHash: 'device-0' }).id).toBe('{hushgate:app:3/4}:queue')
  })
})

describe('the slot of a key', () => {
  // Redis Cluster specification: 31C3 is the CRC of 123456789.
  it.each([
    ['123456789', 0x31c3 % 16_384],
    ['{123456789}:x', 0x31c3 % 16_384],
    ['x{123456789}{y}', 0x31c3 % 16_384],
  ])('of %s is %i', (key, slot) => {
    expect(slotOf(key)).toBe(slot)
  })
})

describe('the layout of a route', () => {
  const first = withShards(undefined, 1, 0)
  const second = withShards(first, 4, 1000)

  it('stays as it is as long as its number does', () => {
    expect(withShards(first, 1, 1000)).toBeUndefined()
  })

  it('names those that it had before, the latest first, each once, for thirty days', () => {
    const third = withShards(second, 1, 2000)
    expect(second).toEqual({ shards: 4, sinceMs: 1000, former: [{ shards: 1, untilMs: 1000 }] })
    expect(third).toEqual({ shards: 1, sinceMs: 2000, former: [{ shards: 4, untilMs: 2000 }] })
    expect(shardCounts(1, third, 2000 + 30 * DAY_MS - 1)).toEqual([1, 4])
    expect(shardCounts(1, third, 2000 + 30 * DAY_MS)).toEqual([1])
    expect(withShards(third, 2, 2000 + 31 * DAY_MS)?.former.map(({ shards }) => shards)).toEqual([1])
  })

  it('has also those of this process, where that is configured otherwise', () => {
    expect(shardCounts(2, second, 2000)).toEqual([2, 4, 1])
    expect(shardCounts(2, undefined, 2000)).toEqual([2])
  })

  it('can be read as it is written; what is nothing of ours is none', () => {
    expect(second && readLayout(writeLayout(second))).toEqual(second)
    for (const text of ['', 'x', '[]', '{}', '{"shards":0,"sinceMs":1,"former":[]}'])
      expect(readLayout(text)).toBeUndefined()
  })
})
