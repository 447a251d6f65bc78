import { afterAll, beforeAll, expect, it } from 'vitest'
import { Origins } from '../../../../src/providers/shared/endpoints/origins.ts'
import { startHttpsFront, type HttpsFront } from '../../../../src/simulators/https-front.ts'
import { until } from '../../../helpers/received.ts'
import { authority, certificate, countingDial, post } from '../connections/rig.ts'

/** More than are kept. */
const MANY = 230
const KEPT = 200

let front: HttpsFront
beforeAll(async () => {
  front = await startHttpsFront({
    authority: { ...authority, issue: () => certificate },
    names: [],
    answer: async () => ({ status: 201 }),
  })
})
afterAll(() => front.close())

it('of the connections to hosts that strangers name, those used last are kept, and no more than so many', async () => {
  const { dial, counts } = countingDial()
  const origins = new Origins(20)
  const target = { host: '127.0.0.1', port: front.port, dial, authorities: authority.certificate }
  const pushTo = (origin: string) => post(origins.of(origin, () => target))
  await pushTo('https://used-often.test')
  for (let number = 0; number < MANY; number += 1) {
    expect(await pushTo(`https://${number}.test`)).toMatchObject({ kind: 'answer', status: 201 })
    await pushTo('https://used-often.test')
  }
  expect(counts.all).toBe(MANY + 1)
  await until('the others are closed', () => counts.now <= KEPT)
  // The one before the last still serves; the first is gone, and comes back when it is needed.
  await pushTo(`https://${MANY - 2}.test`)
  expect(counts.all).toBe(MANY + 1)
  await pushTo('https://0.test')
  expect(counts.all).toBe(MANY + 2)
  await origins.close()
  expect(counts.now).toBe(0)
})

it('an origin has connections of its own, also where another is at the same address', async () => {
  const { dial, counts } = countingDial()
  const origins = new Origins(20)
  const target = { host: '127.0.0.1', port: front.port, dial, authorities: authority.certificate }
  for (const origin of ['https://a.test', 'https://b.test', 'https://a.test:8443', 'https://a.test'])
    await post(origins.of(origin, () => target))
  expect(counts.all).toBe(3)
  await origins.close()
})
