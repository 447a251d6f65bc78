/** The other parts of the page. Each asks the API, and returns what is to be shown. */
import { ask } from './api.js'
import { h } from './dom.js'
import { ago, counted } from './format.js'

const empty = (/** @type {string} */ sentence) => h('p', { class: 'quiet' }, sentence)

export async function failures() {
  const { failures: all } = await ask('failures')
  const now = Date.now()
  return [
    h('h2', {}, 'Recent failures'),
    empty('Of this process, since it started: at most 20 of each app. The device is a short hash, as in the log.'),
    all.length === 0 ? empty('There is none.') : undefined,
    h(
      'ul',
      { class: 'list' },
      all.map(({ app, device, attempt, atMs, result, reason, isFinal }) =>
        h(
          'li',
          {},
          h('strong', {}, reason ?? result),
          ` ${app}, device `,
          h('code', {}, device),
          `, attempt ${attempt}, ${ago(atMs, now)}. `,
          h('span', { class: isFinal ? 'bad' : 'quiet' }, isFinal ? 'Given up.' : 'It is tried again.'),
        ),
      ),
    ),
  ]
}

/** @param {(verb: 'retry' | 'drop', filter: object, what: string) => void} change */
export async function deadLetters(change) {
  const { dead } = await ask('dead')
  const groups = Map.groupBy(dead, ({ app, reason }) => `${app}\n${reason}`)
  const now = Date.now()
  const buttons = (filter, what) =>
    h(
      'span',
      { class: 'row' },
      ['retry', 'drop'].map((verb) =>
        h(
          'button',
          { type: 'button', class: 'plain small', action: () => change(verb, filter, what) },
          verb === 'retry' ? 'Retry' : 'Drop',
        ),
      ),
    )
  return [
    h('h2', {}, 'Dead letters'),
    empty('Deliveries that were given up. They are kept for seven days.'),
    dead.length === 0 ? empty('There is none.') : undefined,
    [...groups.values()].map((letters) => {
      const [{ app, reason }] = letters
      return h(
        'section',
        { class: 'card' },
        h('h3', {}, reason),
        h('p', {}, `${app}: ${counted(letters.length, 'delivery', 'deliveries')}`),
        buttons({ app, reason }, `all of ${app} that were given up for: ${reason}`),
        h(
          'details',
          {},
          h('summary', {}, 'Each of them'),
          h(
            'ul',
            { class: 'list' },
            letters
              .slice(0, 100)
              .map((letter) =>
                h(
                  'li',
                  {},
                  h('code', {}, letter.id),
                  ` ${counted(letter.attempts, 'attempt')}, accepted ${ago(letter.acceptedAtMs, now)}, given up ${ago(letter.diedAtMs, now)} `,
                  buttons({ id: letter.id }, 'this delivery'),
                ),
              ),
          ),
        ),
      )
    }),
  ]
}

/** @param {(app: string, verdict: 'confirm' | 'discard') => void} release */
export async function rejections(release) {
  const { suspected } = await ask('rejections')
  const now = Date.now()
  const button = (app, verdict, name) =>
    h('button', { type: 'button', class: 'plain small', action: () => release(app, verdict) }, name)
  const times = ({ sinceMs, untilMs, isDiscarded }) =>
    `Since ${ago(sinceMs, now)}, ${untilMs === undefined ? 'and it goes on' : `until ${ago(untilMs, now)}`}${isDiscarded === true ? '; discarded by an operator' : ''}.`
  return [
    h('h2', {}, 'Rejections held back'),
    empty(
      'Most pushkeys of an app were called dead within five minutes. That is most often a wrong topic, project or environment, so homeservers are not told: they would delete the pushers of all users.',
    ),
    suspected.length === 0 ? empty('There is none.') : undefined,
    suspected.map(({ app, windows }) =>
      h(
        'section',
        { class: 'card' },
        h('h3', {}, app),
        h(
          'ul',
          { class: 'list' },
          windows.map((each) => h('li', {}, times(each))),
        ),
        h('p', { class: 'row' }, button(app, 'discard', 'They are wrong'), button(app, 'confirm', 'They are dead')),
      ),
    ),
  ]
}

export async function unknownApps() {
  const { unknownApps: all } = await ask('unknown-apps')
  const now = Date.now()
  return [
    h('h2', {}, 'Unknown apps'),
    empty(
      'app_ids that homeservers push to and that no app of the configuration has. Kept in memory only, 50 at most, and in no log: some hold the ID of a device.',
    ),
    all.length === 0 ? empty('There is none.') : undefined,
    h(
      'ul',
      { class: 'list' },
      all.map(({ appId, count, lastSeenAtMs }) =>
        h('li', {}, h('code', {}, appId), ` ${counted(count, 'push', 'pushes')}, the last ${ago(lastSeenAtMs, now)}`),
      ),
    ),
  ]
}

export async function configuration() {
  const { configuration: running } = await ask('config')
  return [
    h('h2', {}, 'Configuration in use'),
    empty('With defaults filled in, by the names of the program. What is secret is left out.'),
    h('pre', { tabindex: 0, 'aria-label': 'Configuration' }, JSON.stringify(running, undefined, 2)),
  ]
}
