/** Ranges of IP addresses as an operator writes them: `192.0.2.7`, `192.0.2.0/24`, `2001:db8::/32`. */
import { BlockList, isIP } from 'node:net'

const BITS = { 4: 32, 6: 128 } as const

interface Range {
  readonly address: string
  readonly prefix: number
  readonly family: 'ipv4' | 'ipv6'
}

export function isAddressRange(text: string): boolean {
  return parse(text) !== undefined
}

/** Whether an address is in one of these. An IPv4 address that came over IPv6 (`::ffff:192.0.2.7`) is the same one; what is no address is in none. */
export function createRangeMatch(ranges: readonly string[]): (address: string) => boolean {
  const list = new BlockList()
  for (const range of ranges) {
    const parsed = parse(range)
    if (parsed === undefined) throw new TypeError(`no range of addresses: ${range}`)
    list.addSubnet(parsed.address, parsed.prefix, parsed.family)
  }
  return (address) => {
    const version = isIP(address)
    return version !== 0 && list.check(address, version === 4 ? 'ipv4' : 'ipv6')
  }
}

function parse(text: string): Range | undefined {
  const [, address = '', prefix] = /^([^/%]+)(?:\/(\d{1,3}))?$/.exec(text) ?? []
  const version = isIP(address)
  if (version !== 4 && version !== 6) return undefined
  const bits = prefix === undefined ? BITS[version] : Number(prefix)
  return bits > BITS[version] ? undefined : { address, prefix: bits, family: version === 4 ? 'ipv4' : 'ipv6' }
}
