/** The operations page: signs in, shows the part that the address names, and asks again every few seconds. */
import { ask, hasToken, removeToken, setToken, SignInError } from './api.js'
import { apps } from './apps.js'
import { device } from './device.js'
import { h, listen, update } from './dom.js'
import { ago, counted } from './format.js'
import { configuration, deadLetters, failures, unknownApps } from './views.js'

const INTERVAL_MS = 3000

const PARTS = {
  apps: ['Apps', async () => apps(await ask('status'), changeApp)],
  failures: ['Failures', failures],
  dead: ['Dead letters', () => deadLetters((...change) => void changeDead(...change))],
  device: ['Device', () => device((work) => void actOnDevice(work))],
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
    const [children, status] = await Promise.all([PARTS[name][1](), ask('status')])
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

async function act(path, body, sentence) {
  try {
    say(sentence(await ask(path, body)))
  } catch (error) {
    if (error instanceof SignInError) signOut()
    say(error.message)
  }
  await show()
}

async function actOnDevice(work) {
  try {
    say('')
    await work()
  } catch (error) {
    if (error instanceof SignInError) signOut()
    say(error.message)
  }
  await show()
}

async function changeApp({ app }, verb) {
  if (verb === 'resume') return act('resume', { app }, () => `${app} delivers again.`)
  if (verb === 'release')
    return act('rejections', { app, verdict: 'confirm' }, ({ released }) => `${released} rejections were released.`)
  const text = 'What is accepted for it is kept and not sent, in every process, until it is resumed. It still expires.'
  if (await sure(`Pause ${app}?`, text, 'Pause')) await act('pause', { app }, () => `${app} is paused.`)
}

async function changeDead(verb, filter, what) {
  try {
    const counts = await ask(`dead/${verb}`, { ...filter, dryRun: true })
    const count = counts.retried ?? counts.dropped
    const number = counted(count, 'delivery', 'deliveries')
    const text =
      verb === 'retry' ? `${number} will be sent again: ${what}.` : `${number} will be removed for good: ${what}.`
    if (!(await sure(verb === 'retry' ? 'Send again?' : 'Remove?', text, verb === 'retry' ? 'Retry' : 'Drop'))) return
    await act(`dead/${verb}`, filter, ({ retried, dropped }) =>
      verb === 'retry' ? `${retried} are in the queue again.` : `${dropped} were removed.`,
    )
  } catch (error) {
    say(error.message)
  }
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
