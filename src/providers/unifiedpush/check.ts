/** Whether a push server's host answers as a Matrix gateway, as apps ask before they register (docs/facts/apps.md#unifiedpush). */
import type { CheckResult } from '../../core/provider.ts'
import { isJsonObject, jsonObjectOf } from '../../core/json.ts'
import type { Attempt } from '../shared/connections/attempt.ts'
import type { Target as ConnectionTarget } from '../shared/connections/connect.ts'
import type { ConnectionRules } from '../shared/connections/connection.ts'
import { Connections } from '../shared/connections/connections.ts'
import { openConnection } from '../shared/connections/open-connection.ts'

const PATH = '/_matrix/push/v1/notify'
const RULES: ConnectionRules = {
  protocols: ['h2', 'http/1.1'],
  reading: { isEnough: (status) => status !== 200, maxBytes: 16 * 1024, takesPart: true },
  connectMs: 4000,
  pingEveryMs: 25_000,
  pingMs: 5000,
  isStranger: true,
}

export async function checkDiscovery({ host }: URL, target: ConnectionTarget, attempt: Attempt): Promise<CheckResult> {
  const connections = new Connections(() => openConnection(target, RULES), { maxConnections: 1 })
  try {
    const headers = ['accept', 'application/json', 'content-length', '0']
    const answer = await connections.post({ method: 'GET', authority: host, path: PATH, headers, body: '' }, attempt)
    if (answer.kind === 'lost') return { ok: false, reason: `${host} does not answer (${answer.code})` }
    const { unifiedpush } = jsonObjectOf(answer.body) ?? {}
    if (answer.status === 200 && isJsonObject(unifiedpush) && unifiedpush['gateway'] === 'matrix') return { ok: true }
    const instead = 'apps will use the gateway of unifiedpush.org instead; see docs/unifiedpush.md'
    return {
      ok: false,
      reason: `https://${host}${PATH} does not answer as a Matrix gateway (${answer.status}): ${instead}`,
    }
  } finally {
    await connections.close()
  }
}
