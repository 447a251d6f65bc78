/** The mistakes in a UnifiedPush section that its schema cannot express; opens files, no connection. */
import type { OptionMistake } from '../../core/provider.ts'
import { addressIn, isNameOfOwner } from '../shared/endpoints/addresses.ts'
import { checkHosts } from '../shared/endpoints/check-hosts.ts'
import { checkAddress, mistakesIn, readAuthorities } from '../shared/inspect.ts'
import type { UnifiedPushOptions } from './options.ts'

export function inspect(options: UnifiedPushOptions): Promise<readonly OptionMistake[]> {
  return mistakesIn(async (report) => {
    const { allowed_endpoints: allowed, allow_private_endpoints: privateOnes = [], catch_all: isCatchAll } = options
    checkHosts(allowed, 'allowed_endpoints', report)
    checkHosts(privateOnes, 'allow_private_endpoints', report)
    for (const glob of privateOnes)
      if (addressIn(glob) !== undefined || !isNameOfOwner(glob) || /^[\d.*?]+$/.test(glob))
        report('allow_private_endpoints', `${JSON.stringify(glob)} must be the name of a host of yours, not an address`)
    for (const glob of isCatchAll === true ? allowed : [])
      if (!isNameOfOwner(glob))
        report(
          'allowed_endpoints',
          `${JSON.stringify(glob)} lets strangers name any host; with catch_all name your own`,
        )
    await readAuthorities(options, report)
    checkAddress(options.endpoint, 'endpoint', 'https://127.0.0.1:8443', report)
  })
}
