/** The first part of the page: how each app does, and what needs somebody. */
import { h } from './dom.js'
import { ago, counted, duration } from './format.js'

const STATES = {
  open: ['good', '● Delivers'],
  held: ['warn', '◐ Waits'],
  blocked: ['bad', '■ Blocked'],
  paused: ['warn', '❚❚ Paused'],
  unknown: ['quiet', '○ Asks a worker'],
}
const MEANS = {
  held: 'The push service asks to wait, cannot be reached, or only fails. One delivery tries now and then.',
  blocked:
    'The push service refuses our credential or configuration. One delivery tries every 30 s. Nothing is lost before it expires.',
  paused: 'By an operator. What is accepted is kept, until it expires.',
  unknown: 'This process accepts only. A worker knows more.',
}
const FEW_DAYS = 30
const MUCH = 0.8

/** What `change` does with an app is up to the page. */
export function apps(status, change) {
  const problems = problemsOf(status)
  return [
    h('h2', {}, verdict(status.apps)),
    problems.length === 0
      ? undefined
      : h(
          'ul',
          { class: 'list problem' },
          problems.map((each) => h('li', {}, each)),
        ),
    h(
      'div',
      { class: 'cards' },
      status.apps.map((app) => card(app, status.nowMs, change)),
    ),
    h('h3', {}, 'The store'),
    h('p', {}, storeSentence(status.store)),
  ]
}

function verdict(all) {
  const stopped = all.filter(({ state }) => state !== 'open' && state !== 'unknown')
  if (all.length === 0) return 'No app is configured.'
  if (stopped.length > 0)
    return `${stopped.length} of ${counted(all.length, 'app')} ${stopped.length === 1 ? 'does' : 'do'} not deliver.`
  return all.every(({ state }) => state === 'unknown') ? 'This process accepts pushes.' : 'Every app can deliver.'
}

function problemsOf({ reasons, configuration, store, apps: all }) {
  return [
    ...reasons,
    ...store.dangers.filter((danger) => !reasons.includes(danger)),
    ...(configuration.isNewest
      ? []
      : ['The newest configuration has a mistake and is not used. See the log, or: hushgate check']),
    ...configuration.pendingRestarts.map((setting) => `${setting} was changed and takes effect after a restart.`),
    ...(store.fill >= MUCH ? [`The store is ${Math.round(store.fill * 100)} % full.`] : []),
    ...all.flatMap(({ app, isSuspected, credentialDaysLeft, canary }) => [
      ...(canary?.state === 'stopped' ? [`${app}: no canary push arrives.`] : []),
      ...(isSuspected
        ? [
            `${app}: most pushkeys were called dead, so none is reported to homeservers. Is its topic, project or environment wrong?`,
          ]
        : []),
      ...(credentialDaysLeft !== null && credentialDaysLeft < FEW_DAYS
        ? [`${app}: ${credentialSentence(credentialDaysLeft)}.`]
        : []),
    ]),
  ]
}

function credentialSentence(days) {
  return days < 0 ? 'the certificate has run out' : `the certificate runs out in ${counted(days, 'day')}`
}

