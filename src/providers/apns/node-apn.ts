/** What @parse/node-apn does for us: it signs provider tokens and reads PKCS#12 files. The only import of it. */
import credentials from '@parse/node-apn/lib/credentials/index.js'
import readPkcs12 from '@parse/node-apn/lib/credentials/certificate/parsePkcs12.js'

/** Where Apple writes the topic into a certificate's subject: userId, as in RFC 4519. */
const USER_ID = '0.9.2342.19200300.100.1.1'

export interface Signature {
  /** The JWT of now. */
  current(): string
  sign(): void
}

export function createSignature(key: string, keyId: string, teamId: string): Signature {
  const token = credentials({ logger() {} }).token({ key, keyId, teamId })
  return { current: () => token.current, sign: () => token.regenerate(token.generation) }
}

export interface Pkcs12 {
  /** Of the certificate that belongs to the private key; undefined when none does. */
  readonly certificate?: { readonly expiresAtMs: number; readonly userId?: string | undefined } | undefined
}

/** What is in the file, or why it cannot be read. */
export function parsePkcs12(file: Buffer, passphrase: string | undefined): Pkcs12 | 'wrong passphrase' | 'not PKCS#12' {
  let parsed: ReturnType<typeof readPkcs12>
  try {
    parsed = readPkcs12(file, passphrase)
  } catch (error) {
    return error instanceof Error && error.message.includes('passphrase') ? 'wrong passphrase' : 'not PKCS#12'
  }
  const fingerprint = parsed.key?.fingerprint()
  const certificate = parsed.certificates.find((one) => one.key().fingerprint() === fingerprint)
  if (certificate === undefined) return {}
  const userId = certificate._cert.subject.attributes.find(({ type }) => type === USER_ID)?.value
  return {
    certificate: {
      expiresAtMs: certificate.validity().notAfter.getTime(),
      userId: typeof userId === 'string' ? userId : undefined,
    },
  }
}
