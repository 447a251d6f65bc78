/** `hushgate render`: what each party would see of one notification, byte for byte, without sending anything. */
import { randomBytes } from 'node:crypto'
import { findApp } from '../core/app-match.ts'
import type { Config } from '../config/config.ts'
import type { PushIdentity } from '../core/message.ts'
import { fieldNames, LEARNED, learnedOf, type LedgerPolicy, type Party } from '../privacy/ledger.ts'
import { parseNotification, type Device, type Notification } from '../core/notification.ts'
import { PlaceholderIds } from '../core/placeholder-ids.ts'
import { applyPrivacy, isCall, sealFor } from '../core/privacy-policy.ts'
import type { Timing } from '../core/timing.ts'
import type { ProviderKind } from '../core/provider.ts'
import type { Push } from '../core/push.ts'
import type { Seal } from '../core/device-key.ts'
import { timingFor } from '../intake/schedule.ts'
import { openSeal } from '../intake/encrypt-for-device.ts'

export interface RenderOptions {
  readonly config: Config
  readonly kinds: Readonly<Record<string, ProviderKind>>
  /** The body of a notify request. */
  readonly body: Uint8Array
  readonly stdout: NodeJS.WritableStream
  readonly nowMs: number
}

/** Resolves with the exit code. */
export async function render({ config, kinds, body, stdout, nowMs }: RenderOptions): Promise<number> {
  const notification = parseNotification(body)
  if ('errcode' in notification) {
    stdout.write(`The gateway would answer 400 ${notification.errcode}: ${notification.error}\n`)
    return 1
  }
  stdout.write(
    `The homeserver sent ${body.byteLength} bytes: all of it is in the gateway's memory until it is answered, then gone. What each party learns is said at most.\n`,
  )
  const seal = await openSeal()
  for (const [index, device] of notification.devices.entries())
    stdout.write(`\nDevice ${index + 1}\n${describeDevice(notification, device, config, kinds, seal, nowMs)}`)
  return 0
}

function describeDevice(
  notification: Notification,
  device: Device,
  config: Config,
  kinds: RenderOptions['kinds'],
  seal: Seal,
  nowMs: number,
): string {
  const app = findApp(config.apps, device.appId)
  const kind = app === undefined ? undefined : kinds[app.kind]
  if (app === undefined || kind === undefined)
    return `  app           not configured: ${config.unknownApp === 'reject' ? 'its pushkey is rejected' : 'dropped and counted'}\n`
  const { policy } = app
  const lines = [
    `  app           ${app.name} (${app.kind}, privacy: ${policy.privacy}, counts: ${policy.counts}, sealed: ${policy.sealed})`,
  ]
  const sealing = sealFor(notification, device, policy, seal, nowMs)
  if (sealing?.key === 'valid')
    lines.push('  device        event_id, room_id, unread count, priority and time, sealed to its own key')
  if (sealing?.key === 'invalid')
    lines.push('  device        its hushgate_key is none: it is told no more than in minimal mode')
  if (sealing?.key === 'missing' && policy.sealed === 'required')
    lines.push('  device        has no hushgate_key, which the app requires: it is told no more than in minimal mode')
  const push = applyPrivacy(notification, device, policy, sealing?.block, () => new PlaceholderIds(randomBytes))
  if (push === undefined) return sentNothing(lines, 'the notification holds neither an event nor counts')
  const rendered = kind.renderer(app.options)(push, identityOf(notification, push, config.queue, nowMs))
  if (rendered.kind === 'nothing') return sentNothing(lines, rendered.reason)
  const { headers, body } = rendered.message
  const cut = rendered.truncated ? ', shortened to fit' : ''
  const timing = timingFor(push, notification, app.timing)
  // What this device gets, not what the app would give to others.
  const learned = { ...policy, ...timing, ...kind.ledger(app.options), privacy: push.detail }
  const headerLines = Object.entries(headers).map(([header, value]) => `                ${header}: ${value}`)
  const shown =
    learned.isEndToEnd === true
      ? [
          "  push service  the device's address, these headers, and a body that it cannot open:",
          ...headerLines,
          ...learnedLines(['push_service'], learned),
          `  device        opens ${Buffer.byteLength(body)} bytes${cut}:`,
        ]
      : [
          `  push service  the pushkey (it is its own), and ${Buffer.byteLength(body)} bytes${cut}, as below`,
          ...learnedLines(['push_service'], learned),
          ...headerLines,
        ]
  return [
    ...lines,
    `  leaves        ${departureIn(timing)}`,
    `  store         app "${app.name}", priority, times, attempts; the message below and the pushkey, sealed`,
    ...learnedLines(['store'], learned),
    `  log, metrics  app "${app.name}", outcome`,
    ...learnedLines(['log', 'metrics'], learned),
    ...shown,
    `                ${body}`,
    '',
  ].join('\n')
}

function sentNothing(lines: readonly string[], reason: string): string {
  return [...lines, `  sent          nothing: ${reason}`, ''].join('\n')
}

/** As on the way in, but that hashes need the key file, and that nothing waits for a tick. */
function identityOf(notification: Notification, push: Push, queue: Config['queue'], nowMs: number): PushIdentity {
  const lifetimeMs = push.detail === 'full' && isCall(notification) ? queue.callMaxAgeMs : queue.maxAgeMs
  const isPerRoom = push.detail !== 'minimal' && push.pusher?.onlyLastPerRoom === true
  return {
    id: '00000000-0000-8000-8000-000000000000',
    collapseId: 'derived-by-keyed-hash',
    roomCollapseId: isPerRoom ? 'derived-by-keyed-hash-of-room' : undefined,
    expiresAtMs: nowMs + lifetimeMs,
    lifetimeMs,
  }
}

function departureIn({ coalesceMs, releaseEveryMs }: Timing): string {
  const ready =
    coalesceMs === undefined
      ? ''
      : `, unless one for this device did in the last ${coalesceMs / 1000} s: then at their end`
  if (releaseEveryMs === undefined) return `at once${ready}`
  return `on the next tick, every ${releaseEveryMs / 1000} s, together with others${ready}`
}

/** What the ledger says of these parties: which fields they learn, and how much of them. */
function learnedLines(parties: readonly Party[], policy: LedgerPolicy): readonly string[] {
  const found = fieldNames().flatMap((field) =>
    [...new Set(parties.flatMap((party) => learnedOf(field, party, policy)))].map((learned) => ({ field, learned })),
  )
  return [...Map.groupBy(found, ({ learned }) => learned)].map(
    ([learned, fields]) => `                of ${fields.map(({ field }) => field).join(', ')}: ${LEARNED[learned]}`,
  )
}
