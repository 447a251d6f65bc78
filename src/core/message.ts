/** What a push service will see of one push, byte for byte, but for the pushkey and what is made at the moment of sending (authorization). */

export interface Message {
  /** Lower-case names. Empty where the push service has none (FCM). */
  readonly headers: Readonly<Record<string, string>>
  /** APNs: the JSON payload. FCM: the JSON of `message` without its target. */
  readonly body: string
}

/** What makes a repeated push recognisable, and how long it is worth delivering. */
export interface PushIdentity {
  /** Lower-case UUID: the same for each attempt, and for the same event posted twice. */
  readonly id: string
  /** At most 32 base64url characters; equal for pushes of which only the last matters. */
  readonly collapseId: string
  /** Only where the app asked for the last push per room (and not in minimal mode): equal for pushes of one room to one device. */
  readonly roomCollapseId?: string | undefined
  readonly expiresAtMs: number
  /** The same as a time from now. */
  readonly lifetimeMs: number
}

export type Rendered =
  | { readonly kind: 'message'; readonly message: Message; readonly truncated: boolean }
  /** This push service has nothing to be told, e.g. a badge update for FCM. */
  | { readonly kind: 'nothing'; readonly reason: string }
