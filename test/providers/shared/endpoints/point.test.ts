import { createECDH, randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { isPoint } from '../../../../src/providers/shared/endpoints/point.ts'

const keyPair = createECDH('prime256v1')
const newKey = () => createECDH('prime256v1').generateKeys()
keyPair.generateKeys()

it('a public key is a point', () => {
  for (let count = 0; count < 100; count += 1) expect(isPoint(newKey())).toBe(true)
})

/** Whether Node can agree on a secret with it. */
function isUsable(bytes: Buffer): boolean {
  try {
    keyPair.computeSecret(bytes)
    return true
  } catch {
    return false
  }
}

it('of a key with one bit turned, and of random bytes, it is what Node says of them', () => {
  for (let count = 0; count < 100; count += 1) {
    const turned = newKey()
    const bit = count * 5 + 8
    turned[bit >> 3] = (turned[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    const random = Buffer.concat([Buffer.of(4), randomBytes(64)])
    for (const bytes of [turned, random]) expect(isPoint(bytes)).toBe(isUsable(bytes))
  }
})

it.each([
  ['nothing', Buffer.alloc(0)],
  ['zeros', Buffer.concat([Buffer.of(4), Buffer.alloc(64)])],
  ['coordinates that are no numbers below the prime', Buffer.concat([Buffer.of(4), Buffer.alloc(64, 255)])],
  ['a compressed key', Buffer.from(createECDH('prime256v1').generateKeys('hex', 'compressed'), 'hex')],
  ['a hybrid key', Buffer.from(createECDH('prime256v1').generateKeys('hex', 'hybrid'), 'hex')],
  ['a key with a byte too many', Buffer.concat([newKey(), Buffer.of(0)])],
])('%s is none', (_what, bytes) => {
  expect(isPoint(bytes)).toBe(false)
})
