/** The compose examples, as an engine reads them. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parse } from 'yaml'

export const EXAMPLES = join(import.meta.dirname, '../../config/examples')

export interface ComposeService {
  readonly command?: string | readonly string[]
  readonly cap_add?: readonly string[]
}

export interface Compose {
  readonly services: Readonly<Record<string, ComposeService>>
}

export async function readCompose(example: string): Promise<Compose> {
  return parse(await readFile(join(EXAMPLES, example, 'compose.yaml'), 'utf8'))
}

/** The one text that its shell is given; `$$` is how compose writes `$`. */
export function initScript(init: ComposeService | undefined): string {
  const { command = '' } = init ?? {}
  const script = typeof command === 'string' ? /^sh -c '(.*)'$/.exec(command)?.[1] : command[0]
  if (script === undefined) throw new Error('init runs no script')
  return script.replaceAll('$$', '$')
}

/** By name, as in redis.conf. */
export function redisSettings(redis: ComposeService | undefined): Readonly<Record<string, string>> {
  const settings = [...String(redis?.command).matchAll(/--(\S+) (\S+)/g)]
  return Object.fromEntries(settings.map(([, name = '', value = '']) => [name, value === '""' ? '' : value]))
}
