/** The page at `/` of the notify port: what this gateway learns, keeps and passes on, for the people whose notifications it handles. */
import type { Field, Learned } from '../core/ledger.ts'
import type { PrivacyStatement, StatedApp } from '../core/privacy-statement.ts'

/** No script, no image, no request at all; one style, in the page itself. */
export const PAGE_HEADERS = {
  'content-security-policy':
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
} as const

const STYLE = `
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 42rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere }
h1 { font-size: 1.4rem; line-height: 1.25 } h2 { font-size: 1.15rem; margin-top: 2rem } h3 { font-size: 1rem; margin-bottom: 0 }
section { border: 1px solid #8886; border-radius: .5rem; padding: 0 1rem; margin: 1rem 0 }
ul { margin-top: .25rem; padding-left: 1.2rem } dt { font-weight: 600; margin-top: .75rem } dd { margin: 0 } small { opacity: .8 }`

const SERVICES: Readonly<Record<string, string>> = {
  apns: 'Apple (APNs)',
  fcm: 'Google (FCM)',
  webpush: "your browser's push service (Web Push)",
}

const PASSED: Readonly<Partial<Record<Learned, string>>> = {
  sum_as_badge: 'only one number, as on the app icon',
  keyed_hash: 'only as a code that means nothing to them',
}

export function privacyPage(statement: PrivacyStatement): string {
  const { apps, kept, kept_at_most_seconds: longest } = statement
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>What this push gateway learns about you</title><style>${STYLE}</style></head><body>
<h1>What this push gateway learns about you</h1>
<p>When something happens in one of your chats, your homeserver tells this gateway, and the gateway wakes your phone or browser through the push service of
Apple, Google or your browser's maker. This page is made from how this gateway is configured at this moment.</p>
<h2>What it passes on</h2>
${apps.map((app) => appSection(app, statement)).join('\n')}
<h2>What it keeps</h2>
<p>A notification is in the gateway's memory until your homeserver has its answer. On disk there is only this:</p>
<dl>${kept.map(({ what, readable, lifetime }) => `<dt>${text(what)}</dt><dd>Kept ${text(lifetime)}.<br><small>Readable without the key: ${text(readable)}.</small></dd>`).join('\n')}</dl>
<p>Here, queue.max_age is ${duration(longest.push)}, and queue.call_max_age is ${duration(longest.call)}.</p>
<h2>Logs and statistics</h2>
<p>The log holds times, the name of the app, how a push ended, and 8 digits of a code for the device. The statistics are counts for all users of an app
together. Neither holds a name, a message, a room, a Matrix ID or an address of a device or homeserver. There is no access log.</p>
<h2>What no gateway can hide</h2>
<p>Your homeserver tells the gateway more than the gateway passes on. And whoever passes on or delivers a push sees when, and to which device.</p>
<p><small>The same for programs: <a href="/_hushgate/privacy">/_hushgate/privacy</a></small></p>
</body></html>
`
}

function appSection(app: StatedApp, { fields }: PrivacyStatement): string {
  const service = text(SERVICES[app.push_service] ?? app.push_service)
  const passed: string[] = []
  const withheld: string[] = []
  for (const [field, { push_service: learned }] of entries(app.learns)) {
    if (learned.length === 0) withheld.push(`<li>${text(fields[field])}</li>`)
    else {
      const how = learned.includes('as_sent') ? undefined : learned.map((each) => PASSED[each]).find(Boolean)
      passed.push(`<li>${text(fields[field])}${how === undefined ? '' : ` – ${how}`}</li>`)
    }
  }
  const encrypted = app.encrypted_for_device
    ? '<p>What the message holds is encrypted for your device; the push service cannot open it.</p>'
    : ''
  return `<section><h3>${text(app.app)}</h3>
<p>Through ${service}. Mode: <b>${app.privacy}</b>; counts: ${app.counts}.</p>
${encrypted}<h3>The push service learns at most</h3><ul>${passed.join('')}</ul>
<h3>It does not learn from this gateway</h3><ul>${withheld.join('')}</ul></section>`
}

function entries(learns: StatedApp['learns']): [Field, StatedApp['learns'][Field]][] {
  const isField = (name: string): name is Field => Object.hasOwn(learns, name)
  return Object.keys(learns)
    .filter(isField)
    .map((field) => [field, learns[field]])
}

function duration(seconds: number): string {
  if (seconds % 3600 === 0) return `${seconds / 3600} hours`
  return seconds % 60 === 0 ? `${seconds / 60} minutes` : `${seconds} seconds`
}

function text(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
