/** The push services of browsers: where pushes may go unless the operator names others (docs/facts/web-push.md#push-services). */
export const KNOWN_SERVICES: readonly string[] = [
  'fcm.googleapis.com', // Chrome, and all browsers that are built on it
  'jmt17.google.com', // Chrome's channels before the stable one
  'updates.push.services.mozilla.com', // Firefox, and the distributors of UnifiedPush that use Mozilla's
  '*.push.services.mozilla.com',
  '*.notify.windows.com', // Edge on Windows
  'web.push.apple.com', // Safari
  '*.push.apple.com',
]
