/** Which hosts belong together, as far as a name tells: whoever owns a domain has as many names below it as he likes. Pure. */
import { isIPv4, isIPv6 } from 'node:net'
import { groupsOf } from '../../../core/address-ranges.ts'

/** Second labels below which registries of countries sell names: co.uk, com.au, ac.jp. */
const REGISTRY_LABELS = new Set([
  'ac',
  'co',
  'com',
  'edu',
  'gob',
  'gov',
  'gouv',
  'mil',
  'ne',
  'net',
  'nom',
  'or',
  'org',
])
/** What one customer of a network usually has (RFC 6177). */
const IPV6_CUSTOMER_GROUPS = 3

/**
 * The registrable domain of a host as `URL` writes it, without a list of all registries: the last two labels, or three below co.uk and the like. Where that
 * takes together what belongs to many, they share a bound, no more. Of an address: its network, /24 or /48.
 */
export function siteOf(host: string): string {
  const bare = host.replaceAll(/[[\]]/g, '').replace(/\.$/, '')
  if (isIPv4(bare)) return bare.split('.').slice(0, 3).join('.')
  if (isIPv6(bare)) return groupsOf(bare).slice(0, IPV6_CUSTOMER_GROUPS).join(':')
  const labels = bare.split('.')
  const [second = '', last = ''] = labels.slice(-2)
  return labels.slice(last.length === 2 && REGISTRY_LABELS.has(second) ? -3 : -2).join('.')
}
