/** Push → headers and the JSON that is encrypted for the browser, fitted into RFC 8291's limit. */
import type { PushIdentity, Rendered } from '../../core/message.ts'
import type { Push } from '../../core/push.ts'
import { fieldsOf, headersOf, WAKE_UP } from '../shared/endpoints/fields.ts'
import { fit, MAX_PAYLOAD_BYTES, type Fitted } from '../shared/endpoints/fit.ts'
import { declarativeFields, isDeclarative } from './declarative.ts'
import { DEFAULT_TTL_SECONDS, type DeclarativeOptions, type WebPushOptions } from './options.ts'

export function renderer(options: WebPushOptions): (push: Push, identity: PushIdentity, target?: string) => Rendered {
  const longestSeconds = options.ttl ?? DEFAULT_TTL_SECONDS

  return (push, identity, target) => {
    const declarative = options.declarative !== undefined && isDeclarative(target) ? options.declarative : undefined
    if (push.pusher?.eventsOnly === true && !isAboutEvent(push))
      return { kind: 'nothing', reason: 'the app wants events only' }
    if (push.kind === 'counts' && declarative !== undefined)
      return { kind: 'nothing', reason: 'a declarative push would show a notification' }
    const { json, truncated } = declarative === undefined ? fit(fieldsOf(push)) : fitDeclarative(push, declarative)
    return { kind: 'message', message: { headers: headersOf(push, identity, longestSeconds), body: json }, truncated }
  }
}

/** To an app that fetches the event, one without an ID is none. Minimal pushes have no IDs, and what is sealed keeps its own. */
function isAboutEvent(push: Push): boolean {
  if (push.kind === 'counts') return false
  return push.detail === 'minimal' || push.encrypted !== undefined || push.eventId !== undefined
}

/** What the homeserver sealed is whole or gone. */
function fitDeclarative(push: Push, options: DeclarativeOptions): Fitted {
  const shown = declarativeFields(push, options)
  const fitted = fit([...fieldsOf(push), ...shown])
  return Buffer.byteLength(fitted.json) > MAX_PAYLOAD_BYTES ? fit([WAKE_UP, ...shown]) : fitted
}
