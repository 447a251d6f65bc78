import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  createEncryptionLine,
  createKeyFile,
  Keyring,
  parseKeyFile,
  SEAL_BYTES,
  UnsealError,
} from '../../src/core/keyring.ts'

function keyring(text: string): Keyring {
  const parsed = parseKeyFile(text)
  if (!(parsed instanceof Keyring)) throw new Error(parsed.join('; '))
  return parsed
}

const FILE = createKeyFile()
const PLAIN = Buffer.from('a pushkey')

describe('what is sealed', () => {
  it('opens with the same keys and context', () => {
    const sealed = keyring(FILE).seal(PLAIN, 'app')
    expect(keyring(FILE).open(sealed, 'app')).toEqual(PLAIN)
    expect(sealed.includes(PLAIN)).toBe(false)
  })

  it('is different each time', () => {
    const ring = keyring(FILE)
    expect(ring.seal(PLAIN, 'app')).not.toEqual(ring.seal(PLAIN, 'app'))
  })

  it('does not open for another app, with another key, or when a byte was changed', () => {
    const sealed = keyring(FILE).seal(PLAIN, 'app')
    const changed = Buffer.from(sealed)
    changed.writeUInt8(changed.readUInt8(changed.length - 1) ^ 1, changed.length - 1)
    expect(() => keyring(FILE).open(sealed, 'other')).toThrow(UnsealError)
    expect(() => keyring(createKeyFile()).open(sealed, 'app')).toThrow('a key that is not in the key file')
    expect(() => keyring(FILE).open(changed, 'app')).toThrow('does not match its seal')
    expect(() => keyring(FILE).open(Buffer.from('x'), 'app')).toThrow(UnsealError)
  })

  it('still opens after a new key was put above the old one, with which new things are sealed', () => {
    const old = keyring(FILE).seal(PLAIN, 'app')
    const rotated = FILE.replace('\nencryption ', `\n${createEncryptionLine()}\nencryption `)
    expect(keyring(rotated).open(old, 'app')).toEqual(PLAIN)
    expect(() => keyring(FILE).open(keyring(rotated).seal(PLAIN, 'app'), 'app')).toThrow(UnsealError)
  })
})

describe('the beginnings of what is sealed', () => {
  const rotated = FILE.replace('\nencryption ', `\n${createEncryptionLine()}\nencryption `)

  it('are read of many at once, of whatever length, whichever key sealed each', () => {
    const plaintexts = Array.from({ length: 70 }, (_, length) => randomBytes(length + 30))
    const starts = plaintexts.map((plaintext, length) =>
      keyring(length % 3 === 0 ? rotated : FILE)
        .seal(plaintext, 'app')
        .subarray(0, SEAL_BYTES + length),
    )
    expect(keyring(rotated).readStarts(starts)).toEqual(
      plaintexts.map((plaintext, length) => plaintext.toString('latin1', 0, length)),
    )
  })

  it('are not told where the key is missing, or where it is nothing that we sealed', () => {
    const [mine, newer] = [keyring(FILE).seal(PLAIN, 'app'), keyring(rotated).seal(PLAIN, 'app')]
    const starts = keyring(FILE).readStarts([newer, Buffer.from('x'), Buffer.alloc(100), mine])
    expect(starts).toEqual([undefined, undefined, undefined, PLAIN.toString('latin1')])
  })
})

describe('a keyed hash', () => {
  it('is the same for the same parts, and for no others', () => {
    const ring = keyring(FILE)
    const hashes = [
      ring.hash('a', 'b', 'c'),
      ring.hash('a', 'bc'),
      ring.hash('a', 'b:c'),
      ring.hash('ab', 'c'),
      ring.hash('a', 'b', 'c', ''),
      keyring(createKeyFile()).hash('a', 'b', 'c'),
    ]
    expect(new Set(hashes).size).toBe(hashes.length)
    expect(ring.hash('a', 'b', 'c')).toBe(hashes[0])
    expect(hashes[0]).toMatch(/^[\w-]{43}$/)
  })
})

describe('a key file', () => {
  const [hash = '', encryption = ''] = FILE.split('\n').filter((line) => /^(hash|encryption)/.test(line))
  it.each([
    ['empty', '', ['it needs exactly one line "hash', 'it needs a line "encryption']],
    ['without an encryption key', hash, ['it needs a line "encryption']],
    ['without a hash key', encryption, ['it needs exactly one line "hash']],
    ['with two hash keys', `${hash}\n${hash}\n${encryption}`, ['it needs exactly one line "hash']],
    ['with a short key', `${hash}\n${encryption}\nencryption 01020304 AAAA`, ['line 3 is neither']],
    ['with something else', `${hash}\n${encryption}\npassword hunter2`, ['line 3 is neither']],
  ])('%s is refused with a sentence for each mistake', (_what, text, sentences) => {
    const parsed = parseKeyFile(text)
    if (parsed instanceof Keyring) throw new Error('accepted')
    expect(parsed).toEqual(sentences.map((sentence) => expect.stringContaining(sentence)))
    expect(parsed.join()).not.toContain('hunter2')
  })
})
