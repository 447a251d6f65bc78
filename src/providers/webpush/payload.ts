/** Push → headers and the JSON that is encrypted for the browser, fitted into RFC 8291's limit. */
import type { PushIdentity, Rendered } from '../../core/message.ts'
import type { Push } from '../../core/push.ts'
import { fieldsOf, headersOf } from '../shared/endpoints/fields.ts'
import { fit } from '../shared/endpoints/fit.ts'
import { DEFAULT_TTL_SECONDS, type WebPushOptions } from './options.ts'

export function renderer(options: WebPushOptions): (push: Push, identity: PushIdentity) => Rendered {
  const longestSeconds = options.ttl ?? DEFAULT_TTL_SECONDS

  return (push, identity) => {
    if (push.kind === 'counts' && push.pusher?.eventsOnly === true)
      return { kind: 'nothing', reason: 'the app wants events only' }
    const { json, truncated } = fit(fieldsOf(push))
    return { kind: 'message', message: { headers: headersOf(push, identity, longestSeconds), body: json }, truncated }
  }
}
