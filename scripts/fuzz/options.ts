/** What `npm run test:fuzz` is asked to do. */
import { parseArgs } from 'node:util'
import type { FuzzOptions } from './run.ts'

export const USAGE = `npm run test:fuzz -- [options]
  --requests N   how many malformed requests (default: 20000)
  --seed N       others for each seed (default: 1)
  --first N      the first of them: a single one is repeated as its failure says
`

const DEFAULTS = { requests: '20000', seed: '1', first: '0' }

export function readOptions(args: readonly string[]): FuzzOptions {
  const { values } = parseArgs({
    args: [...args],
    options: { requests: { type: 'string' }, seed: { type: 'string' }, first: { type: 'string' } },
  })
  const numberOf = (name: keyof typeof DEFAULTS): number => {
    const text = values[name] ?? DEFAULTS[name]
    if (!/^\d{1,9}$/.test(text)) throw new Error(`--${name} is a number`)
    return Number(text)
  }
  return { requests: numberOf('requests'), seed: numberOf('seed'), first: numberOf('first') }
}
