/** Which addresses and hosts a push may go to. An endpoint is whatever a stranger registered, so nothing inside our network may be reached through it. */
import { BlockList, isIP } from 'node:net'
import { matchesGlob } from '../../../core/glob.ts'

/**
 * What is not globally reachable: IANA special-purpose address registries (RFC 6890) and multicast.
 * www.iana.org/assignments/iana-ipv4-special-registry, …/iana-ipv6-special-registry
 */
const NOT_PUBLIC_IPV4 = [
  '0.0.0.0/8', // this network
  '10.0.0.0/8', // private
  '100.64.0.0/10', // carrier-grade NAT
  '127.0.0.0/8', // loopback
  '169.254.0.0/16', // link-local, and the metadata services of clouds
  '172.16.0.0/12', // private
  '192.0.0.0/24', // IETF protocol assignments
  '192.0.2.0/24', // documentation
  '192.31.196.0/24', // AS112
  '192.52.193.0/24', // AMT
  '192.88.99.0/24', // 6to4 relay
  '192.168.0.0/16', // private
  '192.175.48.0/24', // AS112
  '198.18.0.0/15', // benchmarks
  '198.51.100.0/24', // documentation
  '203.0.113.0/24', // documentation
  '224.0.0.0/4', // multicast
  '240.0.0.0/4', // reserved, broadcast
]
/** Within 2000::/3, the only unicast space that is assigned; all else (loopback, mapped, ULA, link-local, multicast) lies outside. */
const NOT_PUBLIC_IPV6 = [
  '2001::/23', // IETF protocol assignments: Teredo, ORCHID, benchmarks
  '2001:db8::/32', // documentation
  '2002::/16', // 6to4: an IPv4 address, behind a relay that nobody runs any more
  '2620:4f:8000::/48', // AS112
  '3fff::/20', // documentation
]
/** NAT64 (RFC 6052): an IPv4 address behind the network's own translator; in a network with DNS64 every host has one. */
const NAT64 = '64:ff9b::'
const NAT64_PREFIX = 96

const unicastIpv6 = new BlockList()
unicastIpv6.addSubnet('2000::', 3, 'ipv6')
unicastIpv6.addSubnet(NAT64, NAT64_PREFIX, 'ipv6')
const notPublic = new BlockList()
for (const [network, prefix] of NOT_PUBLIC_IPV4.map(split)) {
  notPublic.addSubnet(network, prefix, 'ipv4')
  notPublic.addSubnet(NAT64 + network, NAT64_PREFIX + prefix, 'ipv6')
}
for (const [network, prefix] of NOT_PUBLIC_IPV6.map(split)) notPublic.addSubnet(network, prefix, 'ipv6')

export function isPublicAddress(address: string): boolean {
  const version = isIP(address)
  if (version === 4) return !notPublic.check(address, 'ipv4')
  // `fe80::1%eth0`: what has a zone is local to it.
  if (version !== 6 || address.includes('%')) return false
  return unicastIpv6.check(address, 'ipv6') && !notPublic.check(address, 'ipv6')
}

/** What stands for addresses: digits, dots and wildcards, or an IPv6 address in brackets. */
const ADDRESS_GLOB = /^(?:[.*?]*\d[\d.*?]*|\[.*\])$/

/**
 * Whether a host, as `URL` writes it, fits one of the globs: `*` any characters, `?` one. A glob of an address fits addresses only, for a stranger may call
 * a host 192.168.1.evil.test. A stranger chooses the host, so no glob may take long for one.
 */
export function createHostMatch(globs: readonly string[]): (host: string) => boolean {
  const patterns = globs.map((glob) => ({ isOfAddress: ADDRESS_GLOB.test(glob), glob: Array.from(glob.toLowerCase()) }))
  return (host) => {
    const characters = Array.from(host)
    const isAddress = addressIn(host) !== undefined
    return patterns.some(({ isOfAddress, glob }) => (isAddress || !isOfAddress) && matchesGlob(glob, characters))
  }
}

/** Whether a glob says whose hosts it means: `*` and `*.org` let anybody in, `*.example.org` does not. */
export function isNameOfOwner(glob: string): boolean {
  if (ADDRESS_GLOB.test(glob)) return true
  const lastWildcard = Math.max(glob.lastIndexOf('*'), glob.lastIndexOf('?'))
  return lastWildcard < 0 || glob.slice(lastWildcard + 1).split('.').length > 2
}

/** The address that a host of a `URL` is; undefined for a name. */
export function addressIn(host: string): string | undefined {
  const bare = host.replaceAll(/[[\]]/g, '')
  return isIP(bare) === 0 ? undefined : bare
}

function split(range: string): readonly [network: string, prefix: number] {
  const [network = '', prefix] = range.split('/')
  return [network, Number(prefix)]
}
