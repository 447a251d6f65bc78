/** A push certificate with its private key, PEM or PKCS#12, checked before it is ever shown to APNs. */
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto'
import { createSecureContext, type SecureContextOptions } from 'node:tls'
import { Secret } from '../../core/secret.ts'

export interface CertificateCredential {
  readonly kind: 'certificate'
  readonly tls: Secret<Pick<SecureContextOptions, 'cert' | 'key' | 'pfx' | 'passphrase'>>
  /** The subject's UID. */
  readonly topic?: string | undefined
  readonly expiresAtMs: number
}

const WRONG_PASSPHRASE = 'its private key cannot be opened: set passphrase or passphrase_file to the right passphrase'
const NOT_MATCHING = 'its certificate and private key do not belong together: export both from the same place'
/** The first byte of DER, thus of every PKCS#12 file. */
const DER_SEQUENCE = 0x30

/** The credential, or a sentence about what is wrong with it. */
export async function readCertificate(
  file: Buffer,
  passphrase: string | undefined,
): Promise<CertificateCredential | string> {
  return file[0] === DER_SEQUENCE ? readPkcs12(file, passphrase) : readPem(file.toString(), passphrase)
}

function readPem(pem: string, passphrase: string | undefined): CertificateCredential | string {
  if (!/-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/.test(pem))
    return 'has no private key; put certificate and key into one PEM file'
  const certificates = (pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []).map(
    toCertificate,
  )
  if (certificates.length === 0) return 'has no certificate; put certificate and key into one PEM file'
  if (certificates.includes(undefined)) return 'has a certificate that cannot be read: export it again'
  let key: KeyObject
  try {
    key = createPrivateKey({ key: pem, passphrase })
  } catch {
    return /ENCRYPTED/.test(pem) ? WRONG_PASSPHRASE : 'has a private key that cannot be read: export it again'
  }
  const certificate = certificates.find((one) => one?.checkPrivateKey(key))
  if (certificate === undefined) return NOT_MATCHING
  const userId: unknown = certificate.toLegacyObject().subject['UID']
  return {
    kind: 'certificate',
    tls: new Secret({ cert: pem, key: key.export({ type: 'pkcs8', format: 'pem' }) }),
    topic: typeof userId === 'string' ? userId : undefined,
    expiresAtMs: certificate.validToDate.getTime(),
  }
}

function toCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem)
  } catch {
    return undefined
  }
}

async function readPkcs12(file: Buffer, passphrase: string | undefined): Promise<CertificateCredential | string> {
  const { parsePkcs12 } = await import('./node-apn.ts')
  const parsed = parsePkcs12(file, passphrase)
  if (parsed === 'wrong passphrase') return WRONG_PASSPHRASE
  if (parsed === 'not PKCS#12') return 'is neither a PEM nor a PKCS#12 file'
  const { certificate } = parsed
  if (certificate === undefined) return NOT_MATCHING
  const tls = { pfx: file, passphrase }
  try {
    createSecureContext(tls)
  } catch {
    // OpenSSL 3 does not know RC2, with which macOS' Keychain still protects what it exports (docs/facts/apns.md#old-certificate-files).
    return 'is protected with a cipher that OpenSSL 3 no longer opens; convert it: openssl pkcs12 -legacy -nodes -in old.p12 -out new.pem'
  }
  return { kind: 'certificate', tls: new Secret(tls), topic: certificate.userId, expiresAtMs: certificate.expiresAtMs }
}
