/** Sends to the push servers that the users of apps have chosen. */
import { encrypt } from '../../core/encrypt.ts'
import type { CheckResult, ProviderContext, Sender } from '../../core/provider.ts'
import { Secret } from '../../core/secret.ts'
import { Attempt } from '../shared/connections/attempt.ts'
import type { Target as ConnectionTarget } from '../shared/connections/connect.ts'
import { createDnsResolve } from '../shared/endpoints/lookup.ts'
import { EndpointSender, openWay } from '../shared/endpoints/sender.ts'
import { createTargetReader, unifiedPushTarget, type Target } from '../shared/endpoints/target.ts'
import { outcomeOf } from './answers.ts'
import { checkDiscovery } from './check.ts'
import { DEFAULT_CONNECTIONS, type UnifiedPushOptions } from './options.ts'
import { NOT_ALLOWED, rulesOf } from './target.ts'

/** `resolve`: how names of hosts become addresses, before these are checked. */
export async function openSender(
  options: UnifiedPushOptions,
  context: ProviderContext,
  resolve = createDnsResolve(),
): Promise<Sender> {
  const targetFor = await openWay(options, context, resolve)
  const protocol = {
    rules: rulesOf(options),
    maxConnections: options.max_connections ?? DEFAULT_CONNECTIONS,
    notAllowed: NOT_ALLOWED,
    bodyFor,
    outcomeOf,
    check: (signal: AbortSignal) => checkHosts(options, targetFor, signal),
  }
  return new EndpointSender(protocol, targetFor, context)
}

/** Without keys the push server reads it. */
function bodyFor(json: string, { keys }: Target): Buffer | undefined {
  return keys === undefined ? Buffer.from(json) : encrypt(json, keys)
}

/** Each host that is named; what a glob means can only be known when it is registered. */
async function checkHosts(
  options: UnifiedPushOptions,
  targetFor: (target: Target) => ConnectionTarget,
  signal: AbortSignal,
): Promise<CheckResult> {
  const read = createTargetReader(rulesOf(options))
  const named = options.allowed_endpoints.filter((glob) => !/[*?]/.test(glob))
  const results = await Promise.all(
    named.map(async (host): Promise<CheckResult> => {
      const found = read(new Secret(unifiedPushTarget(`https://${host}/`, {})))
      if (found.kind !== 'target') return { ok: false, reason: `${host} cannot be sent to (${found.reason})` }
      return checkDiscovery(found.endpoint, targetFor(found), new Attempt(signal))
    }),
  )
  const failed = results.flatMap((result) => (result.ok ? [] : [result.reason]))
  return failed.length === 0 ? { ok: true } : { ok: false, reason: failed.join('; ') }
}
