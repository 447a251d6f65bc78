import { describe, expect, it } from 'vitest'
import { createHostMatch, isPublicAddress } from '../../../../src/providers/shared/endpoints/addresses.ts'

describe('an address', () => {
  it.each([
    '1.1.1.1',
    '8.8.8.8',
    '100.63.255.255',
    '100.128.0.1',
    '172.15.255.255',
    '172.32.0.1',
    '192.167.255.255',
    '223.255.255.255',
    '2001:4860:4860::8888',
    '2606:4700:4700::1111',
    '2a00:1450:4001:82a::200a',
    '64:ff9b::8.8.8.8', // DNS64: a public IPv4 address
    '64:ff9b::808:808',
  ])('%s is public', (address) => {
    expect(isPublicAddress(address)).toBe(true)
  })

  // IANA special-purpose address registries.
  it.each([
    ['this network', '0.0.0.0'],
    ['this network', '0.1.2.3'],
    ['private', '10.0.0.1'],
    ['carrier-grade NAT', '100.64.0.1'],
    ['carrier-grade NAT', '100.127.255.255'],
    ['loopback', '127.0.0.1'],
    ['loopback', '127.255.255.254'],
    ['metadata of a cloud', '169.254.169.254'],
    ['private', '172.16.0.1'],
    ['private', '172.31.255.255'],
    ['protocol assignments', '192.0.0.170'],
    ['documentation', '192.0.2.1'],
    ['6to4 relay', '192.88.99.1'],
    ['private', '192.168.1.1'],
    ['benchmarks', '198.19.255.255'],
    ['documentation', '198.51.100.7'],
    ['documentation', '203.0.113.7'],
    ['multicast', '224.0.0.1'],
    ['multicast', '239.255.255.250'],
    ['reserved', '240.0.0.1'],
    ['broadcast', '255.255.255.255'],
    ['unspecified', '::'],
    ['loopback', '::1'],
    ['loopback, written out', '0:0:0:0:0:0:0:1'],
    ['mapped loopback', '::ffff:127.0.0.1'],
    ['mapped private', '::ffff:a00:1'],
    ['mapped public, which no DNS gives', '::ffff:8.8.8.8'],
    ['IPv4-compatible', '::127.0.0.1'],
    ['IPv4-translated', '::ffff:0:127.0.0.1'],
    ['NAT64 of loopback', '64:ff9b::127.0.0.1'],
    ['NAT64 of private', '64:ff9b::a00:1'],
    ['NAT64 of metadata', '64:ff9b::169.254.169.254'],
    ['NAT64 of this network alone', '64:ff9b:1::8.8.8.8'],
    ['discard only', '100::1'],
    ['Teredo', '2001:0:1::1'],
    ['ORCHID', '2001:20::1'],
    ['documentation', '2001:db8::1'],
    ['documentation', '3fff::1'],
    ['6to4 of private', '2002:a00:1::1'],
    ['6to4 of public', '2002:808:808::1'],
    ['segment routing', '5f00::1'],
    ['unique local', 'fc00::1'],
    ['unique local', 'fd12:3456:789a::1'],
    ['link-local', 'fe80::1'],
    ['link-local with a zone', 'fe80::1%eth0'],
    ['public with a zone', '2606:4700:4700::1111%eth0'],
    ['site-local', 'fec0::1'],
    ['multicast', 'ff02::1'],
    ['unassigned', '4000::1'],
    ['not an address', 'localhost'],
    ['empty', ''],
  ])('of the kind "%s" is not public: %s', (_kind, address) => {
    expect(isPublicAddress(address)).toBe(false)
  })
})

describe('a glob of hosts', () => {
  it.each([
    ['push.fake.test', 'push.fake.test', true],
    ['Push.Fake.Test', 'push.fake.test', true],
    ['push.fake.test', 'pushxfake.test', false],
    ['push.fake.test', 'evil-push.fake.test', false],
    ['push.fake.test', 'push.fake.test.evil.example', false],
    ['push.fake.test', 'push.fake.test.', false],
    ['*.push.fake.test', 'eu.push.fake.test', true],
    ['*.push.fake.test', 'a.b.push.fake.test', true],
    ['*.push.fake.test', 'push.fake.test', false],
    ['*.push.fake.test', 'evilpush.fake.test', false],
    ['push?.test', 'push1.test', true],
    ['push?.test', 'push.test', false],
    ['[::1]', '[::1]', true],
    ['[::1]', ':', false],
    ['*', 'anything', true],
  ])('%s for %s: %s', (glob, host, expected) => {
    expect(createHostMatch([glob])(host)).toBe(expected)
  })

  it('does not keep the gateway busy, however many stars it has and whatever host a stranger makes up', () => {
    expect(createHostMatch([`${'*a'.repeat(30)}b`])('a'.repeat(2000))).toBe(false)
  })

  it('fits nothing when there is none', () => {
    expect(createHostMatch([])('push.fake.test')).toBe(false)
  })
})
