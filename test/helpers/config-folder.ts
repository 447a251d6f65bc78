/** A folder with a configuration in it, and a push service that exists only here. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Type, { type Static } from 'typebox'
import { ConfigError } from '../../src/config/config-error.ts'
import type { Config } from '../../src/config/config.ts'
import { loadConfig } from '../../src/config/load.ts'
import type { ProviderKinds } from '../../src/config/schema.ts'
import type { Environment } from '../../src/config/yaml-source.ts'
import type { CheckResult, ProviderKind } from '../../src/core/provider.ts'

const pigeonOptions = Type.Object(
  {
    key_file: Type.String({ minLength: 1, description: 'The key.' }),
    loft: Type.Optional(Type.String({ pattern: '^[A-Z]{3}$', description: 'Where it lives.' })),
    wings: Type.Integer({ minimum: 1, maximum: 2, default: 2, description: 'How many.' }),
    brings: Type.Optional(
      Type.Union([Type.Literal('letter'), Type.Literal('call')], { default: 'letter', description: 'What it brings.' }),
    ),
    extra: Type.Optional(Type.Record(Type.String(), Type.Integer(), { description: 'Numbers by name.' })),
    ca_file: Type.Optional(Type.String({ minLength: 1, description: 'Authorities.' })),
  },
  { additionalProperties: false },
)

/** Its key must say `coo`; what its sender's check says is what the key says after that. */
export const pigeon: ProviderKind<Static<typeof pigeonOptions>> = {
  options: pigeonOptions,
  files: ['key_file', 'ca_file'],
  countsPer: 'pushkey',
  names: { through: 'a pigeon', who: 'The pigeon' },
  disclosures: () => ({}),
  rings: ({ brings }) =>
    brings === 'call'
      ? { option: 'brings', value: 'call', whyNotMinimal: 'a pigeon that calls has to say who it is for' }
      : undefined,
  async inspect({ key_file: path }) {
    const isKey = (await readFile(path, 'utf8')).startsWith('coo')
    return isKey ? [] : [{ option: 'key_file', message: 'the key does not coo' }]
  },
  renderer: () => () => ({ kind: 'nothing', reason: 'a pigeon carries nothing in this test' }),
  async open({ key_file: path }) {
    const refusal = (await readFile(path, 'utf8')).slice('coo'.length).trim()
    const answer: CheckResult = refusal === '' ? { ok: true } : { ok: false, reason: refusal }
    return { send: async () => ({ kind: 'delivered' }), check: async () => answer, close: async () => {} }
  },
}

export const kinds = { pigeon, parrot: pigeon }

/** An app that has nothing wrong with it, to be put under `apps:`. */
export const GOOD_APP = '  com.example.good: { type: pigeon, key_file: key }'

export interface ConfigFolder extends AsyncDisposable {
  readonly path: string
  /** The path of a file in the folder. */
  at(name: string): string
  write(name: string, text: string): Promise<void>
  load(yaml: string, env?: Environment): Promise<Config>
  /** Every mistake as `line: path: message`; the folder's own path is written as DIR. */
  mistakes(yaml: string, env?: Environment): Promise<string[]>
}

/** With these push services. */
export async function configFolder(pushServices: ProviderKinds = kinds): Promise<ConfigFolder> {
  const path = await mkdtemp(join(tmpdir(), 'hushgate-config-'))
  const at = (name: string): string => join(path, name)
  const write = (name: string, text: string): Promise<void> => writeFile(at(name), text)
  const load = async (yaml: string, env: Environment = {}): Promise<Config> => {
    await write('hushgate.yaml', yaml)
    return loadConfig({ path: at('hushgate.yaml'), env, kinds: pushServices })
  }
  await write('key', 'coo')
  return {
    path,
    at,
    write,
    load,
    async mistakes(yaml, env) {
      try {
        await load(yaml, env)
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error
        return error.mistakes.map(({ line, path: setting, message }) =>
          `${line}: ${setting}: ${message}`.replaceAll(path, 'DIR'),
        )
      }
      return []
    },
    [Symbol.asyncDispose]: () => rm(path, { recursive: true }),
  }
}
