/** The bounded form of `npm run test:fuzz`: malformed requests at both ports of a gateway in a process of its own. */
import { expect, it } from 'vitest'
import { BUSY } from '../../scripts/fuzz/answers.ts'
import { fuzz, ownMs } from '../../scripts/fuzz/run.ts'

const REQUESTS = 4000
const SEED = 20_261_129
/** As there (docs/reliability.md). */
const MOST_RSS_BYTES = 400e6

it('thousands of malformed requests are each answered as they should be, and cost little memory', async ({
  annotate,
}) => {
  const { requests, byStatus, faults, peakRssBytes, stalls, ordinary } = await fuzz({
    seed: SEED,
    first: 0,
    requests: REQUESTS,
  })
  const [longest] = stalls
  const longestMs = longest === undefined ? 0 : ownMs(longest)
  // The bound of 50 ms is the long form's, on a quiet machine; here other tests run beside it.
  await annotate(`longest stall ${longestMs.toFixed(0)} ms; at most ${(peakRssBytes / 1e6).toFixed(0)} MB`)
  expect(faults).toEqual([])
  // A machine with much else to do may be too slow to store a push, and says so; the long form, on a quiet one, does not let it pass.
  expect([...byStatus.keys()].filter((status) => status >= 500 && status !== BUSY)).toEqual([])
  expect(byStatus.get(BUSY) ?? 0).toBeLessThan(requests / 10)
  // Both what is right in spite of all and what is wrong came through.
  expect(byStatus.get(200)).toBeGreaterThan(requests / 10)
  expect(byStatus.get(400)).toBeGreaterThan(requests / 10)
  expect(ordinary.count).toBeGreaterThan(0)
  expect(peakRssBytes).toBeGreaterThan(0)
  expect(peakRssBytes).toBeLessThan(MOST_RSS_BYTES)
})
