/** What is left of a notification for one device after the privacy policy: the only thing that renderers ever see. */
import type { JsonObject } from './json.ts'
import type { PlaceholderIds } from './placeholder-ids.ts'
import type { SealedBlock } from './device-key.ts'

/** Numbers as the homeserver sent them; 0 and absent differ (0 clears a badge). */
export interface Counts {
  readonly unread?: number | undefined
  readonly missedCalls?: number | undefined
}

/** MSC3013: the homeserver sealed the notification for the device; passed through untouched. */
export interface EncryptedPush {
  readonly ephemeral: string
  readonly ciphertext: string
  readonly mac: string
}

/** What the app asked for when it set its pusher (`data` beside `default_payload`); says nothing about the user. */
export interface PusherOptions {
  /** Web Push: no badge updates. */
  readonly eventsOnly: boolean
  /** Web Push: a newer push of a room takes the place of the older one. */
  readonly onlyLastPerRoom: boolean
  /** The shape of FCM messages for FluffyChat: a word is Hedwig's convention, a boolean FluffyGate's (docs/facts/peers.md#shapes-of-hedwig). */
  readonly dataMessage?: DataMessage | undefined
}

export type DataMessage = 'android' | 'ios' | boolean

interface PushBase {
  /** `event`: something happened. `counts`: only the badge changed, never an alert. */
  readonly kind: 'event' | 'counts'
  readonly prio: 'high' | 'low'
  /** From pusher data: all of it, but in a minimal push only the keys and scalars on the app's allow-list. `{}` when there is none. */
  readonly defaultPayload: JsonObject
  readonly encrypted?: EncryptedPush | undefined
  readonly pusher?: PusherOptions | undefined
}

/** Has no field for a room ID, event ID, sender, name, type or content. */
export interface MinimalPush extends PushBase {
  readonly detail: 'minimal'
  /** unread + missed calls, for `aps.badge` alone (`counts: badge` or `exact`). */
  readonly badge?: number | undefined
  /** Only with `counts: exact`. */
  readonly counts?: Counts | undefined
  /** Public constants, for the apps' own test of the chain, or random: never those of the event, for which the type has no room. */
  readonly ids?: typeof TEST_PUSH | PlaceholderIds | undefined
  /** What only the device can open. Then nothing stands in clear beside it: neither counts nor IDs. */
  readonly sealed?: SealedBlock | undefined
}

export interface EventIdOnlyPush extends PushBase {
  readonly detail: 'event_id_only'
  readonly eventId?: string | undefined
  readonly roomId?: string | undefined
  /** What the app calls the account that this pusher is of (`data.client_name`, FluffyChat). */
  readonly clientName?: string | undefined
  readonly counts?: Counts | undefined
}

export interface FullPush extends PushBase {
  readonly detail: 'full'
  readonly eventId?: string | undefined
  readonly roomId?: string | undefined
  readonly clientName?: string | undefined
  readonly counts?: Counts | undefined
  readonly type?: string | undefined
  readonly sender?: string | undefined
  readonly senderDisplayName?: string | undefined
  readonly roomName?: string | undefined
  readonly roomAlias?: string | undefined
  readonly userIsTarget?: boolean | undefined
  readonly membership?: string | undefined
  readonly content?: JsonObject | undefined
}

export type Push = MinimalPush | EventIdOnlyPush | FullPush

/** Element's "test push" (docs/facts/push-gateway-api.md#test-push): constants of the public source, so no privacy is lost by passing them. */
export const TEST_PUSH = { eventId: '$THIS_IS_A_FAKE_EVENT_ID', roomId: '!room:domain' } as const
