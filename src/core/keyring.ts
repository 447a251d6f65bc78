/** The store's keys: sealing what is stored (AES-256-GCM), and keyed hashes for every id by which something is looked up again. */
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes, type KeyObject } from 'node:crypto'
import { Hmac, SHA256, SHA512 } from './hmac.ts'
import { RandomPool } from './random-pool.ts'

const VERSION = 1
const KEY_BYTES = 32
export const KEY_ID_BYTES = 4
const IV_BYTES = 12
const TAG_BYTES = 16
const BLOCK_BYTES = 16
/** Of the first block; each other one has the next number. */
const FIRST_COUNTER = 2
/** What is around a plaintext: version, key ID, IV and tag. */
export const SEAL_BYTES = 1 + KEY_ID_BYTES + IV_BYTES + TAG_BYTES

/** It was sealed with a key that this process does not have, or is not what we sealed. */
export class UnsealError extends Error {
  override readonly name = 'UnsealError'
}

/** What a thread needs in order to seal. It can be sent to another one. */
export interface SealingKey {
  readonly id: Uint8Array
  readonly key: KeyObject
}

export class Sealer {
  readonly #id: Uint8Array
  readonly #key: KeyObject
  readonly #random = new RandomPool()

  constructor({ id, key }: SealingKey) {
    this.#id = id
    this.#key = key
  }

  /** `context` is authenticated, not stored: what is sealed for one purpose cannot be opened for another. */
  seal(plaintext: Buffer, context: string): Buffer<ArrayBuffer> {
    const iv = this.#random.take(IV_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#key, iv)
    cipher.setAAD(Buffer.from(context))
    const body = cipher.update(plaintext)
    cipher.final()
    const sealed = Buffer.allocUnsafe(SEAL_BYTES + body.length)
    sealed[0] = VERSION
    sealed.set(this.#id, 1)
    iv.copy(sealed, 1 + KEY_ID_BYTES)
    cipher.getAuthTag().copy(sealed, SEAL_BYTES - TAG_BYTES)
    body.copy(sealed, SEAL_BYTES)
    return sealed
  }
}

export class Keyring {
  readonly #hmac: Hmac
  readonly #longHmac: Hmac
  readonly sealingKey: SealingKey
  readonly #sealer: Sealer
  readonly #opening: ReadonlyMap<string, KeyObject>

  /** `encryption`: the first seals, all of them open. */
  constructor(hashKey: Buffer, encryption: readonly { readonly id: Buffer; readonly key: Buffer }[]) {
    const [first] = encryption
    if (first === undefined) throw new UnsealError('a keyring needs an encryption key')
    this.#hmac = new Hmac(SHA256, hashKey)
    this.#longHmac = new Hmac(SHA512, hashKey)
    this.sealingKey = { id: first.id, key: createSecretKey(first.key) }
    this.#sealer = new Sealer(this.sealingKey)
    this.#opening = new Map(encryption.map(({ id, key }) => [id.toString('hex'), createSecretKey(key)]))
  }

  seal(plaintext: Buffer, context: string): Buffer {
    return this.#sealer.seal(plaintext, context)
  }

  open(sealed: Uint8Array, context: string): Buffer {
    const bytes = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength)
    if (!isOurs(bytes)) throw new UnsealError('not sealed by this version')
    const key = this.#keyOf(bytes)
    if (key === undefined) throw new UnsealError('sealed with a key that is not in the key file')
    const iv = bytes.subarray(1 + KEY_ID_BYTES, 1 + KEY_ID_BYTES + IV_BYTES)
    const decipher = createDecipheriv('aes-256-gcm', key, iv)
    decipher.setAAD(Buffer.from(context))
    decipher.setAuthTag(bytes.subarray(SEAL_BYTES - TAG_BYTES, SEAL_BYTES))
    try {
      const plaintext = decipher.update(bytes.subarray(SEAL_BYTES))
      // In this mode nothing is left for the end, which only checks the seal.
      decipher.final()
      return plaintext
    } catch {
      throw new UnsealError('does not match its seal')
    }
  }

