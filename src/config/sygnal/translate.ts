/** From the content of a sygnal.yaml to that of a hushgate.yaml with the same meaning. Every key: docs/migrating-from-sygnal.md. Pure. */
import { isJsonObject, jsonObject, type JsonObject, type JsonValue } from '../../core/json.ts'
import type { SettingPath } from '../config-error.ts'
import { translateApps } from './apps.ts'
import { translateHttp, translateMetrics } from './listeners.ts'
import { translateLog } from './log.ts'
import { noteUnknown, sectionOf, Translation, type Note, type Surroundings, type SygnalMistake } from './translation.ts'

export interface Translated {
  /** What a hushgate.yaml would hold; not checked yet. */
  readonly config: JsonObject
  readonly notes: readonly Note[]
  readonly mistakes: readonly SygnalMistake[]
  /** `proxy` is the value of HTTPS_PROXY. */
  readonly isProxyFromEnvironment: boolean
  /** The setting of sygnal.yaml that a setting of `config` comes from. */
  readonly originOf: (path: SettingPath) => SettingPath
}

const KNOWN = ['http', 'log', 'metrics', 'proxy', 'apps', 'db', 'database']

export function translateSygnal(document: JsonValue, surroundings: Surroundings): Translated {
  const translation = new Translation()
  // An empty file is all defaults; anything else that is no mapping Sygnal could not read either.
  if (!isJsonObject(document) && document !== null) translation.refuse([], 'expected a section of settings')
  const root = isJsonObject(document) ? document : jsonObject([])
  noteUnknown(root, KNOWN, [], translation)
  for (const key of ['db', 'database'])
    if (Object.hasOwn(root, key))
      translation.note(
        'obsolete',
        [key],
        [],
        'Sygnal has had no database for years; what Hushgate keeps is in its store',
      )
  const port = translateHttp(sectionOf(root, [], 'http', translation), translation)
  translateMetrics(sectionOf(root, [], 'metrics', translation), port, translation)
  translateSemantics(translation)
  const isProxyFromEnvironment = translateProxy(root, surroundings, translation)
  translateLog(sectionOf(root, [], 'log', translation), translation)
  translateApps(sectionOf(root, [], 'apps', translation), surroundings, translation)
  return {
    config: translation.config(),
    notes: translation.notes,
    mistakes: translation.mistakes,
    isProxyFromEnvironment,
    originOf: (path) => translation.originOf(path),
  }
}

/** What Sygnal does without being told. */
function translateSemantics(translation: Translation): void {
  translation.set(['privacy'], 'full', [])
  translation.note(
    'safer',
    [],
    ['privacy'],
    'Sygnal passes on all that the homeserver sends. For apps that fetch the event themselves event_id_only is enough, for a bare wake-up minimal; it can be set for each app',
  )
  translation.set(['unknown_app'], 'reject', [])
  translation.note(
    'safer',
    [],
    ['unknown_app'],
    'Sygnal rejects the pushkeys of apps that it does not know, and homeservers delete their pushers. With drop they survive a mistake in this file',
  )
}

/** Whether it comes from the environment. */
function translateProxy(root: JsonObject, { httpsProxy }: Surroundings, translation: Translation): boolean {
  const { proxy: given = null } = root
  const isFromEnvironment = given === null && httpsProxy !== undefined
  const proxy = given ?? httpsProxy
  if (proxy === undefined || proxy === '') return false
  translation.set(['proxy'], proxy, ['proxy'])
  const from = isFromEnvironment ? 'as Sygnal does, it is taken from the environment. ' : ''
  translation.note(
    'differs',
    ['proxy'],
    ['proxy'],
    `${from}Hosts in the environment variable NO_PROXY are reached without it, of which Sygnal knows nothing`,
  )
  if (typeof proxy === 'string' && /^[^@]*%.*@/.test(proxy))
    translation.note(
      'differs',
      ['proxy'],
      ['proxy'],
      'Sygnal uses a % in user and password as it is; in a URL here it begins an escape, so write it as %25',
    )
  return isFromEnvironment
}
