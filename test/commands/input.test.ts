/** What a command reads from standard input. */
import { Readable } from 'node:stream'
import { expect, it } from 'vitest'
import { readAll } from '../../src/commands/input.ts'

it.each([
  [true, 1],
  [false, 0],
])('that it waits is said at a terminal only: %s', async (isTTY, timesExpected) => {
  let timesSaid = 0
  const stdin = Object.assign(Readable.from([Buffer.from('{'), Buffer.from('}')]), { isTTY })
  const body = await readAll(stdin, () => {
    timesSaid += 1
  })
  expect([Buffer.from(body).toString(), timesSaid]).toEqual(['{}', timesExpected])
})
