/** Sygnal's `type: apns`. Pure. */
import type { AppTranslation } from './app-translation.ts'

const OF_KEY = ['keyfile', 'key_id', 'team_id', 'topic']

export function translateApns(app: AppTranslation): void {
  app.noteUnknown([...OF_KEY, 'certfile', 'platform', 'push_type', 'convert_device_token_to_hex', 'send_badge_counts'])
  app.set('type', 'apns', 'type')
  if (app.has('certfile')) {
    app.copyFile('certfile', 'cert_file')
    app.noteIgnored(
      OF_KEY.filter((key) => key !== 'topic'),
      'Sygnal uses the certificate where it has both',
    )
    app.noteIgnored(
      ['topic'],
      "with a certificate Sygnal ignores it: the topic is the UID in the certificate's subject",
    )
    app.set('topic', undefined, 'certfile')
  } else if (app.has('keyfile')) {
    app.copyFile('keyfile', 'key_file')
    for (const key of ['key_id', 'team_id', 'topic']) app.copy(key, key)
  } else app.refuse('keyfile', 'is missing: give keyfile with key_id, team_id and topic, or certfile')
  if (app.options['platform'] === 'prod') app.set('platform', 'production', 'platform')
  else app.copy('platform', 'platform')
  if (app.has('push_type')) app.copy('push_type', 'push_type')
  else translateNoPushType(app)
  app.set(
    'token_format',
    app.isTrue('convert_device_token_to_hex', true) ? 'base64' : 'hex',
    'convert_device_token_to_hex',
  )
  app.copyCounts()
}

/** Sygnal says nothing then, and Apple guesses. */
function translateNoPushType(app: AppTranslation): void {
  app.set('push_type', 'none', 'push_type')
  app.note(
    'safer',
    'push_type',
    'Apple asks for a push type on every push (apns-push-type); with auto it is sent as each push needs it',
    'push_type',
  )
}
