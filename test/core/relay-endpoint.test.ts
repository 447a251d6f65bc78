/** The endpoint that is the sealed pushkey: who can read and make one, and for how long. */
import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createEncryptionLine, createKeyFile, Keyring, parseKeyFile } from '../../src/core/keyring.ts'
import { isEndpointShaped, isKid, RelayEndpoints, type Registration } from '../../src/core/relay-endpoint.ts'
import { Secret } from '../../src/core/secret.ts'
import { MAX_ENDPOINT_CHARACTERS } from '../../src/http/relay.ts'
import { WebPushHomeserver } from '../helpers/relayed-device.ts'

const FILE = createKeyFile()
const APP = 'com.example.ios'
const PUSHKEY = 'V2h5IG9uIGVhcnRoIGRpZCB5b3UgZGVjb2RlIHRoaXM/'
const { vapid } = new WebPushHomeserver()
const registration = {
  pushkey: new Secret(PUSHKEY),
  vapidKey: vapid,
  kid: randomBytes(16).toString('base64url'),
  issuedAt: 1_700_000_000,
}

function endpoints(file = FILE): RelayEndpoints {
  const keyring = parseKeyFile(file)
  if (!(keyring instanceof Keyring)) throw new Error(keyring.join('; '))
  return new RelayEndpoints(keyring)
}

function opened(endpoint: string, file = FILE): Registration {
  const registered = endpoints(file).open(APP, endpoint)
  if (typeof registered !== 'object') throw new Error(`it does not open: ${registered}`)
  return registered
}

describe('an endpoint', () => {
  it('opens to what it was made of', () => {
    for (const kid of [registration.kid, undefined]) {
      const registered = opened(endpoints().seal(APP, { ...registration, kid }))
      expect(registered).toMatchObject({ vapidKey: vapid, kid, issuedAt: 1_700_000_000 })
      expect(registered.pushkey.reveal()).toBe(PUSHKEY)
    }
  })

  it('is another each time, and shows nothing of the pushkey', () => {
    const [one, other] = [endpoints().seal(APP, registration), endpoints().seal(APP, registration)]
    expect(one.slice(0, 40)).not.toBe(other.slice(0, 40))
    expect(Buffer.from(one, 'base64url').includes(PUSHKEY)).toBe(false)
    expect(Buffer.from(one, 'base64url').includes(Buffer.from(PUSHKEY, 'base64'))).toBe(false)
  })

  it('opens when the encryption keys were rotated and the old ones thrown away', () => {
    const endpoint = endpoints().seal(APP, registration)
    const rotated = FILE.replace(/^encryption .*$/m, createEncryptionLine())
    expect(rotated).not.toBe(FILE)
    expect(opened(endpoint, rotated).pushkey.reveal()).toBe(PUSHKEY)
  })

  it('opens for nobody else: not for another app, another gateway, when changed, or written in another way', () => {
    const endpoint = endpoints().seal(APP, registration)
    const changed = Buffer.from(endpoint, 'base64url')
    changed.writeUInt8(changed.readUInt8(60) ^ 1, 60)
    expect(endpoints().open('com.example.other', endpoint)).toBeUndefined()
    expect(endpoints(createKeyFile()).open(APP, endpoint)).toBe('foreign')
    for (const other of [changed.toString('base64url'), `${endpoint}=`, `${endpoint}A`, endpoint.slice(0, -4), '', 'x'])
      expect(endpoints().open(APP, other)).toBeUndefined()
  })

  it('of another key file, or of a later version, is told from none: it may open when the right key file is back', () => {
    const later = Buffer.from(endpoints().seal(APP, registration), 'base64url')
    later.writeUInt8(2, 0)
    expect(endpoints(createKeyFile()).open(APP, endpoints().seal(APP, registration))).toBe('foreign')
    expect(endpoints().open(APP, later.toString('base64url'))).toBe('foreign')
    for (const none of ['', 'x'.repeat(40), 'A'.repeat(400), `${'x'.repeat(400)}=`])
      expect(isEndpointShaped(none)).toBe(false)
    expect(isEndpointShaped('x'.repeat(400))).toBe(true)
  })

  it('is no other thing that is sealed with the same key file', () => {
    const keyring = parseKeyFile(FILE)
    if (!(keyring instanceof Keyring)) throw new Error(keyring.join('; '))
    const sealed = keyring.seal(Buffer.from(PUSHKEY), `relay-endpoint ${APP}`).toString('base64url')
    expect(typeof endpoints().open(APP, sealed)).not.toBe('object')
  })

  it('of the longest pushkey fits into a path', () => {
    const pushkey = new Secret('x'.repeat(512))
    expect(endpoints().seal(APP, { ...registration, pushkey }).length).toBeLessThanOrEqual(MAX_ENDPOINT_CHARACTERS)
  })
})

it('a kid is 16 bytes in their one form, and not the zeros that stand for none', () => {
  expect(isKid(registration.kid)).toBe(true)
  for (const not of ['A'.repeat(22), 'a'.repeat(21), `${registration.kid}=`, `${registration.kid.slice(0, 21)}_`])
    expect(isKid(not)).toBe(false)
})
