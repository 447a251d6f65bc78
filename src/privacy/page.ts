/** The page at `/` of the notify port: what this gateway learns, keeps and passes on, for the people whose notifications it handles. */
import { appSections } from './apps.ts'
import { example } from './example.ts'
import { capital, duration, folded, items, listed, lower, text } from './html.ts'
import { picture } from './picture.ts'
import { keptInShort, keptWith, type Kept } from './retention.ts'
import type { StatementInput } from './statement.ts'
import { STYLE } from './style.ts'

/** No script, no image, no request at all; one style, in the page itself. */
export const PAGE_HEADERS = {
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
} as const

export function privacyPage(input: StatementInput): string {
  const { routes, operator } = input
  const services = routes.map(({ names }) => names.who)
  const named = [...new Set(services.map(lower))]
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Who learns what of your notifications</title><style>${STYLE}</style></head><body><main>
<h1>Who learns what of your notifications</h1>
${operatorLines(operator)}
<p>This gateway wakes your device when something happens in your chats:</p>
${picture(services)}
<h2>What ${named.length > 1 ? 'do' : 'does'} ${text(listed(named))} learn?</h2>
<div class="apps">${appSections(routes)}</div>
${keptPart(input)}
${foldedParts(input)}
<p><small>This page is made from the gateway's settings as they are now. It cannot prove that the gateway does what it says: for that you have to trust the operator.
For programs: <a href="/_hushgate/privacy">/_hushgate/privacy</a></small></p>
</main></body></html>
`
}

function operatorLines(operator: StatementInput['operator']): string {
  if (operator === undefined)
    return '<dl><dt>Who runs this?</dt><dd>The operator has not said. Ask where you got your app or account.</dd></dl>'
  const shown = operator.contact.replace(/^mailto:/, '').replace(/\?.*$/, '')
  return `<dl><dt>Who runs this?</dt><dd>${text(operator.name)}</dd>
<dt>Whom do I ask?</dt><dd><a href="${text(operator.contact)}">${text(shown)}</a></dd></dl>`
}

function keptPart(input: StatementInput): string {
  const hasRelay = input.routes.some(({ relay }) => relay !== undefined)
  const rows = keptInShort(hasRelay).map(
    ({ what, lifetime }) => `<dt>${text(capital(what))}</dt><dd>${text(lifetimeOf(lifetime, input))}</dd>`,
  )
  return `<h2>What does the operator keep, and how long?</h2>
<p>What is passed on (see “Learns”), encrypted; the operator could read it.</p>
<dl class="kept">${rows.join('\n')}
<dt>A log of times and codes</dt><dd>ask the operator</dd></dl>`
}

function foldedParts(input: StatementInput): string {
  return [
    folded('What this gateway itself learns', TOLD),
    folded('One message, byte for byte', example(input)),
    folded('All that is kept, in detail', storedList(input)),
    folded('Logs and statistics', input.isTraced === true ? `${LOGS}\n${TRACES}` : LOGS),
    folded('What no gateway can hide', NEVER_HIDDEN),
  ].join('\n')
}

const TOLD = `<p>Everything that your homeserver puts into a notification: your device, the room and the message, by their IDs. If your app has not asked for less, also who
wrote, names, and what was written; in an encrypted room that is unreadable. All this is in the gateway's memory for a moment, until your homeserver has its answer.
What is passed on stays there until it is sent. Where the operator limits how much one homeserver may send, a code that stands for its address
stays there for a minute, too.</p>`

const LOGS = `<p>The log holds at most times, the name of the app, how a push ended, and 8 digits each of a code for the device and for the push. The statistics are counts for all users of an app
together. Neither holds a name, a message, a room, a Matrix ID or an address of a device or homeserver. There is no access log.</p>`

const TRACES = `<p>Of some or all pushes the operator also records when they came, how long they waited, when they were sent, for which app, and how that ended (traces). Who reads that and what a
push service keeps can tell which push is which by the time.</p>`

const NEVER_HIDDEN = `<p>Whoever passes on or delivers a push sees when it comes, for which app, and for which device. Somebody who watches your pushes and those of others for a while can guess who writes to whom.</p>`

function storedList(input: StatementInput): string {
  const entry = ({ what, lifetime, readable }: Kept): string =>
    `<strong>${text(capital(what))}</strong>: kept ${text(lifetimeOf(lifetime, input))}. Without the key can be read: ${text(readable)}.`
  return `<p>Pushes are stored encrypted. Whoever gets at the gateway's database, but not at its key, can read times, numbers, the names of apps, and codes (“keyed hashes”) that
stand for a device or a message. Without the key nobody can tell for which.</p>${items(keptWith(input.areReceiptsKept).map(entry))}`
}

function lifetimeOf(lifetime: string, { maxAgeMs, callMaxAgeMs }: StatementInput): string {
  return lifetime
    .replace('queue.max_age', duration(Math.ceil(maxAgeMs / 1000)))
    .replace('queue.call_max_age', duration(Math.ceil(callMaxAgeMs / 1000)))
}
