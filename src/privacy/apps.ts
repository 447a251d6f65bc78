/** The apps on the page for people: a verdict each, and what is learned and what is not, side by side, once for all of which the same is true. */
import { FIELDS, type Disclosure, type Field } from '../core/disclosure.ts'
import type { PushServiceNames } from '../core/provider.ts'
import { columns, duration, folded, items, listed, lower, text } from './html.ts'
import { inShort, levelOf, verdictOf, type Level } from './in-short.ts'
import { statedApp, type StatedApp, type StatedRoute } from './statement.ts'

const HOW: Readonly<Partial<Record<Disclosure, string>>> = {
  sum_as_badge: 'only one number, as on the app icon',
  keyed_hash: 'only as a code that means nothing to others',
  category: 'at most whether it is a call, an invitation or something else',
  tick: 'only in steps, as pushes leave together; of a call, exactly',
}

/** Beside the colour, so that nobody has to see it. */
const BADGES: Readonly<Record<Level, string>> = {
  least: 'Told little',
  ids: 'Told the IDs',
  all: 'Told everything',
}

interface Told {
  readonly app: StatedApp
  /** What its users call it. */
  readonly name: string
  readonly names: PushServiceNames
}

export function appSections(routes: readonly StatedRoute[]): string {
  const told = routes.map((route) => {
    const app = statedApp(route)
    return { app, name: nameOf(route), names: route.names }
  })
  const alike = Map.groupBy(told, ({ app }) => JSON.stringify([levelOf(app), inShort(app)]))
  return [...alike.values()].map(appSection).join('\n')
}

export function nameOf({ app, displayName }: Pick<StatedRoute, 'app' | 'displayName'>): string {
  return displayName ?? app
}

/** Apps of which the same is true in short. */
function appSection(told: readonly Told[]): string {
  const [first] = told
  if (first === undefined) return ''
  const level = levelOf(first.app)
  const { learns, hidden } = inShort(first.app)
  const exact = Map.groupBy(told, ({ app, names }) =>
    JSON.stringify([names, learnedLists(app), sentencesOf(app, names)]),
  )
  return `<section class="${level}">${told.map((each) => verdict(each, level)).join('')}
${columns(['Learns', items(learns.map(text))], ['Does not learn', items(hidden.map(text))])}
${folded('Field by field', [...exact.values()].map(exactLists).join('\n'))}</section>`
}

function verdict({ name, names: { who } }: Told, level: Level): string {
  return `<h3><span>${text(name)}</span> <span class="badge">${BADGES[level]}</span></h3><p class="verdict">${verdictOf(level, text(who))}</p>`
}

/** Apps of which the same is true in every field. */
function exactLists(told: readonly Told[]): string {
  const [first] = told
  if (first === undefined) return ''
  const { app, names } = first
  const { who } = names
  const [passed, withheld] = learnedLists(app)
  const said = `<p>${text(sentencesOf(app, names).join(' '))}</p>`
  return `<h3>${text(listed(told.map(({ name }) => name)))}</h3>${said}
${columns([`${text(who)} learns at most`, items(passed)], [`${text(who)} does not learn from this gateway`, items(withheld)])}
<p><small>${text(told.map((each) => each.app.app).join(', '))}: privacy ${app.privacy}, counts ${app.counts}, sealed ${app.sealed}.</small></p>`
}

function learnedLists(app: StatedApp): readonly [passed: readonly string[], withheld: readonly string[]] {
  const [passed, withheld]: [string[], string[]] = [[], []]
  for (const [field, { push_service: learned }] of entries(app.learns)) {
    const how = learned.includes('as_sent') ? undefined : learned.map((each) => HOW[each]).find(Boolean)
    if (learned.length === 0) withheld.push(text(FIELDS[field]))
    else passed.push(`${text(FIELDS[field])}${how === undefined ? '' : ` – ${how}`}`)
  }
  return [passed, withheld]
}

/** What the app's settings mean for a user, beside the verdict. */
function sentencesOf(app: StatedApp, { who, through }: PushServiceNames): readonly string[] {
  const { coalesce_seconds: coalesce, release_every_seconds: release } = app
  const isRoomTold = app.learns.room_id.push_service.includes('as_sent')
  const hidden = isRoomTold
    ? `That hides little from ${lower(who)} where a push names its room`
    : 'That makes it harder to see who got a single message; it does not hide with whom somebody writes often'
  const sentences: readonly [boolean, string][] = [
    [true, `Through ${through}.`],
    [app.encrypted_for_device, `Each message is encrypted for your device; ${lower(who)} cannot open it.`],
    [
      app.webpush_relay,
      `A homeserver that sends Web Push itself encrypts each message for your device: it is passed on as it is, and neither this gateway nor ${lower(who)} can open it. ${who} also reads a made-up name by which your app finds the key, and this gateway reads which homeserver sends, and the address that it gives of itself.`,
    ],
    [
      app.sealed !== 'ignored',
      `If your app has made a key for it, the IDs of the message and the room go along in a sealed block that only your device can open${levelOf(app) === 'least' ? '' : `, and ${lower(who)} is told no more than that something happened`}.`,
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
