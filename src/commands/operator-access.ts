/** How a command reaches an operator's work: through the running gateway, whatever is wrong with the file by now, or on the store where none runs. */
import { dirname, join, resolve } from 'node:path'
import { Value } from 'typebox/value'
import { checkValue } from '../config/check-value.ts'
import { appNames, type Config } from '../config/config.ts'
import { ConfigError, formatMistake, type SettingPath } from '../config/config-error.ts'
import { readText } from '../config/files.ts'
import { DEFAULT_TOKEN_FILE, openKeys, parseToken } from '../config/keys.ts'
import { loadConfig, type LoadOptions } from '../config/load.ts'
import { fileSchema } from '../config/schema.ts'
import { readSource, type Environment, type SourceReader } from '../config/yaml-source.ts'
import { isJsonObject } from '../core/json.ts'
import { Secret } from '../core/secret.ts'
import { adminUrl } from './admin-url.ts'

export interface OperatorAccess {
  /** Undefined where it has mistakes. */
  readonly config: Config | undefined
  readonly mistakes?: ConfigError | undefined
  readonly url: string
  /** Undefined where there is none. */
  readonly token: () => Promise<Secret | undefined>
}

/** With mistakes in the file only what it says of the admin port is needed. */
export async function openAccess(options: LoadOptions & { readonly env: Environment }): Promise<OperatorAccess> {
  try {
    const config = await loadConfig(options)
    return { config, url: adminUrl(config.admin), token: async () => (await openKeys(config)).adminToken }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    const { text } = await readText(options.path)
    if (text === undefined) throw error
    const { url, tokenFile } = readAdminPart(text, options.path, options.env, options.readAs)
    return { config: undefined, mistakes: error, url, token: () => readToken(tokenFile) }
  }
}

export function tellMistakes({ mistakes }: OperatorAccess, stderr: NodeJS.WritableStream): void {
  if (mistakes === undefined) return
  for (const mistake of mistakes.mistakes) stderr.write(`${formatMistake(mistake)}\n`)
  stderr.write(
    'The configuration has these mistakes; the running gateway is asked with what it says of the admin port\n',
  )
}

/** The end of a sentence about an app that is not there. */
export function namesIn({ config }: OperatorAccess): string {
  return config === undefined ? '' : `; the configuration has ${appNames(config).join(', ')}`
}

interface AdminPart {
  readonly url: string
  readonly tokenFile: string | undefined
}

/** What the file says of the admin port, whatever else is wrong with it: a mistake that was made since the gateway started is no illness of it. */
export function readAdminPart(
  text: string,
  path: string,
  env: Environment,
  readAs: SourceReader = readSource,
): AdminPart {
  const source = readAs(text, env, ignore, ignore)
  const whole = isJsonObject(source.value) ? source.value : {}
  const { admin: schema } = fileSchema.properties
  const written = whole['admin']
  const findings = {
    report: ignore,
    isReported: () => false,
    isFromEnvironment: (at: SettingPath) => source.isFromEnvironment(at),
  }
  const checked = checkValue(schema, isJsonObject(written) ? written : {}, ['admin'], findings)
  const admin = Value.Check(schema, checked) ? checked : Value.Create(schema)
  const folder = source.folder ?? dirname(resolve(path))
  const given = admin.token_file ?? defaultTokenFile(whole['store'])
  return { url: adminUrl(admin), tokenFile: given === undefined ? undefined : resolve(folder, given) }
}

/** Beside the SQLite file. */
function defaultTokenFile(store: unknown): string | undefined {
  const url = isJsonObject(store) ? store['url'] : undefined
  if (isJsonObject(store) && store['cluster'] !== undefined) return undefined
  if (url === undefined) return join('data', DEFAULT_TOKEN_FILE)
  return typeof url === 'string' && url.startsWith('sqlite:')
    ? join(dirname(url.slice('sqlite:'.length)), DEFAULT_TOKEN_FILE)
    : undefined
}

async function readToken(path: string | undefined): Promise<Secret | undefined> {
  if (path === undefined) return undefined
  const { text } = await readText(path)
  const token = text === undefined ? undefined : parseToken(text)
  return token instanceof Secret ? token : undefined
}

function ignore(): void {}
