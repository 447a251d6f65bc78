/** What `hushgate render` found, for people. */
import { styleText } from 'node:util'
import type { Config } from '../config/config.ts'
import type { OpenRoute } from '../config/routes.ts'
import { DISCLOSURES, fieldNames, type Field } from '../core/disclosure.ts'
import type { Sealing } from '../core/privacy-policy.ts'
import type { Timing } from '../core/timing.ts'
import { learnedOf, type LedgerPolicy, type Party } from '../privacy/ledger.ts'
import { fieldsSent } from './fields-sent.ts'
import type { RenderedDevice, RenderedNotification, RenderedResult } from './rendered.ts'

const INDENT = ' '.repeat(16)
const MARKS = {
  '-': ['red', 'stays here'],
  '~': ['yellow', 'changed'],
  '+': ['green', 'passed on'],
} as const

/** In colour where `stream` has it (NO_COLOR, FORCE_COLOR). */
export function renderedText(rendered: RenderedNotification, config: Config, stream: NodeJS.WritableStream): string {
  const { body, isExample, devices } = rendered
  const sent = isExample ? `\n${INDENT}${Buffer.from(body).toString()}\n` : ''
  const head = `The homeserver sent ${body.byteLength} bytes. The gateway holds them in memory until it has answered, then they are gone. Below is the most that each party can learn.\n${sent}`
  const blocks = devices.map((device, index) => {
    const lines = deviceLines(device, rendered, config, stream)
    return `\nDevice ${index + 1}\n${lines.join('\n')}\n`
  })
  return head + blocks.join('')
}

function deviceLines(
  { route, sealing, result }: RenderedDevice,
  rendered: RenderedNotification,
  { unknownApp }: Config,
  stream: NodeJS.WritableStream,
): readonly string[] {
  if (route === undefined)
    return [
      `  app           not configured: ${unknownApp === 'reject' ? 'its pushkey is rejected' : 'dropped and counted'}`,
    ]
  const lines = [appLine(route), ...sealingLines(sealing, route)]
  if (typeof result === 'string') return [...lines, `  sent          nothing: ${result}`]
  return [...lines, ...comparedLines(rendered, result, stream), ...partyLines(route, result)]
}

function appLine({ app, provider, policy: { privacy, counts, sealed } }: OpenRoute): string {
  return `  app           ${app} (${provider}, privacy: ${privacy}, counts: ${counts}, sealed: ${sealed})`
}

function sealingLines(sealing: Sealing | undefined, { policy }: OpenRoute): readonly string[] {
  if (sealing?.key === 'valid')
    return ['  device        event_id, room_id, unread count, priority and time, sealed to its own key']
  if (sealing?.key === 'invalid')
    return ['  device        its hushgate_key is not valid: it is told no more than in minimal mode']
  if (sealing?.key === 'missing' && policy.sealed === 'required')
    return ['  device        has no hushgate_key, which the app requires: it is told no more than in minimal mode']
  return []
}

/** As a diff: what was sent, and what of it the push service learns at most. Values that stay here are not repeated. */
function comparedLines(
  { notification }: RenderedNotification,
  { learned }: RenderedResult,
  stream: NodeJS.WritableStream,
): readonly string[] {
  const paint = (mark: keyof typeof MARKS, text: string): string => styleText(MARKS[mark][0], text, { stream })
  const legend = Object.entries(MARKS).map(([mark, [, means]]) => `${mark} ${means}`)
  const lines = [...fieldsSent(notification)].map(([field, value]) => {
    const [mark, how] = fate(field, learned)
    const shown = mark === '+' ? ` ${JSON.stringify(value)}` : ''
    return `${INDENT}${paint(mark, `${mark} ${field}${shown}${how}`)}`
  })
  return [`  compared      ${legend.join(', ')}`, ...lines]
}

function fate(field: Field, learned: LedgerPolicy): readonly [mark: keyof typeof MARKS, how: string] {
  const disclosed = learnedOf(field, 'push_service', learned)
  if (disclosed.includes('as_sent')) return ['+', '']
  if (disclosed.length === 0) return ['-', '']
  // Up to the colon; the whole sentence stands below.
  return ['~', ` – ${disclosed.map((each) => DISCLOSURES[each].replace(/:.*/, '')).join('; ')}`]
}

function partyLines(
  { app }: OpenRoute,
  { prepared, message, isTruncated, learned }: RenderedResult,
): readonly string[] {
  const { headers, body } = message
  const cut = isTruncated ? ', shortened to fit' : ''
  const headerLines = Object.entries(headers).map(([header, value]) => `${INDENT}${header}: ${value}`)
  const shown =
    learned.outside !== undefined
      ? [
          "  push service  the device's address, these headers, and a body that it cannot open:",
          ...headerLines,
          ...learnedLines(['push_service'], learned),
          `  device        opens ${Buffer.byteLength(body)} bytes${cut}:`,
        ]
      : [
          `  push service  the pushkey, which it gave out itself, and ${Buffer.byteLength(body)} bytes${cut}:`,
          ...learnedLines(['push_service'], learned),
          ...headerLines,
        ]
  return [
    `  leaves        ${leavesWhen(prepared.timing)}`,
    `  store         app "${app}", priority, times, attempts; the message below and the pushkey, sealed`,
    ...learnedLines(['store'], learned),
    `  log, metrics  app "${app}", outcome`,
    ...learnedLines(['log', 'metrics'], learned),
    ...(learned.isTraced === true
      ? [`  traces        app "${app}", outcome`, ...learnedLines(['traces'], learned)]
      : []),
    ...shown,
    `${INDENT}${body}`,
  ]
}

function leavesWhen({ coalesceMs, releaseEveryMs }: Timing): string {
  const ready =
    coalesceMs === undefined
      ? ''
      : `; if one for this device left in the last ${coalesceMs / 1000} s, at the end of that time`
  if (releaseEveryMs === undefined) return `at once${ready}`
  return `on the next tick, every ${releaseEveryMs / 1000} s, together with others${ready}`
}

/** What the ledger says of these parties: which fields they learn, and how much of them. */
function learnedLines(parties: readonly Party[], policy: LedgerPolicy): readonly string[] {
  const found = fieldNames().flatMap((field) =>
    [...new Set(parties.flatMap((party) => learnedOf(field, party, policy)))].map((learned) => ({ field, learned })),
  )
  return [...Map.groupBy(found, ({ learned }) => learned)].map(
    ([learned, fields]) => `${INDENT}of ${fields.map(({ field }) => field).join(', ')}: ${DISCLOSURES[learned]}`,
  )
}
