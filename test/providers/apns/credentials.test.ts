import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import forge from 'node-forge'
import { Value } from 'typebox/value'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { apns } from '../../../src/providers/apns/index.ts'
import { apnsOptions } from '../../../src/providers/apns/options.ts'
import { authority, changed, createRig, message, never, pushkey, TOPIC, type Changes, type Rig } from './rig.ts'

const PASSPHRASE = 'open sesame'
const UID = { commonName: 'Apple Push Services: com.example.app', uid: TOPIC }

function pkcs12(key: string, certificate: string, passphrase: string): Buffer {
  const asn1 = forge.pkcs12.toPkcs12Asn1(
    forge.pki.privateKeyFromPem(key),
    [forge.pki.certificateFromPem(certificate)],
    passphrase,
    { algorithm: 'aes256' },
  )
  return Buffer.from(forge.asn1.toDer(asn1).getBytes(), 'binary')
}

describe("an APNs app's files", { timeout: 30_000 }, () => {
  let rig: Rig
  beforeEach(() => {
    rig = createRig()
  })
  afterEach(async () => {
    await rig[Symbol.asyncDispose]()
  })

  const inspect = (changes: Changes) => apns.inspect(changed(rig.options, changes))
  const withCertificate = (name: string, content: string | Buffer, more: Changes = {}) =>
    inspect({ key_file: undefined, topic: undefined, cert_file: rig.file(name, content), ...more })

  it('are fine', async () => {
    expect(await inspect({})).toEqual([])
  })

  it('are every one reported, with what to do', async () => {
    const mistakes = await inspect({ key_id: undefined, team_id: undefined, topic: undefined, ca_file: '/nowhere' })
    expect(mistakes.map(({ option }) => option)).toEqual(['key_id', 'team_id', 'topic', 'ca_file'])
  })

  it.each<[string, (rig: Rig) => Changes, string, RegExp]>([
    ['no credential at all', () => ({ key_file: undefined }), 'key_file', /is missing: .*\.p8/],
    ['two credentials', () => ({ cert_file: 'x.pem' }), 'cert_file', /keep one/],
    ['a key that is not there', () => ({ key_file: '/nowhere.p8' }), 'key_file', /cannot be read \(ENOENT\)/],
    ['a key that is none', ({ file }) => ({ key_file: file('a.p8', 'hello') }), 'key_file', /not a private key/],
    ['an authority that is none', ({ file }) => ({ ca_file: file('ca', 'x') }), 'ca_file', /no PEM certificate/],
    ['a topic that does not go with the push type', () => ({ push_type: 'voip' }), 'topic', /must end in \.voip/],
  ])('report %s', async (_what, changes, option, text) => {
    expect(await inspect(changes(rig))).toEqual([{ option, message: expect.stringMatching(text) }])
  })

  it.each([
    ['another curve', generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey],
    ['another kind of key', generateKeyPairSync('ed25519').privateKey],
  ])('report a key of %s', async (_what, key) => {
    const keyFile = rig.file('other.p8', key.export({ type: 'pkcs8', format: 'pem' }))
    expect(await inspect({ key_file: keyFile })).toEqual([
      { option: 'key_file', message: expect.stringContaining('P-256') },
    ])
  })

  describe('with a certificate', () => {
    const { key, cert } = authority.issue(UID)

    it.each<[string, () => [string | Buffer, Changes?]]>([
      ['PEM', () => [cert + key]],
      ['PEM in the other order', () => [key + cert]],
      ['PKCS#12', () => [pkcs12(key, cert, PASSPHRASE), { passphrase: PASSPHRASE }]],
      ['PKCS#12 without a passphrase', () => [pkcs12(key, cert, '')]],
    ])('take %s, and its topic', async (_what, file) => {
      const [content, more] = file()
      expect(await withCertificate('push', content, more)).toEqual([])
    })

    it('take an encrypted private key', async () => {
      const encrypted = forge.pki.encryptRsaPrivateKey(forge.pki.privateKeyFromPem(key), PASSPHRASE)
      const passphraseFile = rig.file('passphrase', `${PASSPHRASE}\n`)
      expect(await withCertificate('push.pem', cert + encrypted, { passphrase_file: passphraseFile })).toEqual([])
      const wrong = await withCertificate('push.pem', cert + encrypted, { passphrase: 'wrong' })
      expect(wrong).toEqual([{ option: 'cert_file', message: expect.stringContaining('passphrase') }])
    })

    it.each<[string, () => [string | Buffer, Changes?], string, RegExp]>([
      ['a certificate without a key', () => [cert], 'cert_file', /no private key/],
      ['a key without a certificate', () => [key], 'cert_file', /no certificate/],
      ['a key of another certificate', () => [cert + authority.issue(UID).key], 'cert_file', /do not belong together/],
      [
        'PKCS#12 with a key of another certificate',
        () => [pkcs12(authority.issue(UID).key, cert, '')],
        'cert_file',
        /do not belong together/,
      ],
      ['a wrong passphrase', () => [pkcs12(key, cert, PASSPHRASE), { passphrase: 'wrong' }], 'cert_file', /passphrase/],
      ['a missing passphrase', () => [pkcs12(key, cert, PASSPHRASE)], 'cert_file', /passphrase/],
      ['neither PEM nor PKCS#12', () => [Buffer.of(0x30, 1, 2)], 'cert_file', /neither/],
      [
        'a certificate that says no topic',
        () => {
          const nameless = authority.issue({ commonName: 'x' })
          return [nameless.cert + nameless.key]
        },
        'topic',
        /is missing/,
      ],
    ])('report %s', async (_what, file, option, text) => {
      const [content, more] = file()
      const mistakes = await withCertificate('push', content, more)
      expect(mistakes).toEqual([{ option, message: expect.stringMatching(text) }])
    })

    it('take an expired one: it must not keep other apps from starting', async () => {
      const old = authority.issue({ ...UID, notAfter: new Date('2026-01-02') })
      expect(await withCertificate('push', old.cert + old.key)).toEqual([])
    })

    it('never print a passphrase', async () => {
      const mistakes = await withCertificate('push.p12', pkcs12(key, cert, 'other'), { passphrase: PASSPHRASE })
      expect(JSON.stringify(mistakes)).not.toContain(PASSPHRASE)
    })

    it('say how to convert what macOS exports, which OpenSSL 3 does not open', async () => {
      // As Keychain Access exports: RC2 and 3DES. Made with: openssl pkcs12 -export -legacy
      const file = readFileSync(new URL('keychain.p12', import.meta.url))
      const mistakes = await withCertificate('old.p12', file, { passphrase: PASSPHRASE })
      expect(mistakes).toEqual([{ option: 'cert_file', message: expect.stringContaining('openssl pkcs12 -legacy') }])
    })

    it('send with PKCS#12 too', async () => {
      const simulator = await rig.simulate({ keys: [] })
      const certFile = rig.file('push.p12', pkcs12(key, cert, PASSPHRASE))
      const changes = { key_file: undefined, topic: undefined, cert_file: certFile, passphrase: PASSPHRASE }
      const sender = await rig.open(changes)
      expect(await sender.send(message, pushkey('device'), never)).toMatchObject({ kind: 'delivered' })
      expect(simulator.received).toMatchObject([{ status: 200, headers: { 'apns-topic': TOPIC } }])
    })
  })
})

describe("an APNs app's section", () => {
  it.each<[string, object, boolean]>([
    [
      'what the documentation shows',
      { key_file: 'a.p8', key_id: 'ABCDEFGHIJ', team_id: '0123456789', topic: 'a.b' },
      true,
    ],
    ['an unknown option', { key_fil: 'a.p8' }, false],
    ['an unknown push type', { push_type: 'shout' }, false],
    ['an unknown platform', { platform: 'prod' }, false],
    ['a key ID of the wrong length', { key_id: 'ABC' }, false],
    ['an endpoint without TLS', { endpoint: 'http://localhost:1' }, false],
    ['an endpoint with a path', { endpoint: 'https://localhost:1/3/device' }, false],
  ])('%s: %j is valid: %s', (_what, section, isValid) => {
    expect(Value.Check(apnsOptions, section)).toBe(isValid)
  })

  it('describes each option', () => {
    for (const schema of Object.values(apns.options.properties)) expect(schema).toHaveProperty('description')
    for (const name of apns.files) expect(apns.options.properties).toHaveProperty(name)
  })
})
