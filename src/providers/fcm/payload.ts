/** Push → the FCM message without its target: what Sygnal sends (docs/facts/peers.md#recorded-cases), fitted into FCM's limits; minimal stays minimal. */
import { isJsonObject, type JsonObject } from '../../core/json.ts'
import { isCallType } from '../../core/call.ts'
import type { PushIdentity, Rendered } from '../../core/message.ts'
import type { Push } from '../../core/push.ts'
import { contentShaper, MAX_DATA_BYTES } from '../shared/data.ts'
import { eventData, hasCounts } from '../shared/event-data.ts'
import { hedwigRenderer } from './hedwig.ts'
import type { FcmOptions } from './options.ts'
import { staticBytes } from './static-options.ts'

/**
 * No collapse key: collapsible messages are limited to a burst of 20 per device (docs/facts/fcm.md#throttling). No ttl unless the options have
 * one: how long a push is worth is for the queue, which sees the clock. But a call of which Google may know that it is one is not to ring when it is over.
 */
export function renderer(options: FcmOptions): (push: Push, identity?: Pick<PushIdentity, 'lifetimeMs'>) => Rendered {
  const fixed = options.options ?? {}
  const android = isJsonObject(fixed['android']) ? fixed['android'] : {}
  const maxBytes = MAX_DATA_BYTES - staticBytes(fixed)
  const hedwig =
    options.payload_style === 'hedwig' ? hedwigRenderer(options.hedwig ?? {}, { message: fixed, android }) : undefined
  const shapeContent = contentShaper(maxBytes)
  const dropsBadges = options.badge_pushes !== 'send'

  return (push, identity) => {
    if (push.kind === 'counts' && dropsBadges) return { kind: 'nothing', reason: 'badge pushes are off' }
    if (push.kind === 'counts' && !hasCounts(push)) return { kind: 'nothing', reason: 'no counts' }
    const ttl = ttlOf(push, identity)
    if (hedwig !== undefined) return hedwig(push, ttl)
    const { data, truncated } = eventData(push, maxBytes, shapeContent).build(maxBytes)
    const priority = push.prio === 'low' ? 'normal' : 'high'
    const body = JSON.stringify({ ...fixed, android: { ...ttl, ...android, priority }, data })
    return { kind: 'message', message: { headers: {}, body }, truncated }
  }
}

/** Whole seconds from when Google has it; the operator's own wins. */
function ttlOf(push: Push, identity: Pick<PushIdentity, 'lifetimeMs'> | undefined): JsonObject {
  if (identity === undefined || push.detail !== 'full' || !isCallType(push.type)) return {}
  return { ttl: `${Math.floor(identity.lifetimeMs / 1000)}s` }
}
