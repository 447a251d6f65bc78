/** The page at `/` of the notify port: what this gateway learns, keeps and passes on, for the people whose notifications it handles. */
import { FIELDS, type Disclosure, type Field } from '../core/disclosure.ts'
import { keptWith } from './retention.ts'
import { statedApp, type StatedApp, type StatedRoute, type StatementInput } from './statement.ts'

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
h1 { font-size: 1.4rem; line-height: 1.25 } h2 { font-size: 1.15rem; margin-top: 2rem } h3 { font-size: 1.05rem; margin-bottom: 0 } h4, summary { font-size: 1rem; font-weight: 600; margin-bottom: 0 } summary { cursor: pointer; padding: .5rem 0 }
section { border: 1px solid #8886; border-radius: .5rem; padding: 0 1rem; margin: 1rem 0 }
ul { margin-top: .25rem; padding-left: 1.2rem } dt { font-weight: 600; margin-top: .75rem } dd { margin: 0 } small { opacity: .8 }`

const HOW: Readonly<Partial<Record<Disclosure, string>>> = {
  sum_as_badge: 'only one number, as on the app icon',
  keyed_hash: 'only as a code that means nothing to others',
  category: 'at most whether it is a call, an invitation or something else',
  tick: 'only in steps, as pushes leave together; of a call, exactly',
}

const TOLD: Readonly<Record<StatedApp['privacy'], string>> = {
  minimal: 'is told that something happened, and not what',
  event_id_only: 'is told which message in which room it is about, by their IDs, but not who wrote or what',
  full: 'is told what your homeserver tells: who wrote and in which room, and, unless the room is encrypted, what',
}

export function privacyPage({ routes, maxAgeMs, callMaxAgeMs, areReceiptsKept }: StatementInput): string {
  const kept = keptWith(areReceiptsKept)
  const lifetimeOf = (lifetime: string): string =>
    lifetime
      .replace('queue.max_age', duration(Math.ceil(maxAgeMs / 1000)))
      .replace('queue.call_max_age', duration(Math.ceil(callMaxAgeMs / 1000)))
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>What this push gateway learns about you</title><style>${STYLE}</style></head><body>
<h1>What this push gateway learns about you</h1>
<p>When something happens in one of your chats, your homeserver tells this gateway, and the gateway wakes your phone or browser through the push service of
Apple, Google or your browser's maker. This page is made from how this gateway is set up at this moment; that it is this software which runs here,
you have to take from whoever runs it.</p>
<h2>What it is told</h2>
<p>Everything that your homeserver puts into a notification: your device, the room and the message, by their IDs; and, if your app has not asked for less, who
wrote, names and what was written, which in an encrypted room is unreadable. All that is in the gateway's memory until your homeserver has its answer,
a moment later; what is passed on stays there until it is sent. Where the operator limits how much one homeserver may send, a code that stands for its address
stays there for a minute, too.</p>
<h2>What it passes on</h2>
${routes.map(appSection).join('\n')}
<h2>What it keeps</h2>
<p>Pushes are stored encrypted. Whoever gets at the gateway's database, but not at its key, can read times, numbers, the names of apps, and codes (“keyed hashes”) that
stand for a device or a message and tell nobody without the key for which. Stored is:</p>
<dl>${kept.map(({ what, lifetime }) => `<dt>${text(capital(what))}</dt><dd>Kept ${text(lifetimeOf(lifetime))}.</dd>`).join('\n')}</dl>
<details><summary>What exactly can be read of it without the key</summary>
<ul>${kept.map(({ what, readable }) => `<li>${text(capital(what))}: ${text(readable)}</li>`).join('\n')}</ul></details>
<h2>Logs and statistics</h2>
<p>The log holds at most times, the name of the app, how a push ended, and 8 digits of a code for the device. The statistics are counts for all users of an app
together. Neither holds a name, a message, a room, a Matrix ID or an address of a device or homeserver. There is no access log.</p>
<h2>What no gateway can hide</h2>
<p>Whoever passes on or delivers a push sees when, for which app, and to which device. Who sees that of you and of others for a while can guess who writes to whom.</p>
<p><small>The same for programs: <a href="/_hushgate/privacy">/_hushgate/privacy</a></small></p>
</body></html>
`
}

function appSection(route: StatedRoute): string {
  const app = statedApp(route)
  const { through, who } = route.names
  const [passed, withheld]: [string[], string[]] = [[], []]
  for (const [field, { push_service: learned }] of entries(app.learns)) {
    const how = learned.includes('as_sent') ? undefined : learned.map((each) => HOW[each]).find(Boolean)
    if (learned.length === 0) withheld.push(`<li>${text(FIELDS[field])}</li>`)
    else passed.push(`<li>${text(FIELDS[field])}${how === undefined ? '' : ` – ${how}`}</li>`)
  }
  return `<section><h3>${text(app.app)}</h3>
<p>Through ${text(through)}. ${sentencesOf(app, text(who)).join(' ')}</p>
<h4>${text(who)} learns at most</h4><ul>${passed.join('')}</ul>
<details><summary>${text(who)} does not learn from this gateway (${withheld.length})</summary><ul>${withheld.join('')}</ul></details>
<p><small>Settings: privacy ${app.privacy}, counts ${app.counts}, sealed ${app.sealed}.</small></p></section>`
}

/** What the app's settings mean for a user. */
function sentencesOf(app: StatedApp, who: string): readonly string[] {
  const { coalesce_seconds: coalesce, release_every_seconds: release } = app
  const told = app.sealed === 'required' ? TOLD.minimal : TOLD[app.privacy]
  const isRoomTold = app.learns.room_id.push_service.includes('as_sent')
  const hidden = isRoomTold
    ? `That hides little from ${lower(who)} where a push names its room`
    : 'That makes it harder to see who got a single message; it does not hide with whom somebody writes often'
  const sentences: readonly [boolean, string][] = [
    [app.encrypted_for_device, `Each message is encrypted for your device; ${lower(who)} cannot open it.`],
    [!app.encrypted_for_device, `${who} ${told}.`],
    [
      app.sealed !== 'ignored',
      `If your app has made a key for it, the IDs of the message and the room go along in a sealed block that only your device can open${told === TOLD.minimal ? '' : `, and ${lower(who)} is told no more than that something happened`}.`,
    ],
    [app.placeholder_ids, 'The message and the room that a push names are made up, anew for each push.'],
    [coalesce !== null, `Of the pushes to you within ${duration(coalesce ?? 0)} only the first and the last are sent.`],
    [
      release !== null,
      `Pushes leave together every ${duration(release ?? 0).replace(/^1 /, '')}, in random order. ${hidden}.`,
    ],
    [coalesce !== null || release !== null, 'What your homeserver says is a call leaves at once.'],
  ]
  return sentences.filter(([isTrue]) => isTrue).map(([, sentence]) => sentence)
}

function entries(learns: StatedApp['learns']): [Field, StatedApp['learns'][Field]][] {
  const isField = (name: string): name is Field => Object.hasOwn(learns, name)
  return Object.keys(learns)
    .filter(isField)
    .map((field) => [field, learns[field]])
}

function duration(seconds: number): string {
  const [count, unit] =
    seconds % 3600 === 0
      ? [seconds / 3600, 'hour']
      : seconds % 60 === 0
        ? [seconds / 60, 'minute']
        : [seconds, 'second']
  return `${count} ${unit}${count === 1 ? '' : 's'}`
}

function capital(sentence: string): string {
  return sentence.slice(0, 1).toUpperCase() + sentence.slice(1)
}

function lower(who: string): string {
  return who.replace(/^The /, 'the ')
}

function text(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;')
}
