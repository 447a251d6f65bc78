import { createECDH, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import webPush from 'web-push'
import { encrypt } from '../../src/core/encrypt.ts'
import { createSubscriptionSecrets, decrypt } from '../../src/simulators/webpush-encryption.ts'

const { p256dh, auth, privateKey } = createSubscriptionSecrets()

describe('a message for a browser', () => {
  // RFC 8291 §5, and its Appendix A for what was random.
  it('is what the RFC shows', () => {
    const pair = createECDH('prime256v1')
    pair.setPrivateKey('yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw', 'base64url')
    const keys = {
      p256dh: 'BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4',
      auth: 'BTBZMqHH6r4Tts7J_aSIgg',
    }
    const fresh = { pair, ours: pair.getPublicKey(), salt: Buffer.from('DGv6ra1nlYgDCS1FRnbzlw', 'base64url') }
    expect(encrypt('When I grow up, I want to be a watermelon', keys, fresh)?.toString('base64url')).toBe(
      'DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN',
    )
  })

  it.each([
    ['nothing', ''],
    ['letters of every kind', '👨‍👩‍👧‍👦 ü \u0000 "\\'],
    ['all that there is room for', 'x'.repeat(3993)],
  ])('with %s in it is read by nobody else', (_what, text) => {
    const body = encrypt(text, { p256dh, auth })
    expect(body?.length).toBe(Buffer.byteLength(text) + 103)
    expect(decrypt(body ?? Buffer.of(), { p256dh, auth, privateKey })?.toString()).toBe(text)
    const other = { ...createSubscriptionSecrets(), auth }
    expect(decrypt(body ?? Buffer.of(), other)).toBeUndefined()
    expect(
      decrypt(body ?? Buffer.of(), { p256dh, privateKey, auth: randomBytes(16).toString('base64url') }),
    ).toBeUndefined()
  })

  it('looks as web-push would make it', () => {
    const [ours, theirs] = [
      encrypt('text', { p256dh, auth }),
      webPush.encrypt(p256dh, auth, 'text', 'aes128gcm').cipherText,
    ]
    expect(ours?.length).toBe(theirs.length)
    expect(ours?.subarray(16, 22)).toEqual(theirs.subarray(16, 22))
  })

  it('has another key and salt each time', () => {
    const bodies = Array.from({ length: 20 }, () => encrypt('text', { p256dh, auth }))
    for (const [from, to] of [
      [0, 16],
      [21, 86],
    ] as const)
      expect(new Set(bodies.map((body) => body?.toString('hex', from, to))).size).toBe(20)
  })

  it('cannot be made for a key that is no point of the curve', () => {
    const offCurve = Buffer.from(p256dh, 'base64url').fill(7, 33).toString('base64url')
    expect(encrypt('text', { p256dh: offCurve, auth })).toBeUndefined()
  })
})
