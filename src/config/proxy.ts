/** The outbound proxy: its URL taken apart. Never repeats the URL, which may hold a password. */
import { Secret } from '../core/secret.ts'
import type { ProxyConfig } from './config.ts'
import type { Loading } from './loading.ts'
import type { Environment } from './yaml-source.ts'

const FORM = 'expected http://host:port, or http://user:password@host:port'
const HTTP_PORT = 80

/** The two settings, as they are written. */
interface ProxySettings {
  readonly proxy: unknown
  readonly file: unknown
}

/** Undefined when there is none, and when it is wrong, which is then reported. */
export async function readProxy(
  { proxy, file }: ProxySettings,
  env: Environment,
  loading: Loading,
): Promise<ProxyConfig | undefined> {
  const path = [file === undefined ? 'proxy' : 'proxy_file']
  if (loading.isReported(path)) return undefined
  const url = typeof file === 'string' ? (await loading.read(loading.resolve(file), path))?.trim() : proxy
  if (typeof url !== 'string') return undefined
  const parsed = parseProxyUrl(url)
  if (typeof parsed !== 'string') return { ...parsed, noProxy: env['no_proxy'] ?? env['NO_PROXY'] }
  loading.report(path, parsed)
  return undefined
}

/** What the URL says, or a sentence about what is wrong with it. */
function parseProxyUrl(text: string): ProxyConfig | string {
  if (/^https:/i.test(text))
    return `TLS to the proxy is not supported; ${FORM}. What goes through it is encrypted by itself`
  if (/^socks/i.test(text)) return `SOCKS is not supported; ${FORM}`
  const url = URL.parse(text)
  if (url === null || url.protocol !== 'http:' || url.hostname === '')
    return `${FORM}; in user and password, characters such as @ : / # % are written as %40 %3A %2F %23 %25`
  if (!/^\/?$/.test(url.pathname) || url.search !== '' || url.hash !== '')
    return 'after host and port nothing may follow; in user and password, / ? # are written as %2F %3F %23'
  const [user, password] = [decoded(url.username), decoded(url.password)]
  if (user === undefined || password === undefined)
    return 'the user or password has a % that begins no escape; write %25'
  // RFC 7617 §2: neither could be told apart from what is around it.
  if (user.includes(':')) return 'the name of a user cannot have a colon'
  // oxlint-disable-next-line no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(user + password)) return 'the user or password has a control character'
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? HTTP_PORT : Number(url.port),
    credentials: user === '' && password === '' ? undefined : new Secret(`${user}:${password}`),
  }
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}
