/** Sygnal's `type: webpush`. Pure. */
import type { JsonValue } from '../../core/json.ts'
import type { AppTranslation } from './app-translation.ts'

const DEFAULT_TTL_SECONDS = 900

export function translateWebpush(app: AppTranslation): void {
  app.noteUnknown(['vapid_private_key', 'vapid_contact_email', 'allowed_endpoints', 'ttl', 'max_connections'])
  app.set('type', 'webpush', 'type')
  app.copyFile('vapid_private_key', 'vapid_private_key_file')
  const { vapid_contact_email: email, allowed_endpoints: endpoints } = app.options
  const isBare = typeof email === 'string' && email !== '' && !email.startsWith('mailto:')
  app.set('vapid_subject', isBare ? `mailto:${email}` : email, 'vapid_contact_email')
  app.set('ttl', app.has('ttl') ? app.options['ttl'] : DEFAULT_TTL_SECONDS, 'ttl')
  translateEndpoints(app, endpoints)
  app.copy('max_connections', 'max_connections')
}

function translateEndpoints(app: AppTranslation, endpoints: JsonValue | undefined): void {
  const isOpen = endpoints === undefined || (Array.isArray(endpoints) && endpoints.length === 0)
  const open = app.isProxied ? undefined : ['*']
  app.set('allowed_endpoints', isOpen ? open : endpoints, 'allowed_endpoints')
  if (isOpen && app.isProxied)
    app.note(
      'cannot',
      'allowed_endpoints',
      'Sygnal asks the proxy for any host that a pusher names, and so also for those of the network that it stands in. Pushes go to the push services of browsers only; name others here',
    )
  else if (isOpen)
    app.note(
      'risky',
      'allowed_endpoints',
      'pushes go to any public host that a pusher names, so strangers can have this gateway post to whom they like; name the hosts of the push services that your users have, or delete the setting for those of browsers',
    )
  app.note(
    'differs',
    'allowed_endpoints',
    'endpoints must have https, and no address in a private network (allow_private_endpoints)',
  )
}
