/** `hushgate render`: what each party would see of one notification, byte for byte, without sending anything. */
import { randomBytes } from 'node:crypto'
import { compileApps } from '../config/app-match.ts'
import type { Config } from '../config/config.ts'
import type { Rendered } from '../core/message.ts'
import { fieldNames, LEARNED, learnedOf, type LedgerPolicy, type Party } from '../core/ledger.ts'
import { parseNotification, type Device, type Notification } from '../core/notification.ts'
import { PlaceholderIds } from '../core/placeholder-ids.ts'
import { applyPrivacy, sealFor } from '../core/privacy.ts'
import type { Timing } from '../core/release.ts'
import type { ProviderKind } from '../core/provider.ts'
import type { Seal } from '../core/sealed.ts'
import { timingFor } from '../http/departure.ts'
import { openSeal } from '../sealing/seal.ts'

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
    `The homeserver sent ${body.byteLength} bytes: all of it is in the gateway's memory until it is answered, then gone.\n`,
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
  const name = compileApps(config.apps.map((app) => app.name))(device.appId)
  const app = config.apps.find((each) => each.name === name)
  const kind = app === undefined ? undefined : kinds[app.kind]
  if (app === undefined || kind === undefined)
    return `  app           not configured: ${config.unknownApp === 'reject' ? 'its pushkey is rejected' : 'dropped and counted'}\n`
  const lines = [
    `  app           ${app.name} (${app.kind}, privacy: ${app.policy.privacy}, counts: ${app.policy.counts})`,
  ]
  const sealing = sealFor(notification, device, app.policy, seal, nowMs)
  if (sealing?.key === 'valid')
    lines.push('  device        event_id, room_id, unread count, priority and time, sealed to its own key')
  if (sealing?.key === 'invalid')
    lines.push('  device        its hushgate_key is none: it is told no more than in minimal mode')
  const push = applyPrivacy(notification, device, app.policy, sealing?.block, () => new PlaceholderIds(randomBytes))
  const identity = {
    id: '00000000-0000-8000-8000-000000000000',
    collapseId: 'derived-by-keyed-hash',
    expiresAtMs: nowMs + config.queue.maxAgeMs,
    lifetimeMs: config.queue.maxAgeMs,
  }
  const rendered: Rendered =
    push === undefined
      ? { kind: 'nothing', reason: 'the notification holds neither an event nor counts' }
      : kind.renderer(app.options)(push, identity)
  if (rendered.kind === 'nothing') return [...lines, `  sent          nothing: ${rendered.reason}`, ''].join('\n')
  const { headers, body } = rendered.message
  const isMinimal = sealing !== undefined
  const policy = { ...app.policy, ...kind.ledger(app.options), ...(isMinimal ? { privacy: 'minimal' as const } : {}) }
  lines.push(
    `  leaves        ${push === undefined ? '' : departureIn(timingFor(push, notification, app.timing))}`,
    `  store         app "${app.name}", priority, times, attempts; the message below and the pushkey, sealed`,
    ...learnedLines(['store'], policy),
    `  log, metrics  app "${app.name}", outcome`,
    ...learnedLines(['log', 'metrics'], policy),
    `  push service  the pushkey (it is its own), and ${Buffer.byteLength(body)} bytes${rendered.truncated ? ', shortened to fit' : ''}:`,
    ...Object.entries(headers).map(([header, value]) => `                ${header}: ${value}`),
    `                ${body}`,
    '',
  )
  return lines.join('\n')
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
