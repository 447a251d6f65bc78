/** Simulated APNs and FCM with an app of each, for tests of the whole gateway. */
import { randomUUID } from 'node:crypto'
import { EventEmitter } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startSimulators } from '../../src/commands/simulators.ts'
import { untilNoneIsLeft } from './received.ts'

/** One push as a simulator received it. */
export interface ReceivedPush {
  readonly service: 'apns' | 'fcm'
  /** The pushkey as the test named it (APNs: the text that the token spells). */
  readonly token: string
  readonly headers: Readonly<Record<string, string>>
  /** APNs: the payload. FCM: the message. */
  readonly body: unknown
  readonly status: number | undefined
  readonly atMs: number
}

export interface PushServices extends AsyncDisposable {
  readonly appsYaml: string
  /** Where the keys and certificates are that it names. */
  readonly folder: string
  readonly received: readonly ReceivedPush[]
  /** All that came for this pushkey so far. */
  of(token: string): ReceivedPush[]
  /** Resolves with what came for this pushkey when there are `count` of them (accepted ones, where `status` says so). */
  waitFor(token: string, count: number, status?: number): Promise<ReceivedPush[]>
}

export async function startPushServices(): Promise<PushServices> {
  const folder = await mkdtemp(join(tmpdir(), 'hushgate-simulators-'))
  const received: ReceivedPush[] = []
  const arrivals = new EventEmitter().setMaxListeners(0)
  const add = (push: Omit<ReceivedPush, 'atMs'>): void => {
    received.push({ ...push, atMs: Date.now() })
    arrivals.emit('push')
  }
  const simulators = await startSimulators({
    folder,
    onApplePush: ({ token, headers, payload, status }) =>
      add({ service: 'apns', token: Buffer.from(token, 'hex').toString(), headers, body: payload, status }),
    onGooglePush: ({ token, message, status }) => add({ service: 'fcm', token, headers: {}, body: message, status }),
  })
  const of = (token: string): ReceivedPush[] => received.filter((push) => push.token === token)
  return {
    appsYaml: simulators.appsYaml,
    folder,
    received,
    of,
    async waitFor(token, count, status) {
      const matching = (): ReceivedPush[] => of(token).filter((push) => status === undefined || push.status === status)
      const sentence = (): string => `${matching().length} of ${count} pushes came for ${token}`
      await untilNoneIsLeft(arrivals, 'push', () => count - matching().length, sentence)
      return matching()
    },
    async [Symbol.asyncDispose]() {
      await simulators[Symbol.asyncDispose]()
      await rm(folder, { recursive: true })
    },
  }
}

/** A pushkey of its own, which a simulator answers as `script` says (src/simulators/script.ts), e.g. `s503.n1`. */
export function newPushkey(script = ''): { readonly token: string; readonly apns: string; readonly fcm: string } {
  const token = `${script === '' ? 'device' : `x${script}`}-${randomUUID()}`
  return { token, apns: Buffer.from(token).toString('base64'), fcm: token }
}
