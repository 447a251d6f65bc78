/** What runs in the demonstration's page. Whatever was received is put there as text, never as HTML. */
export const SCRIPT = `
'use strict'
const byId = (id) => document.getElementById(id)
const make = (name, text, className) => {
  const element = document.createElement(name)
  if (text !== undefined) element.textContent = text
  if (className !== undefined) element.className = className
  return element
}
const COLUMNS = ['Apple', 'Google', 'Browser']
const MOST_SHOWN = 4

function onState({ mode, isAppleAway }) {
  document.body.dataset.mode = mode
  for (const radio of document.querySelectorAll('[name=mode]')) radio.checked = radio.value === mode
  document.querySelector('[data-action=outage]').setAttribute('aria-pressed', String(isAppleAway))
}

let shownId = 0
function onSent({ id, fields }) {
  shownId = id
  byId('fields').replaceChildren(...fields.map(({ field, sent }) => {
    const row = make('tr')
    row.dataset.field = field
    const head = make('th', field)
    head.scope = 'row'
    row.append(head, make('td', sent), ...COLUMNS.map(() => make('td', '')))
    return row
  }))
}

function onSeen({ id, who, status, headers, body, opened, compared }) {
  if (status >= 300) return onNote({ text: who + ' answered ' + status + '.' })
  for (const { field, seenAs } of id === shownId ? compared : []) {
    const row = [...byId('fields').rows].find((each) => each.dataset.field === field)
    const cell = row?.cells[2 + COLUMNS.indexOf(who)]
    if (cell === undefined) continue
    cell.textContent = seenAs === null ? '✕ not told' : '● ' + seenAs
    cell.className = seenAs === null ? 'kept' : 'told'
  }
  const item = make('li', shownOf(opened ?? body))
  const lines = Object.entries(headers).map(([name, value]) => name + ': ' + value)
  item.append(make('pre', [...lines, JSON.stringify(opened === undefined ? body : opened)].join('\\n')))
  byId(who).prepend(item)
  while (byId(who).children.length > MOST_SHOWN) byId(who).lastChild.remove()
}

/** As an app might show it. */
function shownOf(body) {
  const text = JSON.stringify(body)
  if (text.includes('See you at eight')) return 'Alice: See you at eight'
  const badge = body.aps?.alert === undefined ? body.aps?.badge : undefined
  if (badge !== undefined) return 'The number on the app icon is ' + badge
  return 'New notification. The app asks your homeserver for the rest.'
}

function onNote({ text }) {
  byId('notes').prepend(make('li', text))
  while (byId('notes').children.length > MOST_SHOWN) byId('notes').lastChild.remove()
}

const events = new EventSource('/events')
// What a click does is told only to who listens by then.
const listening = new Promise((resolve) => { events.onopen = resolve })
const act = async (action) => {
  await listening
  await fetch('/act', { method: 'POST', body: JSON.stringify({ action }) })
}
for (const button of document.querySelectorAll('button')) button.addEventListener('click', () => act(button.dataset.action))
for (const radio of document.querySelectorAll('[name=mode]')) radio.addEventListener('change', () => act(radio.value))

const HANDLERS = { state: onState, sent: onSent, seen: onSeen, note: onNote }
events.onmessage = ({ data }) => {
  const event = JSON.parse(data)
  HANDLERS[event.kind]?.(event)
}
`
