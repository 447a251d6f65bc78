/** A simulated APNs and senders for it: real TLS, real HTTP/2, on loopback. */
import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Value } from 'typebox/value'
import type { Message } from '../../../src/core/message.ts'
import type { Sender } from '../../../src/core/provider.ts'
import { Secret } from '../../../src/core/secret.ts'
import { createDial } from '../../../src/network/dial.ts'
import type { Limits } from '../../../src/providers/apns/environment.ts'
import { apnsOptions, type ApnsOptions } from '../../../src/providers/apns/options.ts'
import { openSender } from '../../../src/providers/apns/sender.ts'
import { startApnsSimulator, type ApnsSimulator, type ApnsSimulatorOptions } from '../../../src/simulators/apns.ts'
import { createAuthority } from '../../../src/simulators/certificate.ts'

export const TOPIC = 'com.example.app'
export const authority = createAuthority()

/** Long enough for a machine that is busy with something else; a test that waits for one of them sets its own. */
export const LIMITS: Limits = {
  connectMs: 5000,
  pingEveryMs: 30_000,
  pingMs: 1000,
  answerMs: 10_000,
  waitMs: 20_000,
  attemptMs: 30_000,
  maxConnections: 4,
}

/** Options to set, and with undefined, to leave out. */
export type Changes = { readonly [Name in keyof ApnsOptions]?: ApnsOptions[Name] | undefined }

export function changed(options: ApnsOptions, changes: Changes): ApnsOptions {
  const entries = Object.entries({ ...options, ...changes }).filter(([, value]) => value !== undefined)
  return Value.Parse(apnsOptions, Object.fromEntries(entries))
}

export interface Rig extends AsyncDisposable {
  readonly folder: string
  readonly options: ApnsOptions
  readonly warnings: string[]
  /** Writes a file and returns its path. */
  readonly file: (name: string, content: string | Buffer) => string
  simulate(more?: Partial<ApnsSimulatorOptions>): Promise<ApnsSimulator>
  open(more?: Changes, limits?: Partial<Limits>): Promise<Sender>
  nowMs: () => number
}

/** A new key each time, for provider tokens are shared by key. */
export function createRig(): Rig {
  const folder = mkdtempSync(join(tmpdir(), 'hushgate-apns-'))
  const file = (name: string, content: string | Buffer): string => {
    const path = join(folder, name)
    writeFileSync(path, content)
    return path
  }
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = { keyId: 'KEY1234567', teamId: 'TEAM123456', publicKey, topics: [TOPIC] }
  const options: ApnsOptions = {
    key_file: file('AuthKey.p8', privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()),
    key_id: key.keyId,
    team_id: key.teamId,
    topic: TOPIC,
    ca_file: file('ca.pem', authority.certificate),
  }
  const simulators: ApnsSimulator[] = []
  const senders: Sender[] = []
  const rig: Rig = {
    folder,
    options,
    warnings: [],
    file,
    nowMs: Date.now,
    async simulate(more = {}) {
      const simulator = await startApnsSimulator({ authority, keys: [key], ...more })
      simulators.push(simulator)
      return simulator
    },
    async open(more = {}, limits = {}) {
      const context = {
        app: 'test',
        nowMs: () => rig.nowMs(),
        dial: createDial(undefined),
        concurrency: 100,
        warn: (text: string) => rig.warnings.push(text),
      }
      const endpoint = simulators[0] === undefined ? {} : { endpoint: simulators[0].url }
      const sender = await openSender(changed({ ...options, ...endpoint }, more), context, { ...LIMITS, ...limits })
      senders.push(sender)
      return sender
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(senders.map((sender) => sender.close()))
      await Promise.all(simulators.map((simulator) => simulator.close()))
      rmSync(folder, { recursive: true })
    },
  }
  return rig
}

export const message: Message = {
  headers: {
    'apns-topic': TOPIC,
    'apns-priority': '10',
    'apns-expiration': '0',
    'apns-id': '11111111-2222-4333-8444-555555555555',
    'apns-collapse-id': 'c',
  },
  body: '{"aps":{"badge":1}}',
}

/** A pushkey whose device token reads `text`, which is how the simulator is told its answer. */
export function pushkey(text: string): Secret {
  return new Secret(Buffer.from(text).toString('base64'))
}

export const never = new AbortController().signal

export async function until(condition: () => boolean, withinMs = 20_000): Promise<void> {
  const deadline = Date.now() + withinMs
  while (!condition()) {
    if (Date.now() > deadline) throw new Error('it did not come to pass')
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
