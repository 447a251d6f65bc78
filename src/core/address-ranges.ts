/** IP addresses: ranges as an operator writes them (`192.0.2.7`, `192.0.2.0/24`, `2001:db8::/32`), and whose an address is. Pure. */
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

/** What one customer of a network has at least (RFC 6177), so 2⁶⁴ addresses are one source. */
const SOURCE_GROUPS = 4

/** Who sends from an address, as far as it tells: an IPv4 address, also one that came over IPv6, or the /64 of an IPv6 address. Undefined for what is none. */
export function sourceOf(address: string): string | undefined {
  const version = isIP(address)
  if (version !== 6) return version === 4 ? address : undefined
  const [bare = ''] = address.split('%')
  const groups = groupsOf(bare)
  if (groups.slice(0, 6).join(':') !== '0:0:0:0:0:ffff') return groups.slice(0, SOURCE_GROUPS).join(':')
  const bytes = groups.slice(6).flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 255])
  return bytes.join('.')
}

/** The eight groups of an IPv6 address without a zone, each as short as it can be: `::` stands for as many zeros as are missing. */
export function groupsOf(address: string): readonly string[] {
  const inHex = address.replace(/(\d+)\.(\d+)\.(\d+)\.(\d+)$/, (_, ...bytes: string[]) => {
    const [a = 0, b = 0, c = 0, d = 0] = bytes.slice(0, 4).map(Number)
    return `${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}`
  })
  const [head = [], tail] = inHex.split('::').map((part) => (part === '' ? [] : part.split(':')))
  const zeros = tail === undefined ? 0 : 8 - head.length - tail.length
  return [...head, ...Array.from({ length: zeros }, () => '0'), ...(tail ?? [])].map((group) =>
    Number.parseInt(group, 16).toString(16),
  )
}
