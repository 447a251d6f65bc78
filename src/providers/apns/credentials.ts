/** What an app proves itself with to APNs, a signing key or a certificate, read from its files. */
import { createPrivateKey } from 'node:crypto'
import { Secret } from '../../core/secret.ts'
import { readOptionFile, type Report } from '../shared/inspect.ts'
import { readCertificate, type CertificateCredential } from './certificate.ts'
import type { ApnsOptions } from './options.ts'

export interface KeyCredential {
  readonly kind: 'key'
  /** PEM. */
  readonly key: Secret
  readonly keyId: string
  readonly teamId: string
}

export type Credential = KeyCredential | CertificateCredential

type ReportOption = Report<keyof ApnsOptions>

export async function readCredential(options: ApnsOptions, report: ReportOption): Promise<Credential | undefined> {
  const { key_file: keyFile, cert_file: certificateFile } = options
  if (keyFile !== undefined && certificateFile !== undefined) {
    report('cert_file', 'key_file is given too: keep one of the two')
    return undefined
  }
  if (keyFile !== undefined) return readKey(options, keyFile, report)
  if (certificateFile !== undefined) return readCertificateFile(options, certificateFile, report)
  report('key_file', 'is missing: name the .p8 key from developer.apple.com, or a certificate with cert_file')
  return undefined
}

async function readKey(
  options: ApnsOptions,
  keyFile: string,
  report: ReportOption,
): Promise<KeyCredential | undefined> {
  const { key_id: keyId, team_id: teamId, topic } = options
  if (keyId === undefined) report('key_id', 'is missing: the ten characters after AuthKey_ in the name of the .p8 file')
  if (teamId === undefined) report('team_id', 'is missing: it is at developer.apple.com, Membership details')
  if (topic === undefined) report('topic', "is missing: the app's bundle ID")
  const file = await readOptionFile(keyFile, 'key_file', report)
  if (file === undefined) return undefined
  const key = file.toString()
  const curve = curveOf(key)
  if (curve === undefined) report('key_file', 'is not a private key; it must be the .p8 file as Apple gave it')
  else if (curve !== 'prime256v1') report('key_file', 'is not a key for APNs: Apple signs with EC P-256 (ES256)')
  else if (keyId !== undefined && teamId !== undefined) return { kind: 'key', key: new Secret(key), keyId, teamId }
  return undefined
}

/** Undefined when it is no private key; another word than a curve's for other kinds of key. */
function curveOf(pem: string): string | undefined {
  try {
    const key = createPrivateKey(pem)
    return key.asymmetricKeyDetails?.namedCurve ?? 'none'
  } catch {
    return undefined
  }
}

async function readCertificateFile(
  options: ApnsOptions,
  certificateFile: string,
  report: ReportOption,
): Promise<CertificateCredential | undefined> {
  const { passphrase, passphrase_file: passphraseFile } = options
  if (passphrase !== undefined && passphraseFile !== undefined)
    report('passphrase_file', 'passphrase is given too: keep one of the two')
  const fromFile =
    passphraseFile === undefined ? undefined : await readOptionFile(passphraseFile, 'passphrase_file', report)
  const file = await readOptionFile(certificateFile, 'cert_file', report)
  if (file === undefined || (passphraseFile !== undefined && fromFile === undefined)) return undefined
  const credential = await readCertificate(file, fromFile?.toString().replace(/\r?\n$/, '') ?? passphrase)
  if (typeof credential === 'string') {
    report('cert_file', credential)
    return undefined
  }
  if (options.topic === undefined && credential.topic === undefined)
    report('topic', "is missing: the certificate's subject has no UID that would name it")
  return credential
}
