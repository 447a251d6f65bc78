/** How many jobs of a route may be asked for at once on Redis. */
import { expect, it } from 'vitest'
import { MAX_BATCH } from '../../src/store/contract.ts'
import { Allowance } from '../../src/store/redis/allowance.ts'

it.each([
  ['as many as can be handed out, whatever is in them', 'open', 4 * MAX_BATCH, 0, 4],
  ['fewer where much is in flight', 'open', 4 * MAX_BATCH, 2 * MAX_BATCH + 1, 1],
  ['one where less than a job may hold can be handed out', 'open', MAX_BATCH - 1, 0, 1],
  ['one where only a probe may be', 'one', 4 * MAX_BATCH, 0, 1],
] as const)('%s', (_what, gate, slots, taken, batches) => {
  const allowance = new Allowance(slots)
  allowance.setGate(gate)
  allowance.take(taken)
  expect(allowance.batchesFor(1)).toBe(batches)
})
