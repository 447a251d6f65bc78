import { describe, expect, it } from 'vitest'
import { createRangeMatch, groupsOf, isAddressRange, sourceOf } from '../../src/core/address-ranges.ts'

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

describe('the source of a request', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['::FFFF:c000:207', '192.0.2.7'],
    ['2001:db8:1:2::1', '2001:db8:1:2'],
    ['2001:DB8:0001:2:ffff:ffff:ffff:ffff', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['2001:db8:1:2:3:4:192.0.2.7', '2001:db8:1:2'],
    ['::1', '0:0:0:0'],
    ['::2:3:4:5:6:7', '0:0:2:3'],
    ['fe80::1%eth0', 'fe80:0:0:0'],
    ['unknown', undefined],
    ['192.0.2.7:5000', undefined],
    ['[2001:db8::1]', undefined],
    ['', undefined],
  ])('at %j is %j', (address, source) => {
    expect(sourceOf(address)).toBe(source)
  })
})

it.each([
  ['1:2:3:4:5:6:7:8', '1 2 3 4 5 6 7 8'],
  ['1::8', '1 0 0 0 0 0 0 8'],
  ['::', '0 0 0 0 0 0 0 0'],
  ['64:ff9b::192.0.2.255', '64 ff9b 0 0 0 0 c000 2ff'],
])('the groups of %s are %s', (address, groups) => {
  expect(groupsOf(address).join(' ')).toBe(groups)
})
