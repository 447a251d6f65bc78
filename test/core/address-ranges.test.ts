import { describe, expect, it } from 'vitest'
import { createRangeMatch, isAddressRange } from '../../src/core/address-ranges.ts'

describe('a range of addresses', () => {
  it.each(['192.0.2.7', '192.0.2.0/24', '0.0.0.0/0', '2001:db8::1', '2001:db8::/32', '::1/128'])(
    'may be %s',
    (text) => {
      expect(isAddressRange(text)).toBe(true)
    },
  )

  it.each([
    '',
    'localhost',
    '192.0.2',
    '192.0.2.0/33',
    '192.0.2.0/',
    '192.0.2.*',
    '2001:db8::/129',
    'fe80::1%eth0',
    '1.2.3.4/1/1',
  ])('is not %j', (text) => {
    expect(isAddressRange(text)).toBe(false)
  })

  const isIn = createRangeMatch(['192.0.2.0/24', '198.51.100.7', '2001:db8::/32'])
  it.each(['192.0.2.0', '192.0.2.255', '198.51.100.7', '2001:db8::9', '::ffff:192.0.2.1'])('holds %s', (address) => {
    expect(isIn(address)).toBe(true)
  })

  it.each(['192.0.3.0', '198.51.100.8', '2001:db9::', '::ffff:192.0.3.1', '', 'unknown', '192.0.2.1, 192.0.2.2'])(
    'does not hold %j',
    (address) => {
      expect(isIn(address)).toBe(false)
    },
  )
})
