/** Sygnal's `apps`: which kind each is, and which are refused. Pure. */
import { isJsonObject, type JsonObject, type JsonValue } from '../../core/json.ts'
import { isGlob, overlap } from '../../core/app-match.ts'
import { translateApns } from './apns.ts'
import { AppTranslation } from './app-translation.ts'
import { translateGcm } from './gcm.ts'
import type { Surroundings, Translation } from './translation.ts'
import { translateWebpush } from './webpush.ts'

const KINDS: ReadonlyMap<string, (app: AppTranslation) => void> = new Map([
  ['apns', translateApns],
  ['gcm', translateGcm],
  ['webpush', translateWebpush],
])

/** The classes behind them, which a sygnal.yaml may name as if they were somebody's own. */
const CLASSES: ReadonlyMap<string, string> = new Map([
  ['sygnal.apnspushkin.ApnsPushkin', 'apns'],
  ['sygnal.gcmpushkin.GcmPushkin', 'gcm'],
  ['sygnal.webpushpushkin.WebpushPushkin', 'webpush'],
])

const LEGACY =
  'Google has switched this API off (since July 2024), so nothing is delivered through it, not by Sygnal either. Make a service account in the Firebase console, and give api_version: v1, project_id and service_account_file'
const LEFT_OUT =
  'Until then this app is left out, and its pushkeys are rejected, as they are by Sygnal when Google answers 404'

export function translateApps(apps: JsonObject, surroundings: Surroundings, translation: Translation): void {
  const names = Object.keys(apps)
  const legacy = names.filter((name) => isLegacy(apps[name]))
  const others = names.filter((name) => !legacy.includes(name))
  if (names.length === 0) translation.refuse(['apps'], 'has no app; Sygnal does not start without one either')
  for (const name of others) translateApp(name, apps[name], surroundings, translation)
  // An app that is dead already does not keep the others from starting; on its own there is nothing to start.
  for (const name of legacy)
    if (others.length === 0) translation.refuse(['apps', name, 'api_version'], LEGACY)
    else translation.note('cannot', ['apps', name, 'api_version'], ['apps'], `${LEGACY}. ${LEFT_OUT}`)
  translateOverlaps(others.filter(isGlob), translation)
}

function translateApp(
  name: string,
  section: JsonValue | undefined,
  surroundings: Surroundings,
  translation: Translation,
): void {
  const path = ['apps', name]
  const { type } = isJsonObject(section) ? section : {}
  const translate = typeof type === 'string' ? KINDS.get(type) : undefined
  if (!isJsonObject(section)) translation.refuse(path, 'expected a section of settings with a type')
  else if (type === undefined) translation.refuse([...path, 'type'], 'is missing: one of "apns", "gcm", "webpush"')
  else if (translate === undefined) translation.refuse([...path, 'type'], whyNot(type))
  else translate(new AppTranslation(name, section, surroundings, translation))
}

/** Sygnal's default where no version is given; a service account says that v1 was meant. */
function isLegacy(section: JsonValue | undefined): boolean {
  if (!isJsonObject(section) || section['type'] !== 'gcm') return false
  const { api_version: version } = section
  return version === 'legacy' || (version === undefined && !Object.hasOwn(section, 'service_account_file'))
}

function whyNot(type: JsonValue): string {
  if (typeof type !== 'string') return 'expected one of "apns", "gcm", "webpush"'
  const own = CLASSES.get(type)
  if (own !== undefined) return `${type} is a class of Sygnal itself; write type: ${own}`
  if (type === 'fcm') return 'Sygnal calls it gcm; write type: gcm'
  if (!type.includes('.')) return 'unknown to Sygnal, expected one of "apns", "gcm", "webpush"'
  return `${type} is a pushkin of your own, in Python, which Hushgate does not run. If it only changes what is sent, see whether apns, gcm or webpush with the settings of Hushgate does the same; else take the app out of this file, and let a Sygnal go on serving it, at a URL of its own`
}

/** To Sygnal, an app_id that two globs match is one that it does not know. */
function translateOverlaps(globs: readonly string[], translation: Translation): void {
  const isOverlapping = globs.some((glob, index) =>
    globs.slice(0, index).some((other) => overlap(other, glob) !== undefined),
  )
  if (!isOverlapping) return
  translation.set(['overlapping_apps'], 'unknown', ['apps'])
  translation.note(
    'safer',
    ['apps'],
    ['overlapping_apps'],
    'some globs match the same app_ids, and pushes to these are not sent. Mend the globs and delete this line: then such a mistake is refused at start',
  )
}
