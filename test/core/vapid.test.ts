/** Who has signed a request for Web Push (RFC 8292), and what is no such signature. */
import { describe, expect, it } from 'vitest'
import { isSigned, isVapidKey, readVapid, type Vapid } from '../../src/core/vapid.ts'
import { WebPushHomeserver } from '../helpers/relayed-device.ts'

const homeserver = new WebPushHomeserver()
const authorization = homeserver.authorization({ exp: 1_700_000_000 })
const [, token = '', key = ''] = /t=(.*), k=(.*)$/.exec(authorization) ?? []

function read(header: string): Vapid {
  const vapid = readVapid(header)
  if (typeof vapid === 'string') throw new Error(vapid)
  return vapid
}

describe('a header of RFC 8292', () => {
  it('says who signed, and what was claimed', () => {
    expect(read(authorization)).toMatchObject({
      key: homeserver.vapid,
      claims: { aud: 'https://push.example.com', exp: 1_700_000_000, sub: 'mailto:push@example.org' },
    })
    expect(isSigned(read(authorization))).toBe(true)
  })

  it('is read in every form that RFC 9110 has for it', () => {
    for (const other of [
      `vapid k=${key},t=${token}`,
      `VAPID t="${token}", k="${key}"`,
      `vapid t = ${token} , k = ${key}`,
    ])
      expect(readVapid(other)).toEqual(readVapid(authorization))
  })

  it('is missing where it is another one', () => {
    for (const other of [undefined, '', 'vapid ', 'Bearer x', `WebPush ${token}`, `vapid t=${token}`, `vapid k=${key}`])
      expect(readVapid(other)).toBe('missing')
  })

  it('introduces nobody with a token that is none, a key that is none, or a signature of somebody else', () => {
    const [header = '', payload = '', signature = ''] = token.split('.')
    const none = Buffer.from('{"alg":"none"}').toString('base64url')
    const other = new WebPushHomeserver()
    expect(readVapid(`vapid t=${header}.${payload}, k=${key}`)).toBe('malformed')
    expect(readVapid(`vapid t=${token}.x, k=${key}`)).toBe('malformed')
    expect(readVapid(`vapid t=${header}.x.${signature}, k=${key}`)).toBe('malformed')
    expect(readVapid(`vapid t=${'x'.repeat(3000)}, k=${key}`)).toBe('malformed')
    expect(readVapid(`vapid t=${none}.${payload}.${signature}, k=${key}`)).toBe('not for ES256')
    for (const wrong of [
      `vapid t=${token}, k=${key.slice(4)}`,
      `vapid t=${token}, k=${other.vapid}`,
      `vapid t=${header}.${payload}., k=${key}`,
    ])
      expect(isSigned(read(wrong))).toBe(false)
  })
})

it('a key is a point of the curve in its one form', () => {
  expect(isVapidKey(homeserver.vapid)).toBe(true)
  const point = Buffer.from(homeserver.vapid, 'base64url')
  point.writeUInt8(point.readUInt8(64) ^ 1, 64)
  for (const not of ['', `${homeserver.vapid}=`, point.toString('base64url'), homeserver.vapid.slice(0, -2)])
    expect(isVapidKey(not)).toBe(false)
})
