/** Which names of hosts may lead to the outside: a proxy that is asked for another one would lead into the network that it stands in. Pure. */
import { isIP } from 'node:net'

/** RFC 6761, 6762 and 8375, `.internal` as ICANN reserved it in 2024, and what networks use without asking. */
const LOCAL_ENDINGS = [
  'localhost',
  'local',
  'internal',
  'home.arpa',
  'localdomain',
  'lan',
  'home',
  'corp',
  'intranet',
  'private',
]

/** A name of more than one label whose ending is not kept for local networks. What it leads to is for whoever looks it up to see. */
export function isPublicName(host: string): boolean {
  const name = host.toLowerCase().replace(/\.$/, '')
  if (isIP(name.replaceAll(/[[\]]/g, '')) !== 0 || !name.includes('.')) return false
  return !LOCAL_ENDINGS.some((ending) => name.endsWith(`.${ending}`))
}
