/** What whoever knows a value can compute of it without any key: if it lies about, a guess can be tested. */
import { createHash } from 'node:crypto'
import type { Needle } from './needles.ts'

export const UNKEYED_ALGORITHMS = ['md5', 'sha1', 'sha256', 'sha512', 'blake2s256', 'blake2b512'] as const

/** A digest is recognised by its first 8 bytes, so one that was shortened to these is found, too. */
const RECOGNISED_BYTES = 8
/** Of its base64, by as many characters as these bytes decide. */
const BASE64_CHARACTERS = Math.floor((RECOGNISED_BYTES * 8) / 6)

/** The hashes of a text in each way of writing them down: hex in both cases, base64, base64url, raw bytes. */
export function unkeyedHashesOf(text: string): readonly Needle[] {
  return UNKEYED_ALGORITHMS.flatMap((algorithm): Needle[] => {
    const digest = createHash(algorithm).update(text).digest()
    const written = (encoding: 'base64' | 'base64url') => digest.toString(encoding).slice(0, BASE64_CHARACTERS)
    return [
      { name: `${algorithm} in hex`, bytes: digest.toString('hex', 0, RECOGNISED_BYTES) },
      { name: `${algorithm} in base64`, bytes: written('base64'), isCaseSensitive: true },
      { name: `${algorithm} in base64url`, bytes: written('base64url'), isCaseSensitive: true },
      {
        name: `${algorithm} as raw bytes`,
        bytes: digest.toString('latin1', 0, RECOGNISED_BYTES),
        isCaseSensitive: true,
      },
    ]
  })
}
