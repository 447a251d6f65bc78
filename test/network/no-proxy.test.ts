import { describe, expect, it } from 'vitest'
import { compileNoProxy } from '../../src/network/no-proxy.ts'

/** curl: everything.curl.dev/usingcurl/proxies/env; Go: golang.org/x/net/http/httpproxy, Config.NoProxy. */
const rows: readonly (readonly [list: string, host: string, port: number, isExempt: boolean])[] = [
  ['', 'api.push.apple.com', 443, false],
  [' , ,', 'api.push.apple.com', 443, false],
  ['*', 'api.push.apple.com', 443, true],
  ['*', '2001:db8::1', 443, true],
  // Names
  ['apple.com', 'apple.com', 443, true],
  ['apple.com', 'api.push.apple.com', 443, true],
  ['apple.com', 'pineapple.com', 443, false],
  ['apple.com', 'apple.com.example.org', 443, false],
  ['.apple.com', 'api.push.apple.com', 443, true],
  ['.apple.com', 'apple.com', 443, true], // as curl and Python; Go says no
  ['*.apple.com', 'api.push.apple.com', 443, true],
  ['api.push.apple.com', 'apple.com', 443, false],
  ['Apple.COM', 'api.push.apple.com', 443, true],
  ['apple.com', 'API.Push.Apple.com', 443, true],
  ['apple.com.', 'api.push.apple.com', 443, true],
  ['apple.com', 'api.push.apple.com.', 443, true],
  ['localhost', 'localhost', 443, true],
  ['intranet', 'push.intranet', 443, true],
  ['.', 'apple.com', 443, false],
  // Lists
  ['example.org,apple.com', 'apple.com', 443, true],
  ['example.org, apple.com', 'apple.com', 443, true],
  ['example.org apple.com', 'apple.com', 443, true],
  // Ports
  ['apple.com:443', 'api.push.apple.com', 443, true],
  ['apple.com:443', 'api.push.apple.com', 2197, false],
  ['.apple.com:2197', 'api.push.apple.com', 2197, true],
  ['10.0.0.1:8443', '10.0.0.1', 8443, true],
  ['10.0.0.1:8443', '10.0.0.1', 443, false],
  ['[2001:db8::1]:8443', '2001:db8::1', 8443, true],
  ['[2001:db8::1]:8443', '2001:db8::1', 443, false],
  // Addresses
  ['10.0.0.1', '10.0.0.1', 443, true],
  ['10.0.0.1', '10.0.0.10', 443, false],
  ['10.0.0.1', 'a.10.0.0.1', 443, false],
  ['2001:db8::1', '2001:db8:0:0::1', 443, true],
  ['[2001:db8::1]', '2001:db8::1', 443, true],
  ['2001:DB8::1', '2001:db8::1', 443, true],
  ['10.0.0.1', '::ffff:10.0.0.1', 443, true],
  // Networks
  ['10.0.0.0/8', '10.1.2.3', 443, true],
  ['10.0.0.0/8', '11.0.0.1', 443, false],
  ['10.0.0.0/8:443', '10.1.2.3', 443, true],
  ['192.168.1.0/24', '192.168.1.255', 443, true],
  ['192.168.1.0/24', '192.168.2.0', 443, false],
  ['0.0.0.0/0', '203.0.113.7', 443, true],
  ['2001:db8::/32', '2001:db8:ffff::1', 443, true],
  ['2001:db8::/32', '2001:db9::1', 443, false],
  ['10.0.0.0/8', 'ten.example.org', 443, false], // names are not resolved for it
  // What is no network
  ['10.0.0.0/33', '10.0.0.0', 443, false],
  ['10.0.0.0/', '10.0.0.0', 443, false],
  ['10.0.0.0/x', '10.0.0.0', 443, false],
  // Loopback, too, is only exempt where it is named
  ['apple.com', 'localhost', 443, false],
  ['apple.com', '127.0.0.1', 443, false],
  ['apple.com', '::1', 443, false],
]

describe('NO_PROXY', () => {
  it.each(rows)('%j: %s at port %i is exempt: %s', (list, host, port, isExempt) => {
    expect(compileNoProxy(list)(host, port)).toBe(isExempt)
  })
})
