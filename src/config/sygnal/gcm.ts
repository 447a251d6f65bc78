/** Sygnal's `type: gcm` with `api_version: v1`, that is FCM. Pure. */
import { isJsonObject, jsonObject, type JsonValue } from '../../core/json.ts'
import type { AppTranslation } from './app-translation.ts'

/** What Sygnal itself writes into every message, over what is configured. */
const WRITTEN = ['data', 'token']

export function translateGcm(app: AppTranslation): void {
  app.noteUnknown([
    'api_version',
    'api_key',
    'project_id',
    'service_account_file',
    'fcm_options',
    'max_connections',
    'send_badge_counts',
  ])
  app.set('type', 'fcm', 'type')
  const { api_version: version } = app.options
  if (version === undefined)
    app.note('differs', 'api_version', 'Sygnal takes this for the API that Google has switched off; here it is v1')
  else if (version !== 'v1') app.refuse('api_version', 'expected "v1"')
  app.noteIgnored(['api_key'], 'is only for the API that Google has switched off; delete it, it is a secret')
  app.copyFile('service_account_file', 'service_account_file')
  app.copy('project_id', 'project_id')
  app.set('options', messageOptions(app), 'fcm_options')
  app.copy('max_connections', 'max_connections')
  app.set('badge_pushes', 'send', 'type')
  app.note(
    'safer',
    [],
    'Sygnal sends a message for every change of the unread count. Apps that do not need it are left in peace with badge_pushes: drop',
    'badge_pushes',
  )
  app.copyCounts()
}

function messageOptions(app: AppTranslation): JsonValue | undefined {
  const { fcm_options: options } = app.options
  if (!isJsonObject(options)) return options
  for (const key of WRITTEN)
    if (Object.hasOwn(options, key))
      app.note('obsolete', ['fcm_options', key], 'is overwritten in every message, by Sygnal too')
  const kept = Object.entries(options).filter(([key]) => !WRITTEN.includes(key))
  return kept.length === 0 ? undefined : jsonObject(kept)
}
