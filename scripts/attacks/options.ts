/** What `npm run bench:attacks` is asked to do. */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { buildFormerVersion } from '../faults/former-version.ts'
import type { Attack } from './attack.ts'
import { ATTACKS, NOTHING } from './attacks.ts'

export interface Options {
  readonly attacks: readonly Attack[]
  readonly rounds: number
  /** Of each measurement, without and with. */
  readonly seconds: number
  /** Pushes of each of the two apps. */
  readonly perSecond: number
  /** Builds of Hushgate by name. */
  readonly programs: readonly (readonly [name: string, path: string])[]
  /** Keep the results in docs/attacks.json, and write the page from them. */
  readonly write: boolean
}

const numbers = ATTACKS.map(({ number }) => number.replaceAll(', ', '+'))

export const USAGE = `npm run bench:attacks -- [options]
  --only NUMBERS     attacks, with commas between them: ${numbers.join(', ')} (default: all)
  --rounds N         of each attack on each gateway, in turns (default: 5)
  --seconds N        of each measurement, without and with the attack (default: 4)
  --per-second N     pushes of known devices, of each of two apps (default: 40)
  --quick            one round of two seconds
  --program NAME=MAIN.JS
                     another build of Hushgate to compare with, or the commit of one, which is built then; may be repeated
  --write            keep the results in docs/attacks.json, where those of other attacks stay, and write docs/reliability.md from them
`

const DIST = join(import.meta.dirname, '../../dist/main.js')

export async function readOptions(args: readonly string[]): Promise<Options> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      only: { type: 'string' },
      rounds: { type: 'string' },
      seconds: { type: 'string' },
      'per-second': { type: 'string' },
      quick: { type: 'boolean', default: false },
      program: { type: 'string', multiple: true, default: [] },
      write: { type: 'boolean', default: false },
    },
  })
  const { quick, only, write } = values
  const others = await Promise.all(values.program.map(programOf))
  return {
    attacks: only === undefined ? ATTACKS : attacksOf(only),
    rounds: countIn('rounds', values.rounds ?? (quick ? '1' : '5')),
    seconds: countIn('seconds', values.seconds ?? (quick ? '2' : '4')),
    perSecond: countIn('per-second', values['per-second'] ?? '40'),
    programs: [['hushgate', DIST], ...others],
    write,
  }
}

/** Nothing is always measured, too: what it leaves in the store is no attack's. */
function attacksOf(text: string): readonly Attack[] {
  const wanted = text.split(',')
  const unknown = wanted.find((number) => !numbers.includes(number))
  if (unknown !== undefined) throw new Error(`--only ${unknown}: there are ${numbers.join(', ')}`)
  return ATTACKS.filter((attack, index) => attack === NOTHING || wanted.includes(numbers[index] ?? ''))
}

async function programOf(text: string): Promise<readonly [string, string]> {
  const [, name, where] = /^([^=]+)=(.+)$/.exec(text) ?? []
  if (name === undefined || where === undefined) throw new Error(`--program ${text} is not NAME=MAIN.JS`)
  return [name, existsSync(where) ? resolve(where) : await buildFormerVersion(where)]
}

function countIn(name: string, text: string): number {
  if (!/^[1-9]\d*$/.test(text)) throw new Error(`--${name} is a number, 1 at least`)
  return Number(text)
}
