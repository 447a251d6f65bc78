/** What the configuration of a web app says of this gateway, ready to be copied: of Sable its `config.json`, of Hydrogen its own (docs/apps.md#web-apps). */

export interface WebAppGateway {
  /** By which the gateway was asked. In front of it stands TLS. */
  readonly host: string
  readonly notifyPath: string
  readonly appId: string
  /** The applicationServerKey. */
  readonly vapid: string
}

/** A name or an address, and a port where there is one. */
const HOST = /^(?:[\w.-]{1,255}|\[[\da-fA-F:.]{2,45}\])(?::\d{1,5})?$/

/** Undefined for a host that is none. */
export function webAppSettings({ host, notifyPath, appId, vapid }: WebAppGateway): object | undefined {
  if (!HOST.test(host)) return undefined
  const origin = `https://${host}`
  return {
    pushNotificationDetails: { pushNotifyUrl: origin + notifyPath, vapidPublicKey: vapid, webPushAppID: appId },
    push: { appId, gatewayUrl: origin, applicationServerKey: vapid },
  }
}
