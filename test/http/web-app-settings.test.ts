import { expect, it } from 'vitest'
import { webAppSettings } from '../../src/http/web-app-settings.ts'

const gateway = { notifyPath: '/_matrix/push/v1/notify', appId: 'com.example.web', vapid: 'KEY' }

it('says the address of the gateway as web apps are told it, with a port where there is one', () => {
  expect(webAppSettings({ ...gateway, host: 'push.example.com:8443' })).toEqual({
    pushNotificationDetails: {
      pushNotifyUrl: 'https://push.example.com:8443/_matrix/push/v1/notify',
      vapidPublicKey: 'KEY',
      webPushAppID: 'com.example.web',
    },
    push: { appId: 'com.example.web', gatewayUrl: 'https://push.example.com:8443', applicationServerKey: 'KEY' },
  })
  expect(webAppSettings({ ...gateway, host: 'Push.Example.com' })).toBeDefined()
})

it('says nothing of a host that is none', () => {
  for (const host of ['', 'a b', 'x/y', 'user@x', 'x?y', 'x"y', '[x', 'x#y', 'x:port'])
    expect(webAppSettings({ ...gateway, host })).toBeUndefined()
})
