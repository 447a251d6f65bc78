/** `hushgate render`: what each party would see of one notification, byte for byte, without sending anything. */
import { randomBytes } from 'node:crypto'
import { DISCLOSURES, fieldNames } from '../core/disclosure.ts'
import type { Message } from '../core/message.ts'
import { parseNotification, type Device, type Notification } from '../core/notification.ts'
import type { Sealing } from '../core/privacy-policy.ts'
import type { Timing } from '../core/timing.ts'
import type { Config } from '../config/config.ts'
import { openRoutes, type Routes, type OpenRoute } from '../config/routes.ts'
import type { ProviderKinds } from '../config/schema.ts'
import { encryptForDevice } from '../intake/encrypt-for-device.ts'
import {
  preparePush,
  renderPush,
  type Circumstances,
  type PreparedPush,
  type PushNames,
} from '../intake/prepare-push.ts'
import { learnedOf, type LedgerPolicy, type Party } from '../privacy/ledger.ts'

export interface RenderOptions {
  readonly config: Config
  readonly kinds: ProviderKinds
  /** The body of a notify request. */
  readonly body: Uint8Array
  readonly stdout: NodeJS.WritableStream
  readonly nowMs: number
}

/** Resolves with the exit code. */
export async function render({ config, kinds, body, stdout, nowMs }: RenderOptions): Promise<number> {
  const notification = parseNotification(body)
  if ('errcode' in notification) {
    stdout.write(
      `The gateway would answer ${notification.errcode === 'M_TOO_LARGE' ? 413 : 400} ${notification.errcode}: ${notification.error}\n`,
    )
    return 1
  }
  stdout.write(
    `The homeserver sent ${body.byteLength} bytes: all of it is in the gateway's memory until it is answered, then gone. What each party learns is said at most.\n`,
  )
  const { maxAgeMs, callMaxAgeMs } = config.queue
  const circumstances = { nowMs, maxAgeMs, callMaxAgeMs, encryptForDevice, randomBytes }
  const routes = await openRoutes(config.routes, kinds)
  for (const [index, device] of notification.devices.entries())
    stdout.write(`\nDevice ${index + 1}\n${describeDevice(notification, device, routes, config, circumstances)}`)
  return 0
}

function describeDevice(
  notification: Notification,
  device: Device,
  routes: Routes,
  { unknownApp }: Config,
  circumstances: Circumstances,
): string {
  const route = routes.routeFor(device.appId)
  if (route === undefined)
    return `  app           not configured: ${unknownApp === 'reject' ? 'its pushkey is rejected' : 'dropped and counted'}\n`
  const prepared = preparePush(notification, device, route, circumstances)
  const lines = [appLine(route), ...sealingLines(prepared?.sealing, route)]
  if (prepared === undefined) return sentNothing(lines, 'the notification holds neither an event nor counts')
  // As if nothing waited for a tick.
  const rendered = renderPush(prepared, route, namesOf(notification), { shownAtMs: circumstances.nowMs })
  if (rendered.kind === 'nothing') return sentNothing(lines, rendered.reason)
  return [...lines, ...partyLines(prepared, route, rendered.message, rendered.truncated), ''].join('\n')
}

/** As on the way in, but that hashes need the key file. */
function namesOf({ roomId }: Notification): PushNames {
  return {
    id: '00000000-0000-8000-8000-000000000000',
    collapseId: 'derived-by-keyed-hash',
    roomCollapseId: () => (roomId === undefined ? undefined : 'derived-by-keyed-hash-of-room'),
  }
}

function appLine({ app, provider, policy: { privacy, counts, sealed } }: OpenRoute): string {
  return `  app           ${app} (${provider}, privacy: ${privacy}, counts: ${counts}, sealed: ${sealed})`
}

function sealingLines(sealing: Sealing | undefined, { policy }: OpenRoute): readonly string[] {
  if (sealing?.key === 'valid')
    return ['  device        event_id, room_id, unread count, priority and time, sealed to its own key']
  if (sealing?.key === 'invalid')
    return ['  device        its hushgate_key is none: it is told no more than in minimal mode']
  if (sealing?.key === 'missing' && policy.sealed === 'required')
    return ['  device        has no hushgate_key, which the app requires: it is told no more than in minimal mode']
  return []
}

function partyLines(
  { push, timing }: PreparedPush,
  { app, policy, disclosures }: OpenRoute,
  { headers, body }: Message,
  isTruncated: boolean,
): readonly string[] {
  const cut = isTruncated ? ', shortened to fit' : ''
  // A device may get less than the app's mode lets through.
  const learned: LedgerPolicy = { ...policy, ...timing, ...disclosures, privacy: push.detail }
  const headerLines = Object.entries(headers).map(([header, value]) => `                ${header}: ${value}`)
  const shown =
    learned.outside !== undefined
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
    `  leaves        ${leavesWhen(timing)}`,
    `  store         app "${app}", priority, times, attempts; the message below and the pushkey, sealed`,
    ...learnedLines(['store'], learned),
    `  log, metrics  app "${app}", outcome`,
    ...learnedLines(['log', 'metrics'], learned),
    ...shown,
    `                ${body}`,
  ]
}

function sentNothing(lines: readonly string[], reason: string): string {
  return [...lines, `  sent          nothing: ${reason}`, ''].join('\n')
}

function leavesWhen({ coalesceMs, releaseEveryMs }: Timing): string {
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
    ([learned, fields]) => `                of ${fields.map(({ field }) => field).join(', ')}: ${DISCLOSURES[learned]}`,
  )
}
