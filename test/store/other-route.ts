import { createDelivery } from '../helpers/delivery.ts'
import { Received } from '../helpers/received.ts'
import type { Bench } from './conformance.ts'

/** Several deliveries of another route are stored, handed out and acknowledged: time enough for one that must not be handed out to be handed out. */
export async function otherRouteDelivers({ store }: Bench): Promise<void> {
  const received = new Received()
  const consumer = store.queue.consume('other-route', 1, received.handler)
  for (let count = 1; count <= 10; count += 1) {
    await store.queue.add([createDelivery({ route: 'other-route' })])
    await received.atLeast(count)
  }
  await consumer.stop(10_000)
}
