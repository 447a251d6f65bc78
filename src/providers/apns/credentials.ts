/** What an app proves itself with to APNs, a signing key or a certificate, read from its files; and every mistake in them. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { OptionMistake } from '../../core/provider.ts'
import { Secret } from '../../core/secret.ts'
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

/** Called for each mistake; what it is about is then left out. */
export type Report = (option: keyof ApnsOptions, message: string) => void

/** Apple, "Sending notification requests to APNs", apns-topic; all of them: docs/facts/apns.md#topics. */
const TOPIC_SUFFIXES: Readonly<Record<string, string>> = {
  voip: '.voip',
  complication: '.complication',
  fileprovider: '.pushkit.fileprovider',
  location: '.location-query',
  liveactivity: '.push-type.liveactivity',
  pushtotalk: '.voip-ptt',
  widgets: '.push-type.widgets',
  controls: '.push-type.controls',
}

export async function inspect(options: ApnsOptions): Promise<readonly OptionMistake[]> {
  const mistakes: OptionMistake[] = []
  const report: Report = (option, message) => mistakes.push({ option, message })
  await readCredential(options, report)
  await readAuthorities(options, report)
  const suffix = TOPIC_SUFFIXES[options.push_type ?? '']
  if (options.topic !== undefined && suffix !== undefined && !options.topic.endsWith(suffix))
    report('topic', `must end in ${suffix} for push_type: ${options.push_type}`)
  return mistakes
}

export async function readCredential(options: ApnsOptions, report: Report): Promise<Credential | undefined> {
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

/** PEM of the authorities to trust instead of the public ones. */
export async function readAuthorities(options: ApnsOptions, report: Report): Promise<string | undefined> {
  if (options.ca_file === undefined) return undefined
  const file = await read(options.ca_file, 'ca_file', report)
  if (file === undefined) return undefined
  try {
    void new X509Certificate(file)
    return file.toString()
  } catch {
    report('ca_file', 'holds no certificate; it must be a PEM file')
    return undefined
  }
}

async function readKey(options: ApnsOptions, keyFile: string, report: Report): Promise<KeyCredential | undefined> {
  const { key_id: keyId, team_id: teamId, topic } = options
  if (keyId === undefined) report('key_id', 'is missing: the ten characters after AuthKey_ in the name of the .p8 file')
  if (teamId === undefined) report('team_id', 'is missing: it is at developer.apple.com, Membership details')
  if (topic === undefined) report('topic', "is missing: the app's bundle ID")
  const file = await read(keyFile, 'key_file', report)
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
  report: Report,
): Promise<CertificateCredential | undefined> {
  const { passphrase, passphrase_file: passphraseFile } = options
  if (passphrase !== undefined && passphraseFile !== undefined)
    report('passphrase_file', 'passphrase is given too: keep one of the two')
  const fromFile = passphraseFile === undefined ? undefined : await read(passphraseFile, 'passphrase_file', report)
  const file = await read(certificateFile, 'cert_file', report)
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

async function read(path: string, option: keyof ApnsOptions, report: Report): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    report(option, `${path} cannot be read (${code})`)
    return undefined
  }
}
