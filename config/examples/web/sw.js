/** The service worker: shows each push as a notification, and hands it to the page if that is open. The browser has decrypted it. */

self.addEventListener('install', () => self.skipWaiting())
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()))
self.addEventListener('push', (event) => event.waitUntil(receive(event.data.json())))
self.addEventListener('notificationclick', (event) => {
  event.notification.close()
  event.waitUntil(openPage())
})

async function receive(push) {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- these are our own pages, and their method takes none
  for (const page of await pages()) page.postMessage(push)
  // An app would sync here, or fetch push.event_id of push.room_id for the account push.session_id, and show that.
  const { sender_display_name: name, sender = name, content, room_id: room, unread } = push
  const count = unread === undefined ? '' : `${unread} unread`
  // Never none: browsers take the permission from an app that is woken and shows nothing.
  await self.registration.showNotification(name ?? sender ?? 'New message', {
    body: content?.body ?? count,
    tag: room ?? 'message',
    renotify: true,
  })
}

async function openPage() {
  const [page] = await pages()
  return page === undefined ? self.clients.openWindow('./') : page.focus()
}

function pages() {
  return self.clients.matchAll({ type: 'window', includeUncontrolled: true })
}
