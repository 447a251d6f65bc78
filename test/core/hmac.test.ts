/** The same as node:crypto's, of any key and any text. */
import { createHmac } from 'node:crypto'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Hmac, OneTimeHmac, SHA256, SHA512 } from '../../src/core/hmac.ts'

it.each([SHA256, SHA512])('with $name it is what RFC 2104 says, one text after the other', (algorithm) => {
  const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.string({ minLength: 1000, maxLength: 9000 }))
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: algorithm.blockBytes }), fc.array(text), (key, texts) => {
      const hmac = new Hmac(algorithm, key)
      for (const each of texts) {
        const expected = createHmac(algorithm.name, key).update(each).digest()
        expect(hmac.bytes(each)).toEqual(expected)
        expect(hmac.text(each)).toBe(expected.toString('base64url'))
      }
    }),
  )
})

it('with keys that are used once it is what RFC 2104 says, one after the other', () => {
  const hmac = new OneTimeHmac(300)
  const parts = fc.array(fc.uint8Array({ maxLength: 100 }), { maxLength: 3 })
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), parts, (key, hashed) => {
      expect(hmac.bytes(key, ...hashed)).toEqual(createHmac('sha256', key).update(Buffer.concat(hashed)).digest())
    }),
  )
})

it('a key that is longer than a block is refused', () => {
  expect(() => new Hmac(SHA256, new Uint8Array(65))).toThrow('longer than a block')
  expect(() => new OneTimeHmac(1).bytes(new Uint8Array(65))).toThrow('longer than a block')
})
