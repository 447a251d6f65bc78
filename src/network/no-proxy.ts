/** Which hosts are reached without the proxy: the environment variable NO_PROXY, read as curl and most others read it. Pure. */
import { BlockList, isIP } from 'node:net'

/**
 * Separated by commas or spaces: `*`; a name, with or without a leading dot, which stands for itself and all below it; an IP address or a network
 * (10.0.0.0/8), for hosts that are addresses, as names are not resolved for it; each with a port or for any. Loopback is not in it by itself.
 */
export function compileNoProxy(list: string): (host: string, port: number) => boolean {
  const rules = list
    .split(/[\s,]+/)
    .filter((entry) => entry !== '')
    .map(ruleOf)
  return (host, port) => rules.some((rule) => rule(normal(host), port))
}

function ruleOf(entry: string): (host: string, port: number) => boolean {
  if (entry === '*') return () => true
  // An IPv6 address without brackets fits neither form, and is whole.
  const [, bracketed, plain, digits] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(entry) ?? []
  const name = bracketed ?? plain ?? entry
  const isMeant = addressRule(name) ?? nameRule(name)
  return (host, port) => (digits === undefined || Number(digits) === port) && isMeant(host)
}

/** Undefined for what is no address and no network. */
function addressRule(text: string): ((host: string) => boolean) | undefined {
  const [address = '', prefix] = text.split('/')
  const version = isIP(address)
  if (version === 0) return undefined
  const longest = version === 4 ? 32 : 128
  const bits = prefix === undefined ? longest : Number(prefix)
  if (prefix === '' || !Number.isInteger(bits) || bits > longest) return () => false
  const network = new BlockList()
  network.addSubnet(address, bits, version === 4 ? 'ipv4' : 'ipv6')
  return (host) => isIP(host) !== 0 && network.check(host, isIP(host) === 4 ? 'ipv4' : 'ipv6')
}

function nameRule(text: string): (host: string) => boolean {
  const name = normal(text.replace(/^\*?\.+/, ''))
  return (host) => name !== '' && (host === name || host.endsWith(`.${name}`))
}

/** Without the dot of the root. */
function normal(name: string): string {
  return name.toLowerCase().replace(/\.$/, '')
}
