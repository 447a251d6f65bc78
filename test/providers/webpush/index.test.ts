import { createECDH, generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Value } from 'typebox/value'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isJsonObject } from '../../../src/core/json.ts'
import { webpush, type WebPushOptions } from '../../../src/providers/webpush/index.ts'
import { createAuthority } from '../../../src/simulators/certificate.ts'

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const { x = '', y = '', d = '' } = privateKey.export({ format: 'jwk' })
const point = Buffer.concat([Buffer.of(4), Buffer.from(x, 'base64url'), Buffer.from(y, 'base64url')]).toString(
  'base64url',
)
const pkcs8 = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
const sec1 = privateKey.export({ type: 'sec1', format: 'pem' }).toString()
/** What `openssl ecparam -genkey` writes before a key: the name of the curve. */
const parameters = '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n'
const minimum = { vapid_private_key_file: 'vapid.pem', vapid_subject: 'mailto:ops@example.org' }

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hushgate-webpush-'))
})
afterAll(() => rm(folder, { recursive: true }))

let files = 0
async function fileWith(text: string): Promise<string> {
  const path = join(folder, `${(files += 1)}.pem`)
  await writeFile(path, text)
  return path
}

async function optionsWith(key: string, options: Partial<WebPushOptions> = {}): Promise<WebPushOptions> {
  return { ...minimum, vapid_private_key_file: await fileWith(key), ...options }
}

/** Each mistake as `option: message`. */
async function mistakesIn(key: string, options: Partial<WebPushOptions> = {}): Promise<string[]> {
  const mistakes = await webpush.inspect(await optionsWith(key, options))
  return mistakes.map(({ option, message }) => `${option}: ${message}`)
}

describe('the section of a Web Push app', () => {
  it('is right with a key and a contact', async () => {
    expect(Value.Check(webpush.options, minimum)).toBe(true)
    expect(await mistakesIn(pkcs8)).toEqual([])
  })

  it.each([
    ['no contact', { vapid_subject: '' }],
    ['a negative ttl', { ttl: -1 }],
    ['a ttl of years', { ttl: 100_000_000 }],
    ['an endpoint without TLS', { endpoint: 'http://push.example.org' }],
    ['a single host for a list', { allowed_endpoints: 'push.example.org' }],
    ['a word of Sygnal', { vapid_contact_email: 'ops@example.org' }],
  ])('may not have %s', (_what, options) => {
    expect(Value.Check(webpush.options, { ...minimum, ...options })).toBe(false)
  })

  it('describes each option', () => {
    for (const option of Object.values(webpush.options.properties))
      expect(isJsonObject(option) && typeof option['description'] === 'string').toBe(true)
  })

  it('tells of everything at once', async () => {
    const mistakes = await mistakesIn('no key', {
      vapid_subject: 'ops@example.org',
      allowed_endpoints: ['https://push.example.org/', '*.push.example.org', '[2001:db8::*]'],
      allow_private_endpoints: ['10.0.0.0/8'],
      ca_file: await fileWith('no certificate'),
      endpoint: 'https://[',
    })
    expect(mistakes.map((mistake) => mistake.split(':')[0])).toEqual([
      'vapid_private_key_file',
      'vapid_subject',
      'allowed_endpoints',
      'allow_private_endpoints',
      'ca_file',
      'endpoint',
    ])
  })

  it('tells of files that are not there', async () => {
    const none = join(folder, 'none')
    const mistakes = await webpush.inspect({ ...minimum, vapid_private_key_file: none, ca_file: none })
    expect(mistakes.map(({ option }) => option)).toEqual(['vapid_private_key_file', 'ca_file'])
  })

  it.each(['mailto:ops@example.org', 'https://example.org/contact'])('takes the contact %s', async (subject) => {
    expect(await mistakesIn(pkcs8, { vapid_subject: subject })).toEqual([])
  })

  // Apple answers 403 BadJwtToken to what is no contact.
  it.each([
    'ops@example.org',
    'mailto:',
    'mailto:<ops@example.org>',
    'mailto: ops@example.org',
    'http://example.org',
    'https://localhost',
  ])('does not take the contact %s', async (subject) => {
    expect(await mistakesIn(pkcs8, { vapid_subject: subject })).toHaveLength(1)
  })

  it('takes a certificate to trust', async () => {
    expect(await mistakesIn(pkcs8, { ca_file: await fileWith(createAuthority().certificate) })).toEqual([])
  })
})

describe('the VAPID key', () => {
  it.each([
    ['PKCS #8', pkcs8],
    ['SEC 1', sec1],
    ['SEC 1 after its parameters', parameters + sec1],
    ['base64url, as web-push prints it', d],
    ['base64url, padded and with a line break', `${d}=\n`],
  ])('is taken as %s, and gives the applicationServerKey', async (_what, text) => {
    expect(await mistakesIn(text)).toEqual([])
    expect(await webpush.publicKey?.(await optionsWith(text))).toBe(point)
  })

  const otherCurve = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey.export({
    type: 'pkcs8',
    format: 'pem',
  })
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ type: 'pkcs8', format: 'pem' })
  const locked = privateKey.export({ type: 'pkcs8', format: 'pem', cipher: 'aes-128-cbc', passphrase: 'x' })
  it.each([
    ['empty', '', /neither/],
    ['the public key', publicKey.export({ type: 'spki', format: 'pem' }).toString(), /neither/],
    ['the public key in base64url', createECDH('prime256v1').generateKeys('base64url'), /neither/],
    ['locked', locked.toString(), /passphrase/],
    ['on another curve', otherCurve.toString(), /P-256/],
    ['for RSA', rsa.toString(), /P-256/],
    ['zero', 'A'.repeat(43), /P-256/],
    ['beyond the curve', '_'.repeat(43), /P-256/],
  ])('is not taken when it is %s, and not quoted', async (_what, text, sentence) => {
    const [mistake, ...others] = await mistakesIn(text)
    expect(others).toEqual([])
    expect(mistake).toMatch(sentence)
    expect(mistake).not.toContain('PRIVATE KEY')
    await expect(webpush.publicKey?.(await optionsWith(text))).rejects.toThrow(sentence)
  })
})
