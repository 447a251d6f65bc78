/** Certificates for the simulators, made when they start: an authority that an app's `ca_file` can name, and servers that it vouches for. */
import { generateKeyPairSync } from 'node:crypto'
import forge from 'node-forge'

export interface Authority {
  /** PEM, for `ca_file`. */
  readonly certificate: string
  /** A key and certificate (PEM) for these host names and IP addresses, or for a client with these subject attributes. */
  issue(subject: CertificateSubject): { readonly key: string; readonly cert: string }
}

export interface CertificateSubject {
  readonly commonName: string
  /** DNS names and IP addresses. */
  readonly hosts?: readonly string[]
  /** Apple puts the topic into the subject's UID (OID 0.9.2342.19200300.100.1.1). */
  readonly uid?: string
  readonly notAfter?: Date
}

const YEAR_MS = 365 * 24 * 3600_000
const IP_ADDRESS = /^[\d.]+$|:/

export function createAuthority(nowMs = Date.now()): Authority {
  const authorityKeys = rsaKeys()
  const name = [{ name: 'commonName', value: 'Hushgate simulators' }]
  const root = unsigned(authorityKeys.publicKey, name, name, new Date(nowMs - YEAR_MS), new Date(nowMs + 10 * YEAR_MS))
  root.setExtensions([
    { name: 'basicConstraints', cA: true, critical: true },
    { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
  ])
  root.sign(authorityKeys.privateKey, forge.md.sha256.create())

  return {
    certificate: forge.pki.certificateToPem(root),
    issue({ commonName, hosts = [], uid, notAfter = new Date(nowMs + YEAR_MS) }) {
      const keys = rsaKeys()
      const subject = [
        { name: 'commonName', value: commonName },
        ...(uid === undefined ? [] : [{ type: '0.9.2342.19200300.100.1.1', value: uid }]),
      ]
      const certificate = unsigned(keys.publicKey, subject, name, new Date(nowMs - YEAR_MS), notAfter)
      certificate.setExtensions([
        { name: 'basicConstraints', cA: false },
        { name: 'extKeyUsage', serverAuth: true, clientAuth: true },
        ...(hosts.length === 0 ? [] : [{ name: 'subjectAltName', altNames: hosts.map(alternativeName) }]),
      ])
      certificate.sign(authorityKeys.privateKey, forge.md.sha256.create())
      return { key: keys.privatePem, cert: forge.pki.certificateToPem(certificate) }
    },
  }
}

function alternativeName(host: string): object {
  return IP_ADDRESS.test(host) ? { type: 7, ip: host } : { type: 2, value: host }
}

function rsaKeys() {
  // Node makes RSA keys a hundred times faster than forge does.
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const privatePem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const parsed = forge.pki.privateKeyFromPem(privatePem)
  return { privatePem, privateKey: parsed, publicKey: forge.pki.setRsaPublicKey(parsed.n, parsed.e) }
}

function unsigned(
  publicKey: forge.pki.rsa.PublicKey,
  subject: forge.pki.CertificateField[],
  issuer: forge.pki.CertificateField[],
  notBefore: Date,
  notAfter: Date,
): forge.pki.Certificate {
  const certificate = forge.pki.createCertificate()
  certificate.publicKey = publicKey
  certificate.serialNumber = `01${forge.util.bytesToHex(forge.random.getBytesSync(15))}`
  certificate.validity.notBefore = notBefore
  certificate.validity.notAfter = notAfter
  certificate.setSubject(subject)
  certificate.setIssuer(issuer)
  return certificate
}
