/** Sygnal's `type: webpush`. Pure. */
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
  const isOpen = endpoints === undefined || (Array.isArray(endpoints) && endpoints.length === 0)
  app.set('allowed_endpoints', isOpen ? undefined : endpoints, 'allowed_endpoints')
  if (isOpen)
    app.note(
      'safer',
      'allowed_endpoints',
      'pushes go to any public host that a pusher names; better name the hosts of the push services that browsers use',
    )
  app.note(
    'differs',
    'allowed_endpoints',
    'a pushkey whose endpoint is not allowed is rejected, which Sygnal keeps; endpoints must have https, and no address in a private network (allow_private_endpoints)',
  )
  app.copy('max_connections', 'max_connections')
}
