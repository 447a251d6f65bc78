/** `accept` for a store that cannot ask, store and remember in one step. A crash between two steps repeats a push, and never loses one. */
import type { Delivery } from '../core/delivery.ts'
import type { Accepted, DeliveryQueue, Memory, NewDelivery } from './contract.ts'

/** `onRemembered`: called of each whose event is its own. */
export async function acceptInSteps(
  queue: Pick<DeliveryQueue, 'add'>,
  memory: Memory,
  deliveries: readonly NewDelivery[],
  onRemembered: (delivery: Delivery) => void = () => {},
): Promise<readonly Accepted[]> {
  const found = await Promise.all(deliveries.map((each) => objectionTo(memory, each)))
  const wanted = deliveries.filter((_, index) => found[index] === undefined)
  const orders = await queue.add(wanted.map(({ delivery }) => delivery))
  // Stored is stored: the worker claims the event before it sends, so what fails here costs a second copy in the queue at worst.
  await Promise.allSettled(
    wanted.map(async (each, index) => {
      if (await remember(memory, each, orders[index] ?? 0)) onRemembered(each.delivery)
    }),
  )
  const remaining = orders.values()
  return found.map((objection) => objection ?? { order: remaining.next().value ?? 0 })
}

/** Why it is not to be stored; undefined when it is. Asked in one turn. */
async function objectionTo(
  memory: Memory,
  { delivery, unless, requires }: NewDelivery,
): Promise<Exclude<Accepted, { readonly order: number }> | undefined> {
  const hasEntry = async (key: string): Promise<boolean> => (await memory.get(delivery, key)) !== undefined
  const [isAllowed, ...have] = await Promise.all([
    requires === undefined || hasEntry(requires),
    ...unless.map(hasEntry),
  ])
  const found = unless.filter((_, index) => have[index])
  if (found.length > 0) return { found }
  return isAllowed ? undefined : { isRefused: true }
}

/** Once it is stored. Resolves with whether its event is its own. Of two of one event only its owner may overtake others: each would give way to the other, and none would be sent. */
export async function remember(
  memory: Memory,
  { delivery, claims, raises, lifetimeMs }: NewDelivery,
  order: number,
): Promise<boolean> {
  if (claims !== undefined && (await memory.setIfAbsent(delivery, claims, delivery.id, lifetimeMs)) !== delivery.id)
    return false
  await Promise.all(raises.map((key) => memory.raise(delivery, key, order, lifetimeMs)))
  return true
}
