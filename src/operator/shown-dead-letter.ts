/** A dead letter as an operator is shown it. */
import { shortHash } from '../core/identities.ts'
import type * as contract from '../store/contract.ts'
import type { DeadLetter } from './operator.ts'

export function shownDeadLetter({ route, deviceHash, ...rest }: contract.DeadLetter): DeadLetter {
  return { app: route, ...rest, ...(deviceHash === undefined ? {} : { device: shortHash(deviceHash) }) }
}
