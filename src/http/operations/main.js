/** The operations page: signs in, shows the part that the address names, and asks again every few seconds. */
import { ask, hasToken, removeToken, setToken, SignInError } from './api.js'
import { apps } from './apps.js'
import { device } from './device.js'
import { h, listen, update } from './dom.js'
import { ago, counted } from './format.js'
import { configuration, deadLetters, failures, rejections, unknownApps } from './views.js'

const INTERVAL_MS = 3000

/** Each with its title, and what makes it of the gateway's status. */
const PARTS = {
  apps: ['Apps', (status) => apps(status, (...change) => void act(() => changeApp(...change)))],
  failures: ['Failures', failures],
  dead: ['Dead letters', () => deadLetters((...change) => void act(() => changeDead(...change)))],
  rejections: ['Rejections', () => rejections((...verdict) => void act(() => release(...verdict)))],
  device: ['Device', (status) => device(status, (work) => void act(work))],
  unknown: ['Unknown apps', unknownApps],
  configuration: ['Configuration', configuration],
}

const element = (/** @type {string} */ id) => document.getElementById(id)
const say = (/** @type {string} */ sentence) => (element('said').textContent = sentence)
const part = () => (Object.hasOwn(PARTS, location.hash.slice(1)) ? location.hash.slice(1) : 'apps')

/** Rounds are numbered, so a late answer does not replace a newer one. */
let round = 0

async function show() {
  const mine = (round += 1)
  const name = part()
  try {
    const status = await ask('status')
    const children = await PARTS[name][1](status)
    if (mine !== round) return
    update(element('view'), h('main', { id: 'view', tabindex: -1 }, children))
    const { version, role, startedAtMs, nowMs } = status
    element('about').textContent =
      `${version}, ${role === 'all' ? 'accepts and delivers' : role === 'http' ? 'accepts' : 'delivers'}, started ${ago(startedAtMs, nowMs)}`
    if (element('said').dataset.problem !== undefined) say('')
    delete element('said').dataset.problem
  } catch (error) {
    if (mine !== round) return
    if (error instanceof SignInError) signOut()
    element('said').dataset.problem = ''
    say(error.message)
  }
}

const tab = ([name, [title]]) => {
  const current = name === part() ? 'page' : undefined
  return h('li', {}, h('a', { href: `#${name}`, 'aria-current': current }, title))
}

function layOut() {
  const isIn = hasToken()
  element('sign-in').hidden = isIn
  element('signed-in').hidden = !isIn
  element('leave').hidden = !isIn
  update(element('tabs'), h('ul', { id: 'tabs' }, Object.entries(PARTS).map(tab)))
  if (isIn) void show()
  else element('token').focus()
}

function signOut() {
  removeToken()
  element('view').replaceChildren()
  element('about').textContent = ''
  layOut()
}

/** Resolves with whether the operator wants it. */
function sure(title, text, yes) {
  element('question-title').textContent = title
  element('question-text').textContent = text
  element('question-yes').textContent = yes
  element('question').showModal()
  return new Promise((resolve) => {
    // Not the event `close`: it comes late, when the next question may be open.
    const answered = new AbortController()
    const answer = (/** @type {boolean} */ isYes) => {
      answered.abort()
      resolve(isYes)
    }
    const { signal } = answered
    element('question').addEventListener('cancel', () => answer(false), { signal })
    element('question').addEventListener('submit', ({ submitter }) => answer(submitter?.value === 'yes'), { signal })
  })
}

/** Does what the operator asked for, says what came of it, and shows the page again. `work` resolves with a sentence, if there is one to say. */
async function act(work) {
  try {
    say((await work()) ?? '')
  } catch (error) {
    if (error instanceof SignInError) signOut()
    say(error.message)
  }
  await show()
}

async function changeApp({ app }, verb) {
  const text = 'What is accepted for it is kept and not sent, in every process, until it is resumed. It still expires.'
  if (verb === 'pause' && !(await sure(`Pause ${app}?`, text, 'Pause'))) return undefined
  await ask(verb, { app })
  return verb === 'pause' ? `${app} is paused.` : `${app} delivers again.`
}

const VERDICTS = {
  confirm: [
    'Are they really dead?',
    'Homeservers are told to drop these pushkeys with the next push to each. Whoever has one gets no push until the app registers anew.',
    'They are dead',
    'homeservers are told to drop these pushkeys.',
  ],
  discard: [
    'Are they alive?',
    'These pushkeys count as alive again, and pushes to them are sent. Mend the topic, project or environment first.',
    'They are wrong',
    'these pushkeys count as alive again.',
  ],
}

async function release(app, verdict) {
  const [title, text, yes, did] = VERDICTS[verdict]
  if (!(await sure(`${app}: ${title}`, text, yes))) return undefined
  const { released } = await ask('rejections', { app, verdict })
  return released === 0 ? `No rejections of ${app} are held back.` : `${app}: ${did}`
}

/** How many dead letters it were. */
const countIn = ({ retried, dropped }) => retried ?? dropped

async function changeDead(verb, filter, what) {
  const path = `dead/${verb}`
  const [title, yes, will, did] =
    verb === 'retry'
      ? ['Send again?', 'Retry', 'will be sent again', 'are in the queue again']
      : ['Remove?', 'Drop', 'will be removed for good', 'were removed']
  const number = counted(countIn(await ask(path, { ...filter, dryRun: true })), 'delivery', 'deliveries')
  if (!(await sure(title, `${number} ${will}: ${what}.`, yes))) return undefined
  return `${countIn(await ask(path, filter))} ${did}.`
}

listen()
element('sign-in').addEventListener('submit', (event) => {
  event.preventDefault()
  setToken(element('token').value.trim())
  element('token').value = ''
  say('')
  layOut()
})
element('leave').addEventListener('click', () => {
  say('You are signed out.')
  signOut()
})
addEventListener('hashchange', () => {
  say('')
  layOut()
  element('view').focus()
})
setInterval(() => {
  if (hasToken() && !document.hidden && !element('question').open) void show()
}, INTERVAL_MS)
layOut()
