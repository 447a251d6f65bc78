/** From a browser's push subscription to a Matrix pusher. It knows nothing of this page: copy it into your app. */

/**
 * Resolves with a subscription to pushes of this app. Call it from a click, for only then may the user be asked.
 * An app calls it again at each start: a subscription can change, and setting the same pusher again does nothing.
 * `onWait` is told what is waited for: 'permission', 'gateway', 'push service'.
 */
export async function subscribe(registration, gateway, appId, onWait = () => {}) {
  onWait('permission')
  if ((await Notification.requestPermission()) !== 'granted') throw new Error('Notifications are not allowed here.')
  onWait('gateway')
  const response = await ask('gateway', new URL(`/_hushgate/vapid/${encodeURIComponent(appId)}`, gateway))
  if (!response.ok) throw new Error(`The gateway knows no web app ${appId}.`)
  const { vapid } = await response.json()
  const { pushManager } = registration
  const options = { userVisibleOnly: true, applicationServerKey: vapid }
  onWait('push service')
  try {
    return await pushManager.subscribe(options)
  } catch (error) {
    if (error.name !== 'InvalidStateError') throw error
    // There is a subscription to another key, which pushes of this one would not reach.
    await (await pushManager.getSubscription())?.unsubscribe()
    return pushManager.subscribe(options)
  }
}

/** `account` is `{ homeserver, accessToken }`; `sessionId` comes back with each push and says which of an app's accounts it is for. */
export function setPusher(account, { gateway, appId, subscription, sessionId }) {
  const { endpoint, keys } = subscription.toJSON()
  return postPusher(account, {
    kind: 'http',
    app_id: appId,
    // The browser's public key: each push is encrypted for it, and the push service cannot read it (RFC 8291).
    pushkey: keys.p256dh,
    app_display_name: 'Web example',
    device_display_name: 'Browser',
    lang: navigator.language,
    data: {
      url: new URL('/_matrix/push/v1/notify', gateway).href,
      endpoint,
      auth: keys.auth,
      // The homeserver leaves out names and content; the app fetches them.
      format: 'event_id_only',
      // Nothing when only a count has changed: a browser wants to see a notification for each push.
      events_only: true,
      default_payload: { session_id: sessionId },
    },
  })
}

/** Ends both. */
export async function stop(account, { appId, subscription }) {
  await postPusher(account, { kind: null, app_id: appId, pushkey: subscription.toJSON().keys.p256dh })
  await subscription.unsubscribe()
}

/** What a browser says of a server that is not there ("Failed to fetch") names nobody. */
function ask(who, url, options) {
  return fetch(url, options).catch(() => {
    throw new Error(`The ${who} cannot be reached at ${url.origin}.`)
  })
}

async function postPusher({ homeserver, accessToken }, pusher) {
  const response = await ask('homeserver', new URL('/_matrix/client/v3/pushers/set', homeserver), {
    method: 'POST',
    headers: { authorization: `Bearer ${accessToken}`, 'content-type': 'application/json' },
    body: JSON.stringify(pusher),
  })
  if (response.ok) return
  const { error } = await response.json().catch(() => ({}))
  throw new Error(`The homeserver answers ${response.status}: ${error ?? 'no reason given'}`)
}
