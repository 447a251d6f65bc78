/** Host names → addresses that may be connected to. What is checked here is what the socket connects to, so a name cannot change its mind in between. */
import { lookup as systemLookup, Resolver } from 'node:dns/promises'
import type { LookupAddress, LookupOptions } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { callbackify } from 'node:util'
import { isPublicAddress } from './addresses.ts'
import { PRIVATE_ADDRESS } from './answers.ts'

/** All addresses of a host. Rejects when there is none. */
export type Resolve = (host: string) => Promise<readonly string[]>

const DNS_TIMEOUT_MS = 2000
const DNS_TRIES = 2

/**
 * Asks the DNS without the operating system: `getaddrinfo` occupies one of Node's four threads for as long as the name server of a stranger's
 * host keeps it waiting, and with four such hosts nothing else of this process resolves names or reads files.
 */
export function createDnsResolve(): Resolve {
  const resolver = new Resolver({ timeout: DNS_TIMEOUT_MS, tries: DNS_TRIES })
  return async (host) => {
    const [ipv4, ipv6] = await Promise.allSettled([resolver.resolve4(host), resolver.resolve6(host)])
    const addresses = [ipv4, ipv6].flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []))
    if (addresses.length === 0 && ipv4.status === 'rejected') throw ipv4.reason
    return addresses
  }
}

/** As the machine sees it, with its hosts file and search domains; for hosts that the operator has named. */
export async function resolveLocally(host: string): Promise<readonly string[]> {
  const addresses = await systemLookup(host, { all: true })
  return addresses.map(({ address }) => address)
}

/** For `net.connect`: the public addresses of a host, and a failure where it has others only. */
export function createPublicLookup(resolve: Resolve): LookupFunction {
  return createLookup(async (host) => {
    const addresses = await resolve(host)
    const isPublic = addresses.filter(isPublicAddress)
    if (isPublic.length === 0) throw Object.assign(new Error('no public address'), { code: PRIVATE_ADDRESS })
    return isPublic
  })
}

/** Always all addresses: whoever connects asks for that (`autoSelectFamily`). */
export function createLookup(resolve: Resolve): LookupFunction {
  return callbackify(async (host: string, _options: LookupOptions): Promise<LookupAddress[]> => {
    const addresses = await resolve(host)
    return addresses.map((address) => ({ address, family: isIP(address) }))
  })
}
