/** Controls: what is planted is found, in each form and by each hash, so that finding nothing means something. */
import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createSearch } from '../helpers/needles.ts'
import { UNKEYED_ALGORITHMS, unkeyedHashesOf } from '../helpers/unkeyed-hashes.ts'

const NOISE = Buffer.from(Array.from({ length: 997 }, (_, index) => (index * 167) % 256))

function planted(what: Uint8Array): Buffer {
  return Buffer.concat([NOISE, what, NOISE])
}

describe('the search for hashes that need no key', () => {
  const value = '$event:example.org'
  const search = createSearch(['@alice:example.org', value, '!room:example.org'].flatMap(unkeyedHashesOf))

  it.each(
    UNKEYED_ALGORITHMS.flatMap((algorithm) => {
      const digest = createHash(algorithm).update(value).digest()
      return [
        [`${algorithm} in hex`, digest.toString('hex')],
        [`${algorithm} in hex`, digest.toString('hex').toUpperCase()],
        [`${algorithm} in hex`, digest.toString('hex').slice(0, 16)],
        [`${algorithm} in base64`, digest.toString('base64')],
        [`${algorithm} in base64`, digest.subarray(0, 8).toString('base64')],
        [`${algorithm} in base64url`, digest.toString('base64url')],
        [`${algorithm} as raw bytes`, digest],
        [`${algorithm} as raw bytes`, digest.subarray(0, 8)],
      ] as const
    }),
  )('finds one as %s: %s', (name, what) => {
    expect(search(planted(Buffer.from(what))).map(({ needle }) => needle.name)).toContain(name)
  })

  it('finds one at the very beginning and at the very end', () => {
    const hash = createHash('sha256').update(value).digest('hex')
    expect(search(Buffer.from(hash))).toHaveLength(1)
    expect(search(Buffer.from(`x${hash.slice(0, 16)}`))).toHaveLength(1)
    expect(search(Buffer.from(hash.slice(0, 15)))).toEqual([])
  })

  it('finds nothing where there is none', () => {
    expect(search(planted(createHash('sha256').update('something else').digest()))).toEqual([])
  })
})
