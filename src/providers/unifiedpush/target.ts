/** Which pushers are those of UnifiedPush, and where their pushes may go. Pure. */
import type { JsonObject } from '../../core/json.ts'
import { shapeOf } from '../../core/pusher-match.ts'
import { Secret } from '../../core/secret.ts'
import { createTargetReader, unifiedPushTarget, type EndpointRules } from '../shared/endpoints/target.ts'
import type { UnifiedPushOptions } from './options.ts'

/** For the log. */
export const NOT_ALLOWED =
  'Pushes are dropped whose endpoint is at a host that allowed_endpoints does not name; if it is a push server that your users have, add it there'

/** The pushkey is the endpoint, and the data do not name another one. */
export function isOwn(pushkey: string, data: JsonObject): boolean {
  return shapeOf(pushkey) === 'url' && typeof data['endpoint'] !== 'string'
}

/** An endpoint without keys is as good as one with. */
export function rulesOf({ allowed_endpoints, allow_private_endpoints }: UnifiedPushOptions): EndpointRules {
  return { allowed_endpoints, allow_private_endpoints, allow_unencrypted: true }
}

/** Of app_ids that no app is configured for: only what could be sent. */
export function catches(options: UnifiedPushOptions): ((pushkey: string, data: JsonObject) => boolean) | undefined {
  if (options.catch_all !== true) return undefined
  const read = createTargetReader(rulesOf(options))
  return (pushkey, data) => isOwn(pushkey, data) && read(new Secret(unifiedPushTarget(pushkey, data))).kind === 'target'
}
