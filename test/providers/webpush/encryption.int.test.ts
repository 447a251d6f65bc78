/** Our pushes in the hands of another implementation of RFC 8291: Python's http_ece. */
import { execFileSync } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { installPython } from '../../../scripts/install-python.ts'
import type { Sender } from '../../../src/core/provider.ts'
import { Secret } from '../../../src/core/secret.ts'
import { createDial } from '../../../src/network/dial.ts'
import { webpush, type WebPushOptions } from '../../../src/providers/webpush/index.ts'
import { createAuthority } from '../../../src/simulators/certificate.ts'
import { startWebPushSimulator, type WebPushSimulator } from '../../../src/simulators/webpush.ts'

const DECRYPT = `
import base64, json, sys
import http_ece
from cryptography.hazmat.primitives.asymmetric import ec

def decode(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

push = json.load(sys.stdin)
key = ec.derive_private_key(int.from_bytes(decode(push["privateKey"]), "big"), ec.SECP256R1())
body = http_ece.decrypt(decode(push["body"]), private_key=key, auth_secret=decode(push["auth"]), version="aes128gcm")
sys.stdout.buffer.write(body)
`
const INSTALL_MS = 180_000

let python: string
let folder: string
let simulator: WebPushSimulator
let sender: Sender
let options: WebPushOptions

beforeAll(async () => {
  python = installPython()
  folder = await mkdtemp(join(tmpdir(), 'hushgate-webpush-'))
  const authority = createAuthority()
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  await writeFile(join(folder, 'ca.pem'), authority.certificate)
  await writeFile(join(folder, 'vapid.pem'), privateKey.export({ type: 'pkcs8', format: 'pem' }))
  simulator = await startWebPushSimulator({ authority })
  options = {
    vapid_private_key_file: join(folder, 'vapid.pem'),
    vapid_subject: 'mailto:ops@example.org',
    ca_file: join(folder, 'ca.pem'),
    allow_private_endpoints: ['127.0.0.1'],
  }
  sender = await webpush.open(options, {
    app: 'com.example.web',
    nowMs: Date.now,
    dial: createDial(undefined),
    concurrency: 100,
    warn: () => undefined,
  })
}, INSTALL_MS)
afterAll(async () => {
  await sender.close()
  await simulator.close()
  await rm(folder, { recursive: true })
})

describe('an encrypted push', () => {
  it.each([
    ['an event', '$event'],
    ['letters of every kind', '👨‍👩‍👧‍👦 ü \u0000 "\\'],
    ['the largest there is', 'x'.repeat(5000)],
  ])('of %s is read by http_ece as it was rendered', async (_what, roomName) => {
    const { endpoint, p256dh, auth, privateKey } = simulator.subscribe(`phone-${roomName.length}`)
    const push = { detail: 'full', kind: 'event', prio: 'high', defaultPayload: {}, roomName } as const
    const rendered = webpush.renderer(options)(push, {
      id: '-',
      collapseId: 'topic',
      expiresAtMs: 0,
      lifetimeMs: 86_400_000,
    })
    if (rendered.kind !== 'message') throw new Error(rendered.reason)
    const target = new Secret(webpush.targetOf?.(p256dh, { endpoint, auth }) ?? '')
    expect(await sender.send(rendered.message, target, AbortSignal.timeout(10_000))).toEqual({ kind: 'delivered' })
    const body = simulator.received.at(-1)?.body.toString('base64url')
    const read = execFileSync(python, ['-c', DECRYPT], { input: JSON.stringify({ body, privateKey, auth }) })
    expect(read.toString()).toBe(rendered.message.body)
  })
})
