/** One device: what is known of it, and a test push to it. What is typed stays in the form, and is sent to the gateway only. */
import { ask } from './api.js'
import { h } from './dom.js'
import { ago, counted } from './format.js'

/** As the log writes a device. */
const LOGGED_DEVICE = /^[0-9a-f]{8}$/

/** Makes what is shown of what was asked last: the page is made anew every few seconds. */
let shown = () => []

const value = (/** @type {string} */ id) => document.getElementById(id).value.trim()

/** @param {(work: () => Promise<void>) => void} act Does it, tells what went wrong, and shows the page again. */
export function device({ apps }, act) {
  const names = [...new Set(apps.map(({ app }) => app))]
  const button = (name, action) => h('button', { type: 'button', action: () => act(action) }, name)
  return [
    h('h2', {}, 'A device'),
    h('label', { for: 'device' }, 'Pushkey, or the 8 digits of a device in the log'),
    h('div', { class: 'row' }, h('input', { id: 'device', type: 'text', autocomplete: 'off', spellcheck: 'false' })),
    h('label', { for: 'app' }, 'app_id of its pusher'),
    h('input', { id: 'app', type: 'text', list: 'apps', autocomplete: 'off', spellcheck: 'false' }),
    h(
      'datalist',
      { id: 'apps' },
      names.map((name) => h('option', { value: name })),
    ),
    h('label', { for: 'data' }, 'data of its pusher, as JSON (Web Push needs it)'),
    h('div', { class: 'row' }, h('textarea', { id: 'data', rows: 2, spellcheck: 'false' })),
    h('p', { class: 'row' }, button('Find', find), button('Send a test push', sendTestPush)),
    h('div', { id: 'found', role: 'status' }, shown()),
  ]
}

/** The pusher's data, if there is any. */
function dataGiven() {
  const text = value('data')
  if (text === '') return {}
  try {
    return { data: JSON.parse(text) }
  } catch {
    throw new Error('The data of the pusher is not JSON.')
  }
}

async function find() {
  const [given, appId] = [value('device'), value('app')]
  if (given === '') throw new Error('Which device? Give its pushkey, or its 8 digits from the log.')
  const question = LOGGED_DEVICE.test(given) ? { device: given } : { pushkey: given, ...dataGiven() }
  const { devices, names, receipts } = await ask('find', appId === '' ? question : { ...question, appId })
  const now = Date.now()
  shown = () =>
    devices.length > 0
      ? devices.map((each) => known(each, now))
      : [
          h(
            'p',
            {},
            'Nothing is known of this device: no push came for it in the last day, or it is another pushkey, or of another app.',
            receipts ? '' : ' Receipts are off, so what became of pushes is not kept.',
          ),
          ...names.map(({ app, device: name }) => h('p', {}, `In the log of ${app} it is `, h('code', {}, name))),
        ]
}

function known(found, now) {
  const { app, device: name, receipt, death, waiting, dead, wasDelivered, isBlocked, advice } = found
  const facts = [
    receipt &&
      `Last push: accepted ${ago(receipt.acceptedAtMs, now)}, attempt ${receipt.attempt} ${ago(receipt.attemptedAtMs, now)}: ${receipt.result}${receipt.word === '' ? '' : ` (${receipt.word})`}.`,
    wasDelivered
      ? 'A push was delivered to it in the last 30 days.'
      : 'No push was delivered to it in the last 30 days.',
    death && `Called dead ${ago(death.diedAtMs, now)} (${death.isRevived ? 'registered anew since' : death.opinion}).`,
    `${counted(waiting, 'push waits', 'pushes wait')} for it.`,
    isBlocked ? 'Its app is blocked: the push service refuses our credential.' : undefined,
    ...dead.map(({ reason, diedAtMs }) => `Given up ${ago(diedAtMs, now)}: ${reason}.`),
  ]
  return h(
    'section',
    { class: 'card' },
    h('h3', {}, `${app}, device `, h('code', {}, name)),
    facts.filter((fact) => fact !== undefined).map((fact) => h('p', {}, fact)),
    advice.map((sentence) => h('p', {}, h('strong', {}, `→ ${sentence}.`))),
  )
}

async function sendTestPush() {
  const [pushkey, app] = [value('device'), value('app')]
  if (pushkey === '' || app === '') throw new Error('A test push needs the pushkey and the app_id.')
  const { result, reason, serviceId, tookMs } = await ask('test-push', { app, pushkey, ...dataGiven() })
  const word = reason ?? serviceId
  shown = () => [
    h(
      'p',
      { class: 'card' },
      h('strong', { class: result === 'delivered' ? 'good' : 'bad' }, result),
      word === null ? '' : ' ',
      word === null ? '' : h('code', {}, word),
      ` after ${tookMs} ms.`,
    ),
  ]
}
