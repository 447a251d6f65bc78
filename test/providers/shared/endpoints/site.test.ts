/** Which hosts share a bound. */
import { expect, it } from 'vitest'
import { siteOf } from '../../../../src/providers/shared/endpoints/site.ts'

it.each([
  ['evil.test', 'evil.test'],
  ['a.b.evil.test', 'evil.test'],
  ['a.evil.test.', 'evil.test'],
  ['push.example.co.uk', 'example.co.uk'],
  ['a.push.example.com.au', 'example.com.au'],
  ['push.example.de', 'example.de'],
  ['localhost', 'localhost'],
  ['192.0.2.7', '192.0.2'],
  ['[2001:db8:1:2::7]', '2001:db8:1'],
  ['[2001:db8::1:2:3]', '2001:db8:0'],
  ['[2001:db8:1:2:3:4:5:6]', '2001:db8:1'],
  ['[::1]', '0:0:0'],
])('%s belongs to %s', (host, site) => {
  expect(siteOf(host)).toBe(site)
})
