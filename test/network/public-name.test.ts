/** Which hosts a proxy may be asked for on a stranger's word. */
import { expect, it } from 'vitest'
import { isPublicName } from '../../src/network/public-name.ts'

it.each(['push.example.org', 'EXAMPLE.org', 'example.org.', 'localhost.example.org', '192.168.1.example.org'])(
  '%s is a public name',
  (host) => {
    expect(isPublicName(host)).toBe(true)
  },
)

it.each([
  ['localhost', 'a name of the machine'],
  ['LOCALHOST.', 'the same'],
  ['a.localhost', 'RFC 6761'],
  ['redis', 'a name of the network'],
  ['metadata.google.internal', 'a metadata service'],
  ['printer.local', 'RFC 6762'],
  ['router.home.arpa', 'RFC 8375'],
  ['nas.lan', 'a name of the network'],
  ['1.1.1.1', 'an address'],
  ['2606:4700:4700::1111', 'an address'],
  ['[::1]', 'an address'],
  ['', 'nothing'],
])('%s is none: %s', (host) => {
  expect(isPublicName(host)).toBe(false)
})
