/** `hushgate keygen`: new keys, on standard output and nowhere else. */
import { generateKeyPairSync } from 'node:crypto'
import { createToken } from '../config/keys.ts'
import { createEncryptionLine, createKeyFile } from '../core/keyring.ts'

export interface KeygenOptions {
  /** `store`: a whole key file. `encryption`: a line for it, to rotate. `token`: for the admin port. `vapid`: the private key of a Web Push app. */
  readonly what: string
  readonly stdout: NodeJS.WritableStream
  readonly stderr: NodeJS.WritableStream
}

const MAKERS: ReadonlyMap<string, () => string> = new Map([
  ['store', createKeyFile],
  ['encryption', () => `${createEncryptionLine()}\n`],
  ['token', () => `${createToken()}\n`],
  ['vapid', createVapidKey],
])

/** The exit code, as from every command. */
export function keygen({ what, stdout, stderr }: KeygenOptions): number {
  const make = MAKERS.get(what)
  if (make === undefined) {
    stderr.write(`keygen makes one of ${[...MAKERS.keys()].join(', ')}, not ${JSON.stringify(what)}\n`)
    return 1
  }
  stdout.write(make())
  return 0
}

/** As PEM; the gateway tells the public half at /_hushgate/vapid/ and the app ID. */
export function createVapidKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}