  /**
   * The plaintexts of beginnings of what was sealed, as Latin-1; undefined where the key is missing, or where it is nothing that we sealed. Of many at once, because one call of
   * AES makes the key stream for all, at a fraction of what it costs to open them. Nothing checks the seal, so a beginning may only tell what need not be opened.
   */
  readStarts(starts: readonly Buffer[]): (string | undefined)[] {
    const byKey = Map.groupBy(starts, (start) => (isOurs(start) ? this.#keyOf(start) : undefined))
    const texts = new Map([...byKey].flatMap(([key, those]) => (key === undefined ? [] : decryptStarts(key, those))))
    return starts.map((start) => texts.get(start))
  }

  #keyOf(sealed: Buffer): KeyObject | undefined {
    return this.#opening.get(sealed.toString('hex', 1, 1 + KEY_ID_BYTES))
  }

  /** The same for all that can open the same: a hash of the names of its keys. */
  get openingHash(): string {
    return this.hash('keys', ...[...this.#opening.keys()].toSorted())
  }

  /** HMAC-SHA-256 over the parts, unambiguous about where one ends; base64url, 43 characters. */
  hash(purpose: string, ...parts: readonly string[]): string {
    return this.#hmac.text(joined(purpose, parts))
  }

  /** HMAC-SHA-512 in the same way: 64 bytes, of which several names can be cut. */
  derive(purpose: string, ...parts: readonly string[]): Buffer {
    return this.#longHmac.bytes(joined(purpose, parts))
  }
}

function isOurs(sealed: Buffer): boolean {
  return sealed.length >= SEAL_BYTES && sealed[0] === VERSION
}

/** GCM XORs each block with AES of the IV and a counter (NIST SP 800-38D, 7.1). ECB is AES alone: here it encrypts counters, none of them twice, and no data. */
function decryptStarts(key: KeyObject, starts: readonly Buffer[]): [Buffer, string][] {
  const blocksOf = (start: Buffer): number => Math.ceil((start.length - SEAL_BYTES) / BLOCK_BYTES)
  const counters = Buffer.alloc(starts.reduce((sum, start) => sum + blocksOf(start), 0) * BLOCK_BYTES)
  let at = 0
  for (const start of starts)
    for (let block = 0; block < blocksOf(start); block += 1) {
      for (let index = 0; index < IV_BYTES; index += 1) counters[at + index] = start[1 + KEY_ID_BYTES + index] ?? 0
      counters.writeUInt32BE(FIRST_COUNTER + block, at + IV_BYTES)
      at += BLOCK_BYTES
    }
  const texts = createCipheriv('aes-256-ecb', key, null).update(counters)
  let first = 0
  return starts.map((start) => {
    const length = start.length - SEAL_BYTES
    const text = texts.subarray(first, first + length)
    for (let index = 0; index < length; index += 1) text[index] = (text[index] ?? 0) ^ (start[SEAL_BYTES + index] ?? 0)
    first += blocksOf(start) * BLOCK_BYTES
    return [start, text.toString('latin1')]
  })
}

/** In one piece: each call of a hash costs as much as some kilobytes. */
function joined(purpose: string, parts: readonly string[]): string {
  let text = `${Buffer.byteLength(purpose)}:${purpose}`
  for (const part of parts) text += `${Buffer.byteLength(part)}:${part}`
  return text
}

/** The text of a new key file. */
export function createKeyFile(): string {
  return [
    '# Keys of the Hushgate store. Keep this file secret, and keep it: what is queued cannot be read without it.',
    '# To rotate, put a new line "encryption …" (hushgate keygen encryption) above the others; delete the old one a week later.',
    '# The hash key is never rotated: it is how repeated events and dead pushkeys are recognised.',
    `hash ${randomBytes(KEY_BYTES).toString('base64url')}`,
    createEncryptionLine(),
    '',
  ].join('\n')
}

export function createEncryptionLine(): string {
  return `encryption ${randomBytes(KEY_ID_BYTES).toString('hex')} ${randomBytes(KEY_BYTES).toString('base64url')}`
}

/** The keyring, or a sentence per mistake. */
export function parseKeyFile(text: string): Keyring | readonly string[] {
  const mistakes: string[] = []
  const hashKeys: Buffer[] = []
  const encryption: { id: Buffer; key: Buffer }[] = []
  for (const [index, line] of text.split('\n').entries()) {
    const words = line.trim().split(/\s+/)
    if (words[0] === '' || words[0]?.startsWith('#')) continue
    const key = Buffer.from(words.at(-1) ?? '', 'base64url')
    const id = words[1] ?? ''
    if (words[0] === 'hash' && words.length === 2 && key.length === KEY_BYTES) hashKeys.push(key)
    else if (words[0] === 'encryption' && words.length === 3 && key.length === KEY_BYTES && /^[0-9a-f]{8}$/.test(id))
      encryption.push({ id: Buffer.from(id, 'hex'), key })
    else
      mistakes.push(
        `line ${index + 1} is neither "hash KEY" nor "encryption ID KEY" with a key of 32 bytes in base64url`,
      )
  }
  const [hashKey] = hashKeys
  if (hashKey === undefined || hashKeys.length > 1)
    mistakes.push('it needs exactly one line "hash KEY"; make a new file with: hushgate keygen store')
  if (encryption.length === 0)
    mistakes.push('it needs a line "encryption ID KEY"; make one with: hushgate keygen encryption')
  return mistakes.length > 0 || hashKey === undefined ? mistakes : new Keyring(hashKey, encryption)
}
