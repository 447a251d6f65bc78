/** The page: the form, and the list of what the service worker hands over. */
import { setPusher, stop, subscribe } from './push.js'

const form = document.querySelector('form')
const status = document.querySelector('#status')

/** What is said while something is waited for, and what more when that takes long. */
const WAITS = {
  permission: ['Waiting for you …', 'The browser asks whether this page may show notifications; look beside its address.'],
  gateway: ['Asking the gateway for its key …', 'Is its address right, and does it answer?'],
  'push service': [
    "Waiting for the browser's push service …",
    "The browser has to reach it (Chrome Google's, Firefox Mozilla's, Safari Apple's); a firewall may be in between, and some browsers have none.",
  ],
  homeserver: ['Telling the homeserver …', 'Is its address right, and does it answer?'],
}
const LONG_MS = 5000
let hint

navigator.serviceWorker?.addEventListener('message', ({ data }) => {
  document.querySelector('#nothing').hidden = true
  const item = document.createElement('li')
  const time = document.createElement('time')
  const text = document.createElement('pre')
  time.textContent = new Date().toLocaleTimeString()
  text.textContent = JSON.stringify(data, undefined, 2)
  item.append(time, text)
  document.querySelector('#arrivals').prepend(item)
})

form.addEventListener('submit', (event) => {
  event.preventDefault()
  void submit(event.submitter?.value)
})

async function submit(button) {
  const { gateway, appId, homeserver, accessToken } = Object.fromEntries(new FormData(form))
  const account = { homeserver, accessToken }
  const buttons = form.querySelectorAll('button')
  for (const each of buttons) each.disabled = true
  say('busy', 'One moment …')
  try {
    if (!('PushManager' in window)) throw new Error('No push here: it needs HTTPS, and on an iPhone the home screen.')
    say('done', await (button === 'stop' ? end(account, appId) : begin(account, gateway, appId)))
    form.elements.accessToken.value = ''
  } catch (error) {
    say('error', error.message)
  } finally {
    for (const each of buttons) each.disabled = false
  }
}

/** `kind`: busy, done or error. */
function say(kind, text) {
  clearTimeout(hint)
  status.dataset.kind = kind
  status.role = kind === 'error' ? 'alert' : 'status'
  status.textContent = text
}

function waitFor(what) {
  const [text, more] = WAITS[what]
  say('busy', text)
  hint = setTimeout(() => say('busy', `${text} ${more}`), LONG_MS)
}

async function begin(account, gateway, appId) {
  await navigator.serviceWorker.register('sw.js')
  const subscription = await subscribe(await navigator.serviceWorker.ready, gateway, appId, waitFor)
  waitFor('homeserver')
  await setPusher(account, { gateway, appId, subscription, sessionId: crypto.randomUUID() })
  return 'Subscribed. Send yourself a message from another account.'
}

async function end(account, appId) {
  const registration = await navigator.serviceWorker.getRegistration()
  const subscription = await registration?.pushManager.getSubscription()
  if (!subscription) return 'This browser is not subscribed.'
  waitFor('homeserver')
  await stop(account, { appId, subscription })
  return 'Stopped: nothing more will arrive.'
}
