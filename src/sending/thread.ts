/** The thread that sends: TLS, HTTP/2 and encryption for all push services, beside the main thread and not in it. */
import { parentPort } from 'node:worker_threads'
import type { Sender } from '../core/provider.ts'
import { Secret } from '../core/secret.ts'
import type { Proxy } from '../network/dial.ts'
import { providers } from '../providers/index.ts'
import { LocalSenders } from './local-senders.ts'
import { Turn, type FromThread, type PlainProxy, type SendAnswer, type SendRequest, type ToThread } from './messages.ts'

interface Held {
  readonly controller: AbortController
  sends: number
}

interface Opened {
  readonly sender: Sender
  /** By their numbers, for as long as something is under way that ends with them. */
  readonly signals: Map<number, Held>
}

const senders = new LocalSenders({
  kinds: providers,
  nowMs: Date.now,
  warn: (app, message) => post({ kind: 'warning', app, message }),
})
const opened = new Map<number, Opened>()
const answers = new Turn<SendAnswer>((items) => post({ kind: 'outcomes', answers: items }))

function onMessage(message: ToThread): void {
  switch (message.kind) {
    case 'open':
      return void open(message)
    case 'send':
      for (const request of message.requests) void send(request)
      return
    case 'abort':
      return opened.get(message.sender)?.signals.get(message.signal)?.controller.abort()
    case 'close':
      return void close(message.sender)
    case 'wire':
      return void senders.wire().then((counts) => post({ kind: 'wire', counts }))
  }
}

async function open({ sender: number, route, proxy }: Extract<ToThread, { kind: 'open' }>): Promise<void> {
  try {
    const sender = await senders.open(route, proxyOf(proxy))
    opened.set(number, { sender, signals: new Map() })
    post({ kind: 'opened', sender: number, credentialExpiresAtMs: sender.credentialExpiresAtMs })
  } catch (error) {
    post({ kind: 'refused', sender: number, reason: error instanceof Error ? error.message : 'unknown' })
  }
}

async function send({ id, sender, signal, message, target, isStatusWanted }: SendRequest): Promise<void> {
  const to = opened.get(sender)
  if (to === undefined) return answers.add({ id, failure: 'the sender is closed' })
  const held = to.signals.get(signal) ?? { controller: new AbortController(), sends: 0 }
  to.signals.set(signal, held)
  held.sends += 1
  try {
    let status: number | undefined
    const answered = isStatusWanted && ((of: number): void => void (status = of))
    const outcome = await to.sender.send(message, new Secret(target), held.controller.signal, answered)
    answers.add(status === undefined ? { id, outcome } : { id, outcome, status })
  } catch (error) {
    answers.add({ id, failure: error instanceof Error ? error.name : 'unknown' })
  }
  held.sends -= 1
  if (held.sends === 0) to.signals.delete(signal)
}

async function close(number: number): Promise<void> {
  await opened.get(number)?.sender.close()
  opened.delete(number)
  answers.end()
  post({ kind: 'closed', sender: number })
}

function proxyOf(proxy: PlainProxy | undefined): Proxy | undefined {
  if (proxy?.credentials === undefined) return proxy && { ...proxy, credentials: undefined }
  return { ...proxy, credentials: new Secret(proxy.credentials) }
}

function post(message: FromThread): void {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort?.postMessage(message)
}

parentPort?.on('message', onMessage)
