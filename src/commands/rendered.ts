/** What `hushgate render` finds of a notification, before it is said to people or programs. */
import type { OpenRoute } from '../config/routes.ts'
import type { Message } from '../core/message.ts'
import type { Notification } from '../core/notification.ts'
import type { Sealing } from '../core/privacy-policy.ts'
import type { PreparedPush } from '../intake/prepare-push.ts'
import type { LedgerPolicy } from '../privacy/ledger.ts'

/** What becomes of the notification for one device. */
export interface RenderedDevice {
  /** Undefined: no app is configured for it. */
  readonly route: OpenRoute | undefined
  readonly sealing?: Sealing | undefined
  /** A reason: nothing is sent. */
  readonly result: RenderedResult | string
}

export interface RenderedResult {
  readonly prepared: PreparedPush
  readonly message: Message
  readonly isTruncated: boolean
  /** By which each party learns what: a device may get less than the app's mode lets through. */
  readonly learned: LedgerPolicy
}

export interface RenderedNotification {
  readonly body: Uint8Array
  /** It was made up, so it has to be shown. */
  readonly isExample: boolean
  readonly notification: Notification
  readonly devices: readonly RenderedDevice[]
}
