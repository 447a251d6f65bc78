/** What an operator can do about why a push service did not accept our credential. Pure. */

/** By a part of the reason, the first that fits. */
const ADVICE: readonly (readonly [RegExp, string])[] = [
  [/proxy refused: (?:401|407)/, 'the proxy asks for a user and password: see proxy, or proxy_file'],
  [/proxy refused/, 'the proxy does not let us through to this push service: allow CONNECT to its host and port'],
  [
    /proxy (?:ENOTFOUND|EAI_AGAIN)/,
    'the name of the proxy cannot be resolved: is proxy right, and does DNS work on this machine?',
  ],
  [/proxy/, 'the proxy does not answer: is it running, and is proxy right?'],
  [
    /InvalidProviderToken/,
    'Apple does not know this key: do key_id and team_id belong to key_file (developer.apple.com, Keys), was the key revoked, and is the clock of this machine right?',
  ],
  [/ExpiredProviderToken/, 'Apple finds our token too old: the clock of this machine is wrong; set up a time server'],
  [
    /TopicDisallowed|BadTopic|MissingTopic/,
    'is topic the bundle ID of the app, and does the key or certificate cover it?',
  ],
  [
    /BadEnvironmentKeyInToken|BadCertificateEnvironment/,
    'the key or certificate is for the other environment: see platform',
  ],
  [
    /certificate expired|BadCertificate|CERTIFICATE_(?:EXPIRED|REVOKED|UNKNOWN)/i,
    'Apple refuses the certificate: has it expired, or was it revoked? Renew it at developer.apple.com',
  ],
  [
    /^oauth .*invalid_grant/,
    'Google refuses the service account: was it, or its key, deleted or disabled (Google Cloud, IAM, Service accounts), or is the clock of this machine wrong?',
  ],
  [/^oauth 4\d\d/, 'Google does not give this service account a token: make a new key for it in the Firebase console'],
  [/^404/, 'there is no such Firebase project for FCM: is project_id right, and is the FCM API switched on in it?'],
  [
    /^403/,
    'the service account may not send for this project: is it of this project, with the role Firebase Cloud Messaging API Admin?',
  ],
  [/^401/, 'the push service refuses our access token: is the clock of this machine right?'],
  [
    /ENOTFOUND|EAI_AGAIN/,
    'the name of the push service cannot be resolved: does DNS work on this machine (or does everything have to go through a proxy)?',
  ],
  [
    /ECONNREFUSED/,
    'nothing listens there: does a firewall refuse it, or is endpoint that of a simulator that does not run?',
  ],
  [
    /ECONNRESET|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|timed out|deadline|no answer/,
    'the push service cannot be reached from this machine: does a firewall drop it, or is a proxy needed?',
  ],
  [
    /CERT|SIGNED|ALTNAME|ISSUER/,
    'its certificate is not trusted here: does something on the way look into TLS? Name its authority in ca_file if it is meant to',
  ],
]

/** Undefined where there is nothing to add to the reason. */
export function adviceOn(reason: string): string | undefined {
  return ADVICE.find(([pattern]) => pattern.test(reason))?.[1]
}
