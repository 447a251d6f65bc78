/** Attestations as GitHub signs them for a workflow, by an authority of the test's own: certificates with the words of Fulcio, an envelope (DSSE), and the stamp of a clock (RFC 3161). */
import { execFileSync } from 'node:child_process'
import { createPrivateKey, sign, X509Certificate } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** What the certificate says of who signed. */
export interface Signer {
  /** `OWNER/NAME`. */
  readonly repository: string
  /** Its path in there. */
  readonly workflow: string
  readonly ref: string
}

export interface AttestationAuthority {
  /** Whom to trust, as `gh attestation verify --custom-trusted-root` reads it. */
  readonly trustedRootFile: string
  /** As GitHub's API lists it. `digest`: `sha256:…` */
  attest(digest: string, signer: Signer): object
}

const GITHUB = 'https://github.com'
/** By this name gh knows that no public log has the signature, as of a private repository. */
const ORGANIZATION = 'GitHub, Inc.'
const PAYLOAD_TYPE = 'application/vnd.in-toto+json'
const EXTENSIONS = `
[authority]
basicConstraints = critical,CA:true
keyUsage = critical,keyCertSign
[clock]
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[stamp]
serial = serial
default_policy = 1.2.3.4
digests = sha256
signer_digest = sha256
ess_cert_id_alg = sha256
`

export function createAttestationAuthority(folder: string): AttestationAuthority {
  const openssl = (...args: readonly string[]): Buffer =>
    execFileSync('openssl', args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  const write = (name: string, content: string | Buffer): void => writeFileSync(join(folder, name), content)
  const read = (name: string): Buffer => readFileSync(join(folder, name))
  /** `NAME.key` and `NAME.pem`. */
  const certify = (name: string, signedBy: readonly string[], extensions = name): void => {
    openssl(...`ecparam -name prime256v1 -genkey -noout -out ${name}.key`.split(' '))
    openssl('req', '-new', '-key', `${name}.key`, '-subj', `/O=${ORGANIZATION}/CN=${name}`, '-out', 'request')
    const by = ['-extfile', 'extensions', '-extensions', extensions, '-days', '1']
    openssl('x509', '-req', '-in', 'request', ...signedBy, ...by, '-out', `${name}.pem`)
  }
  const SIGNED = ['-CA', 'authority.pem', '-CAkey', 'authority.key']
  const base64 = (name: string): string => new X509Certificate(read(`${name}.pem`)).raw.toString('base64')

  write('extensions', EXTENSIONS)
  certify('authority', ['-signkey', 'authority.key'])
  certify('clock', SIGNED)
  const part = (certificates: readonly string[]): object => ({
    subject: { organization: ORGANIZATION, commonName: 'authority' },
    uri: 'https://authority.test',
    certChain: { certificates: certificates.map((rawBytes) => ({ rawBytes })) },
    validFor: { start: '2020-01-01T00:00:00Z' },
  })
  const trustedRoot = {
    mediaType: 'application/vnd.dev.sigstore.trustedroot+json;version=0.1',
    certificateAuthorities: [part([base64('authority')])],
    timestampAuthorities: [part([base64('clock'), base64('authority')])],
  }
  write('trusted-root.jsonl', `${JSON.stringify(trustedRoot)}\n`)

  return {
    trustedRootFile: join(folder, 'trusted-root.jsonl'),
    attest(digest, signer) {
      write('extensions', `${EXTENSIONS}${extensionsOf(signer)}`)
      certify('signer', SIGNED)
      const payload = Buffer.from(JSON.stringify(statementOf(digest)))
      const enveloped = `DSSEv1 ${PAYLOAD_TYPE.length} ${PAYLOAD_TYPE} ${payload.length} ${payload.toString()}`
      const signature = sign('sha256', Buffer.from(enveloped), createPrivateKey(read('signer.key')))
      write('signature', signature)
      openssl(...'ts -query -data signature -sha256 -cert -out query'.split(' '))
      const clock = '-config extensions -section stamp -signer clock.pem -inkey clock.key'
      openssl(...`ts -reply -queryfile query ${clock} -out stamp`.split(' '))
      return {
        initiator: 'user',
        bundle: {
          mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
          verificationMaterial: {
            certificate: { rawBytes: base64('signer') },
            timestampVerificationData: { rfc3161Timestamps: [{ signedTimestamp: read('stamp').toString('base64') }] },
          },
          dsseEnvelope: {
            payload: payload.toString('base64'),
            payloadType: PAYLOAD_TYPE,
            signatures: [{ sig: signature.toString('base64') }],
          },
        },
      }
    },
  }
}

/** As Fulcio numbers its words (github.com/sigstore/fulcio, “OID information”). */
function extensionsOf({ repository, workflow, ref }: Signer): string {
  const [owner = ''] = repository.split('/')
  const url = `${GITHUB}/${repository}/${workflow}@${ref}`
  const words = {
    8: 'https://token.actions.githubusercontent.com',
    9: url,
    12: `${GITHUB}/${repository}`,
    14: ref,
    16: `${GITHUB}/${owner}`,
    18: url,
  }
  const lines = Object.entries(words).map(([number, word]) => `1.3.6.1.4.1.57264.1.${number} = ASN1:UTF8String:${word}`)
  return [
    '[signer]',
    'keyUsage = critical,digitalSignature',
    'extendedKeyUsage = codeSigning',
    `subjectAltName = critical,URI:${url}`,
    ...lines,
  ].join('\n')
}

/** As actions/attest makes it of a digest alone; what built it is not read. */
function statementOf(digest: string): object {
  const [algorithm = '', hex] = digest.split(':')
  return {
    _type: 'https://in-toto.io/Statement/v1',
    subject: [{ name: 'made up', digest: { [algorithm]: hex } }],
    predicateType: 'https://slsa.dev/provenance/v1',
    predicate: {},
  }
}