function card(app, nowMs, change) {
  const { state, sinceMs, reason, lastFailure, queue, credentialDaysLeft, isSuspected, isAtHighWater } = app
  const [tone, word] = STATES[state]
  const since = sinceMs === null ? '' : ` since ${duration(Math.max(0, nowMs - sinceMs))}`
  return h(
    'section',
    { class: 'card', id: `app-${app.app}-${app.provider}`, 'aria-label': app.app },
    h(
      'header',
      {},
      h('div', {}, h('h2', {}, app.app), h('span', { class: 'quiet' }, app.provider)),
      h('span', { class: `state ${tone}` }, word + since),
    ),
    state === 'open' ? undefined : h('p', {}, reason === null ? '' : h('code', {}, `${reason} `), MEANS[state]),
    isAtHighWater === true
      ? h(
          'p',
          {},
          'New pushes to it are refused with 503: as many wait as ',
          h('code', {}, 'queue.high_water'),
          ' allows.',
        )
      : undefined,
    hour(app),
    h(
      'dl',
      {},
      figuresOf(app).map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value.toLocaleString('en')))),
    ),
    h(
      'p',
      { class: 'quiet' },
      app.lastDeliveredAtMs === null
        ? 'Nothing delivered since the start. '
        : `Last delivered ${ago(app.lastDeliveredAtMs, nowMs)}. `,
      lastFailure === null
        ? 'No failure.'
        : `Last failure ${ago(lastFailure.atMs, nowMs)}: ${lastFailure.result}${lastFailure.reason === null ? '' : ` (${lastFailure.reason})`}.`,
      credentialDaysLeft === null ? '' : ` Certificate: ${counted(credentialDaysLeft, 'day')} left.`,
    ),
    canaryLine(app, nowMs),
    h(
      'div',
      { class: 'row' },
      h(
        'button',
        { type: 'button', class: 'plain small', action: () => change(app, state === 'paused' ? 'resume' : 'pause') },
        state === 'paused' ? 'Resume' : 'Pause',
      ),
      queue === null || queue.dead === 0 ? undefined : h('a', { href: '#dead' }, counted(queue.dead, 'dead letter')),
      isSuspected ? h('a', { href: '#rejections' }, 'Rejections held back') : undefined,
    ),
  )
}

/** Undefined where none are configured for it. */
function canaryLine({ canary }, nowMs) {
  if (canary === null) return undefined
  const { state, everyMs, lastArrivedAtMs, roundTripMs } = canary
  const last =
    lastArrivedAtMs === null
      ? `none has arrived${state === 'awaited' ? ' yet' : ''}`
      : `the last arrived ${ago(lastArrivedAtMs, nowMs)}, after ${duration(roundTripMs ?? 0)}`
  const said = state === 'unknown' ? 'the store does not say' : last
  return h('p', { class: state === 'stopped' ? 'bad' : 'quiet' }, `Canary push every ${duration(everyMs)}: ${said}.`)
}

function figuresOf({ deliveredPerMinute, acceptedPerMinute, queue, delayMs }) {
  return [
    ['Delivered / min', deliveredPerMinute],
    ['Accepted / min', acceptedPerMinute],
    ['Waiting', queue === null ? '–' : queue.waiting + queue.delayed + queue.active],
    ['Oldest', queue === null || queue.oldestAgeMs === 0 ? '–' : duration(queue.oldestAgeMs)],
    ['Delay, median', delayMs === null ? '–' : duration(delayMs.p50)],
    ['Delay, p99', delayMs === null ? '–' : duration(delayMs.p99)],
  ]
}

/** @param {number[]} counts */
const total = (counts) => counts.reduce((sum, count) => sum + count, 0).toLocaleString('en')

/** Delivered as a line, what failed as bars below it. */
function hour({ lastHour: { accepted, delivered, failed } }) {
  const most = Math.max(1, ...delivered, ...failed)
  const [width, height] = [delivered.length - 1, 20]
  const points = delivered.map((count, minute) => `${minute},${height - (count / most) * (height - 1)}`).join(' ')
  const text = `Last hour: ${total(accepted)} accepted, ${total(delivered)} delivered, ${total(failed)} failed`
  return h(
    'svg',
    { class: 'hour', viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', role: 'img', 'aria-label': text },
    h('title', {}, text),
    failed.map((count, minute) =>
      count === 0
        ? undefined
        : h('rect', {
            x: minute - 0.4,
            width: 0.8,
            y: height - (count / most) * height,
            height: (count / most) * height,
          }),
    ),
    h('polyline', { points }),
  )
}

function storeSentence({ kind, isWritable, isFit, fill }) {
  const name = kind === 'redis' ? 'Redis' : 'SQLite'
  if (!isWritable) return `${name} does not take what is new: homeservers are asked to come again.`
  return `${name} ${isFit ? 'takes what is new' : 'has a setting that loses pushes'}. ${fill === 0 ? 'How full it is, is not known.' : `${Math.max(1, Math.round(fill * 100))} % of its room is in use.`}`
}
