/** In which order a store forgets a device. */
import type { Delivery } from '../core/delivery.ts'
import type { Removed } from './contract.ts'

/** What was removed of one kind. */
export interface RemovedPart {
  readonly removed: readonly Delivery[]
  readonly unreadable: number
}

/** Deliveries first: one that becomes a dead letter meanwhile is then found among the dead letters. */
export async function forgetInOrder(
  forgetDeliveries: () => Promise<RemovedPart>,
  forgetDeadLetters: () => Promise<RemovedPart>,
): Promise<Removed> {
  const deliveries = await forgetDeliveries()
  const deadLetters = await forgetDeadLetters()
  return {
    deliveries: deliveries.removed,
    deadLetters: deadLetters.removed,
    unreadable: deliveries.unreadable + deadLetters.unreadable,
  }
}
