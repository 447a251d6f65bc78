/** The page: the form, and the list of what the service worker hands over. */
import { setPusher, stop, subscribe } from './push.js'

const form = document.querySelector('form')
const status = document.querySelector('#status')

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
  status.textContent = 'One moment …'
  try {
    if (!('PushManager' in window)) throw new Error('No push here: it needs HTTPS, and on an iPhone the home screen.')
    status.textContent = await (button === 'stop' ? end(account, appId) : begin(account, gateway, appId))
    form.elements.accessToken.value = ''
  } catch (error) {
    status.textContent = error.message
  } finally {
    for (const each of buttons) each.disabled = false
  }
}

async function begin(account, gateway, appId) {
  await navigator.serviceWorker.register('sw.js')
  const subscription = await subscribe(await navigator.serviceWorker.ready, gateway, appId)
  await setPusher(account, { gateway, appId, subscription, sessionId: crypto.randomUUID() })
  return 'Subscribed. Send yourself a message from another account.'
}

async function end(account, appId) {
  const registration = await navigator.serviceWorker.getRegistration()
  const subscription = await registration?.pushManager.getSubscription()
  if (!subscription) return 'This browser is not subscribed.'
  await stop(account, { appId, subscription })
  return 'Stopped: nothing more will arrive.'
}
