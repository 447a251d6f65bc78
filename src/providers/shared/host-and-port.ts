/** Whom to connect to for an https address, without the brackets that an IPv6 address has in a URL. */
export function hostAndPort({ hostname, port }: URL): { readonly host: string; readonly port: number } {
  return { host: hostname.replaceAll(/[[\]]/g, ''), port: port === '' ? 443 : Number(port) }
}
