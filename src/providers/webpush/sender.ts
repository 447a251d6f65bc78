/** Sends to whatever push services the browsers use. The only import of web-push, which signs; encryption and connections are ours. */
import webPush from 'web-push'
import { encrypt } from '../../core/encrypt.ts'
import type { CheckResult, ProviderContext, Sender } from '../../core/provider.ts'
import { createDnsResolve } from '../shared/endpoints/lookup.ts'
import { EndpointSender, openWay } from '../shared/endpoints/sender.ts'
import type { Target } from '../shared/endpoints/target.ts'
import { readOrFail } from '../shared/inspect.ts'
import { outcomeOf } from './answers.ts'
import { DEFAULT_CONNECTIONS, type WebPushOptions } from './options.ts'
import { NOT_ALLOWED } from './target.ts'
import { unifiedPushBody } from './unified-push.ts'
import { readVapidKey } from './vapid-key.ts'
import { VapidHeaders } from './vapid.ts'

/** For a check: nobody's push service. */
const EXAMPLE_ORIGIN = 'https://push.example.org'

/** `resolve`: how names of hosts become addresses, before these are checked. */
export async function openSender(
  options: WebPushOptions,
  context: ProviderContext,
  resolve = createDnsResolve(),
): Promise<Sender> {
  const key = await readOrFail((report) => readVapidKey(options, report))
  const targetFor = await openWay(options, context, resolve)
  const vapid = new VapidHeaders(key, options.vapid_subject, webPush.getVapidHeaders, context.nowMs)
  const protocol = {
    rules: options,
    maxConnections: options.max_connections ?? DEFAULT_CONNECTIONS,
    notAllowed: NOT_ALLOWED,
    authorizationFor: (origin: string) => vapid.get(origin),
    dropAuthorization: (origin: string) => vapid.drop(origin),
    bodyFor,
    outcomeOf,
    check: () => checkKey(vapid),
  }
  return new EndpointSender(protocol, targetFor, context)
}

/** There is no push service to ask: each browser has its own. */
async function checkKey(vapid: VapidHeaders): Promise<CheckResult> {
  try {
    vapid.get(EXAMPLE_ORIGIN)
    return { ok: true }
  } catch {
    return { ok: false, reason: 'cannot sign with the VAPID key' }
  }
}

/** Undefined when there is no encrypting for these keys. */
function bodyFor(json: string, { keys }: Target): Buffer | undefined {
  return keys === undefined ? Buffer.from(unifiedPushBody(json)) : encrypt(json, keys)
}
